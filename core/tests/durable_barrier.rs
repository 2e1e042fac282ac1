//! Barriers under duplicates, late members, races between two consumers, aborts and new
//! generations, against a model that is nothing but the set of first ends.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use steadfast_core::barrier::{
    AbortReason, Barrier, BarrierInput, BarrierKey, BarrierState, Closing, FailurePolicy, Member,
    MemberKey, MemberOutcome, MemberState, Plan, arm, laws,
};
use steadfast_core::message::{Kind, MessageKey};
use steadfast_core::unit::{Row, Rows};
use steadfast_core::{ExecutionId, Generation, Timestamp};

const RUN: ExecutionId = ExecutionId(7);

#[derive(Clone, Debug)]
enum Step {
    Arm {
        generation: u32,
        members: u32,
        fail_fast: bool,
    },
    One(Told),
    /// Two consumers decide on the same rows; the second commit finds a newer version.
    Race(Told, Told),
}

#[derive(Clone, Debug)]
enum Told {
    Ended { generation: u32, index: u32, how: u8, value: u32 },
    Abort { generation: u32 },
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        20 => (1..4u32, 0..6u32, 0..4u8, 0..100u32)
            .prop_map(|(generation, index, how, value)| Told::Ended { generation, index, how, value }),
        1 => (1..4u32).prop_map(|generation| Told::Abort { generation }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1..4u32, 0..6u32, any::<bool>()).prop_map(|(generation, members, fail_fast)| {
            Step::Arm { generation, members, fail_fast }
        }),
        6 => told().prop_map(Step::One),
        3 => (told(), told()).prop_map(|(one, other)| Step::Race(one, other)),
    ]
}

/// A store of barriers and members that refuses a commit over a newer version, and the model.
#[derive(Default)]
struct World {
    barriers: BTreeMap<BarrierKey, Barrier>,
    members: BTreeMap<MemberKey, Member>,
    inserted: Vec<MessageKey>,
    first: BTreeMap<MemberKey, MemberOutcome>,
    refused: u32,
}

/// The rows that a decision would write.
#[derive(Debug)]
struct Decided {
    barriers: Vec<Barrier>,
    members: Vec<Member>,
    closing: Option<Closing>,
    first: Option<(MemberKey, MemberOutcome)>,
}

fn key(generation: u32) -> BarrierKey {
    BarrierKey { run: RUN, generation: Generation(generation) }
}

impl World {
    fn arm(&mut self, generation: u32, members: u32, fail_fast: bool) {
        let policy = if fail_fast { FailurePolicy::FailFast } else { FailurePolicy::Collect };
        let plan = Plan { key: key(generation), members, policy };
        let mut previous = self.barriers.values().next_back().cloned();
        let newest = previous.as_ref().map(Row::key);
        let armed = arm(plan, previous.as_mut(), Timestamp::ZERO);
        assert_eq!(armed.is_ok(), newest.is_none_or(|newest| newest < plan.key));
        let Ok(armed) = armed else { return };
        assert_eq!(laws::armed_whole(&armed), Ok(()));
        self.barriers.extend(previous.map(|barrier| (barrier.key, barrier)));
        self.barriers.insert(plan.key, armed.barrier);
        self.members.extend(armed.members.into_iter().map(|member| (member.key, member)));
        self.continue_with(armed.closing);
    }

    /// Loads the barrier that the teller knows, and of the members only the one concerned.
    fn decide(&self, told: &Told) -> Option<Decided> {
        let (barrier, input) = match *told {
            Told::Abort { generation } => {
                (key(generation), BarrierInput::Abort(AbortReason::Operator))
            }
            Told::Ended { generation, index, how, value } => {
                let outcome = match how {
                    0 => MemberOutcome::Failed(format!("broke {value}")),
                    1 => MemberOutcome::Skipped(format!("skipped {value}")),
                    _ => MemberOutcome::Done(json!(value)),
                };
                let member = MemberKey { run: RUN, generation: Generation(generation), index };
                // A third of the tellers only know the run's newest barrier.
                let newest = self.barriers.keys().next_back().copied();
                let barrier = if value % 3 == 0 { newest? } else { member.barrier() };
                (barrier, BarrierInput::Settle(member, outcome))
            }
        };
        let (mut barriers, mut members) = (Rows::default(), Rows::default());
        barriers.load(self.barriers.get(&barrier)?.clone());
        let mut first = None;
        if let BarrierInput::Settle(member, outcome) = &input {
            self.members.get(member).cloned().into_iter().for_each(|row| members.load(row));
            first = Some((*member, outcome.clone()));
        }
        let before = barriers.find(&barrier)?.clone();
        let row = barriers.edit(&barrier)?;
        let answer = row.handle(&mut members, &input, Timestamp::ZERO);
        if answer.is_err() {
            assert_eq!(*row, before);
        } else {
            let mut again = row.clone();
            assert!(again.handle(&mut members.clone(), &input, Timestamp::ZERO).is_err());
            assert_eq!(again, *row);
        }
        let accepted = answer.is_ok();
        let members = members.into_changed(&mut 0).updated;
        assert!(accepted || members.is_empty(), "a refusal writes");
        assert!(members.len() <= 1, "one report, one member row");
        let closing = answer.ok()?;
        let barriers = barriers.into_changed(&mut 0).updated;
        Some(Decided { barriers, members, closing, first })
    }

    /// Commits unless a row has moved since it was read.
    fn commit(&mut self, decided: Decided) -> bool {
        let current = |barrier: &Barrier| {
            self.barriers.get(&barrier.key).is_some_and(|row| row.version.next() == barrier.version)
        };
        if !decided.barriers.iter().all(current) {
            self.refused += 1;
            return false;
        }
        for member in decided.members {
            let before = self.members.insert(member.key, member.clone()).expect("it was armed");
            assert_eq!(laws::ended_once(&before, &member), Ok(()));
            let (key, outcome) = decided.first.clone().expect("a member was told");
            assert_eq!(self.first.insert(key, outcome), None, "{key} ended twice");
        }
        for barrier in decided.barriers {
            self.barriers.insert(barrier.key, barrier);
        }
        self.continue_with(decided.closing);
        true
    }

    fn continue_with(&mut self, closing: Option<Closing>) {
        if let Some(Closing::Continue(message)) = closing {
            self.inserted.push(message);
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Arm { generation, members, fail_fast } => {
                self.arm(*generation, *members, *fail_fast);
            }
            Step::One(told) => {
                let decided = self.decide(told);
                assert!(decided.is_none_or(|decided| self.commit(decided)));
            }
            Step::Race(one, other) => {
                let (first, second) = (self.decide(one), self.decide(other));
                assert!(first.is_none_or(|decided| self.commit(decided)));
                // Whoever is refused reloads and decides again.
                if second.is_some_and(|decided| !self.commit(decided)) {
                    let again = self.decide(other);
                    assert!(again.is_none_or(|decided| self.commit(decided)));
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        assert_eq!(laws::newest_alone_is_open(self.barriers.values()), Ok(()));
        assert_eq!(laws::continued_once(&self.inserted, &self.barriers), Ok(()));
        for barrier in self.barriers.values() {
            assert_eq!(laws::check(barrier, self.members.values()), Ok(()));
            let own = |key: &&MemberKey| key.barrier() == barrier.key;
            let ended = self.first.keys().filter(own).count();
            assert_eq!(ended, barrier.ended as usize, "the model counts otherwise");
            if barrier.state == BarrierState::Complete {
                self.compare(barrier);
            }
        }
    }

    /// The results by index are the first ends by index.
    fn compare(&self, barrier: &Barrier) {
        let results = barrier.results(self.members.values().rev()).expect("it is complete");
        assert_eq!(results.len(), barrier.members as usize);
        for (index, member) in (0..).zip(results) {
            let key = MemberKey { run: RUN, generation: barrier.key.generation, index };
            assert_eq!(member.key, key);
            let (state, result) = match &self.first[&key] {
                MemberOutcome::Done(result) => (MemberState::Done, result.clone()),
                MemberOutcome::Failed(_) => (MemberState::Failed, Value::Null),
                MemberOutcome::Skipped(_) => (MemberState::Skipped, Value::Null),
            };
            assert_eq!((member.state, &member.result), (state, &result));
        }
    }

    /// Faults stop: every pending member of the newest barrier ends, and it closes.
    fn heal(&mut self) {
        let Some(newest) = self.barriers.keys().next_back().copied() else { return };
        let pending: Vec<MemberKey> = self
            .members
            .values()
            .filter(|member| member.key.barrier() == newest && !member.is_over())
            .map(|member| member.key)
            .collect();
        for member in pending {
            let (generation, index) = (member.generation.0, member.index);
            self.run(&Step::One(Told::Ended { generation, index, how: 2, value: 1 }));
        }
        let open = |barrier: &&Barrier| barrier.state == BarrierState::Open;
        assert_eq!(self.barriers.values().find(open), None, "left open for ever");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_of_barriers_hold(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::default();
        world.arm(1, 4, steps.len() % 2 == 0);
        steps.iter().for_each(|step| world.run(step));
        world.heal();
    }
}

/// Ends all members of a barrier, backwards, each with only its own row loaded, and says how long
/// the whole took and how many rows were written.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test measures what the engine takes"
)]
fn drained(members: u32) -> (Duration, usize) {
    let plan = Plan { key: key(1), members, policy: FailurePolicy::Collect };
    let armed = arm(plan, None, Timestamp::ZERO).expect("nothing is armed");
    let (mut barrier, mut written, mut fired) = (armed.barrier, 0, Vec::new());
    let begin = std::time::Instant::now();
    for member in armed.members.into_iter().rev() {
        let (mut barriers, mut rows) = (Rows::default(), Rows::default());
        let (own, of) = (member.key, barrier.key);
        rows.load(member);
        barriers.load(barrier);
        let input = BarrierInput::Settle(own, MemberOutcome::Done(Value::Null));
        let row = barriers.edit(&of).expect("loaded");
        let closing = row.handle(&mut rows, &input, Timestamp::ZERO).expect("it ends once");
        fired.extend(closing);
        let mut changed = barriers.into_changed(&mut 0).updated;
        written += rows.into_changed(&mut 0).updated.len() + changed.len();
        barrier = changed.pop().expect("its count has changed");
    }
    let message = MessageKey::single(Kind::Continue, RUN, Generation(1));
    assert_eq!(fired, [Closing::Continue(message)]);
    (begin.elapsed(), written)
}

#[test]
fn a_hundred_thousand_members_are_linear() {
    let (small, written) = drained(10_000);
    assert_eq!(written, 20_000, "a member costs its row and the barrier's");
    let (large, written) = drained(100_000);
    assert_eq!(written, 200_000);
    // Ten times the members; quadratic cost would be a hundred times. The slack is the machine's.
    assert!(large < small * 40 + Duration::from_millis(200), "{small:?} grew to {large:?}");
}
