//! Effects under random senders that crash at every place, and a receiver that counts: planned
//! with the final status, delivered once, and always under one key.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use steadfast_core::effect::laws::{self, Change};
use steadfast_core::effect::{
    Effect, EffectInput, EffectKey, EffectKind, EffectState, Notice, Refusal, Target, Trigger,
    Wish, plan, take,
};
use steadfast_core::unit::Rows;
use steadfast_core::{
    ActionRef, Attempt, Backoff, ExecutionId, FencingToken, Generation, RetryPolicy, Span, Status,
    Timestamp,
};

const LEASE: Span = Span::from_secs(10);
const RUN: ExecutionId = ExecutionId(7);

const RETRY: RetryPolicy = RetryPolicy {
    count: 2,
    delay: Span::from_secs(3),
    backoff: Backoff::Exponential,
    max_delay: None,
    jitter_permille: 200,
};

#[derive(Clone, Debug)]
enum Step {
    /// Somebody reports an end; whoever comes second is refused by the status.
    End(usize),
    /// The run is started anew, under the next generation.
    Restart,
    Wait(u64),
    Take {
        sender: usize,
        quantity: u32,
    },
    /// A sender calls the receiver with one of the tokens that it ever had, and may die after.
    Call {
        sender: usize,
        nth: usize,
        reports: bool,
    },
    Report {
        sender: usize,
        nth: usize,
        how: u8,
    },
    Sweep,
    Abandon(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..Status::ALL.len()).prop_map(Step::End),
        1 => Just(Step::Restart),
        3 => (1..15u64).prop_map(Step::Wait),
        4 => (0..2usize, 1..4u32).prop_map(|(sender, quantity)| Step::Take { sender, quantity }),
        4 => (0..2usize, 0..4usize, any::<bool>())
            .prop_map(|(sender, nth, reports)| Step::Call { sender, nth, reports }),
        4 => (0..2usize, 0..4usize, 0..4u8)
            .prop_map(|(sender, nth, how)| Step::Report { sender, nth, how }),
        2 => Just(Step::Sweep),
        1 => (0..6usize).prop_map(Step::Abandon),
    ]
}

/// The ledger, the run's status, two senders and the receiver outside.
struct World {
    now: u64,
    status: Status,
    generation: Generation,
    effects: BTreeMap<EffectKey, Effect>,
    tokens: [Vec<(EffectKey, FencingToken)>; 2],
    /// What the receiver knows, by idempotency key.
    received: BTreeSet<String>,
    /// How often each effect became delivered.
    delivered: BTreeMap<EffectKey, u32>,
    /// The end that each generation had.
    ends: BTreeMap<Generation, Status>,
}

fn wishes() -> Vec<Wish> {
    let wish = |trigger, kind, target| Wish { trigger, kind, target: Target::new(target) };
    vec![
        wish(Trigger::Completed, EffectKind::Billing, "acme"),
        wish(Trigger::Unsuccessful, EffectKind::Notification, "on call"),
        wish(Trigger::Ended, EffectKind::Webhook, "https://a.example"),
        wish(Trigger::Ended, EffectKind::Webhook, "https://b.example"),
        wish(Trigger::Ended, EffectKind::Webhook, "https://a.example"),
    ]
}

impl World {
    fn new() -> Self {
        Self {
            now: 0,
            status: Status::Running,
            generation: Generation(1),
            effects: BTreeMap::new(),
            tokens: [Vec::new(), Vec::new()],
            received: BTreeSet::new(),
            delivered: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now * 1_000_000)
    }

    fn tell(&mut self, key: &EffectKey, input: &EffectInput) -> Result<(), Refusal> {
        let now = self.now();
        let before = self.effects[key].clone();
        let mut after = before.clone();
        let answer = after.handle(input, now);
        let change =
            Change { before: &before, input, accepted: answer.is_ok(), after: &after, now };
        assert_eq!(laws::check(&change), Ok(()));
        let mut again = after.clone();
        assert!(again.handle(input, now).is_err(), "{input:?} does something twice");
        assert_eq!(again, after);
        if answer.is_ok() && after.state == EffectState::Delivered {
            *self.delivered.entry(key.clone()).or_default() += 1;
        }
        self.effects.insert(key.clone(), after);
        answer
    }

    /// The status and what follows from it are one commit.
    fn end(&mut self, status: Status) {
        if self.status.is_terminal() || !status.is_terminal() {
            return;
        }
        self.status = status;
        self.ends.insert(self.generation, status);
        let notice = Notice {
            action: ActionRef::new("demo.echo"),
            status,
            attempt: Attempt(1),
            error: None,
            ended_at: self.now(),
        };
        let planned = plan((RUN, self.generation), &notice, &wishes(), RETRY, self.now());
        for effect in planned {
            assert!(self.effects.insert(effect.key.clone(), effect).is_none());
        }
    }

    fn nth(&self, sender: usize, nth: usize) -> Option<(EffectKey, FencingToken)> {
        self.tokens[sender].iter().rev().nth(nth).cloned()
    }

    fn take(&mut self, sender: usize, quantity: u32) {
        let mut rows = Rows::default();
        self.effects.values().cloned().for_each(|effect| rows.load(effect));
        let taken = take(&mut rows, quantity, LEASE, self.now, self.now());
        assert!(taken.len() <= quantity as usize);
        for (key, token) in &taken {
            let silent = self.effects[key].state == EffectState::Sending;
            if silent {
                assert_eq!(self.tell(key, &EffectInput::Expire { entropy: self.now }), Ok(()));
            }
            assert_eq!(self.tell(key, &EffectInput::Send(LEASE)), Ok(()));
            assert_eq!(self.effects[key].token(), *token);
        }
        for row in rows.iter() {
            // What was found silent and may not be sent yet has changed as well.
            self.effects.insert(row.key.clone(), row.clone());
        }
        self.tokens[sender].extend(taken);
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::End(status) => self.end(Status::ALL[status]),
            Step::Restart if self.status.is_terminal() => {
                self.generation = Generation(self.generation.0 + 1);
                self.status = Status::Running;
            }
            Step::Restart => {}
            Step::Wait(seconds) => self.now += seconds,
            Step::Take { sender, quantity } => self.take(sender, quantity),
            Step::Call { sender, nth, reports } => {
                let Some((key, token)) = self.nth(sender, nth) else { return };
                // Nothing can stop a paused sender from calling; the key makes it harmless.
                self.received.insert(key.idempotency_key());
                if reports {
                    let _ = self.tell(&key, &EffectInput::Deliver(token));
                }
            }
            Step::Report { sender, nth, how } => {
                let Some((key, token)) = self.nth(sender, nth) else { return };
                let error = String::from("503");
                let input = match how {
                    0 => EffectInput::Release(token),
                    how => EffectInput::Fail {
                        token,
                        error,
                        lasting: how == 1,
                        after: None,
                        entropy: self.now,
                    },
                };
                let _ = self.tell(&key, &input);
            }
            Step::Sweep => {
                for key in self.effects.keys().cloned().collect::<Vec<_>>() {
                    let _ = self.tell(&key, &EffectInput::Expire { entropy: self.now });
                }
            }
            Step::Abandon(nth) => {
                if let Some(key) = self.effects.keys().nth(nth).cloned() {
                    let _ = self.tell(&key, &EffectInput::Abandon("parked".into()));
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        let all = self.effects.values();
        assert_eq!(laws::unique(all.clone()), Ok(()));
        assert_eq!(laws::agree(self.status, self.generation, all.clone()), Ok(()));
        for (generation, status) in &self.ends {
            let own: Vec<&Effect> =
                all.clone().filter(|e| e.key.generation == *generation).collect();
            assert_eq!(laws::agree(*status, *generation, own.iter().copied()), Ok(()));
            let owed = laws::whole(*status, *generation, &wishes(), own.iter().copied());
            assert_eq!(owed, Ok(()));
            // No end is without its effects: 2 hooks, and a bill or a notice.
            assert_eq!(own.len(), 3, "{status} without its effects");
        }
        for effect in all {
            assert!(effect.failures <= RETRY.count + 1);
            let delivered = self.delivered.get(&effect.key).copied().unwrap_or_default();
            assert_eq!(delivered, u32::from(effect.state == EffectState::Delivered));
            let known = self.received.contains(&effect.key.idempotency_key());
            assert!(known || delivered == 0, "{} is delivered and nobody has it", effect.key);
        }
    }

    /// Faults stop: what is planned is sent, whoever had it before.
    fn heal(&mut self) {
        for _ in 0..8 {
            self.now += 61;
            let from = self.tokens[0].len();
            self.take(0, 99);
            for nth in (0..self.tokens[0].len() - from).rev() {
                self.run(&Step::Call { sender: 0, nth, reports: true });
            }
        }
        for effect in self.effects.values() {
            let over = matches!(effect.state, EffectState::Delivered | EffectState::GaveUp);
            assert!(over, "{} is {} for ever", effect.key, effect.state);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_of_effects_hold(steps in prop::collection::vec(step(), 1..100)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.run(step));
        world.heal();
    }

    #[test]
    fn a_plan_depends_on_status_and_generation_alone(
        status in prop::sample::select(Status::ALL.to_vec()),
        generation in 0..9u32,
        now in 0..99u64,
        count in 0..5u32,
    ) {
        let about = (RUN, Generation(generation));
        let retry = RetryPolicy { count, ..RETRY };
        let notice = |status| Notice {
            action: ActionRef::new("demo.echo"),
            status,
            attempt: Attempt(1),
            error: None,
            ended_at: Timestamp::ZERO,
        };
        let planned = plan(about, &notice(status), &wishes(), retry, Timestamp::from_micros(now));
        let keys = |planned: &[Effect]| planned.iter().map(|e| e.key.clone()).collect::<Vec<_>>();
        let again = plan(about, &notice(status), &wishes(), RETRY, Timestamp::ZERO);
        prop_assert_eq!(keys(&planned), keys(&again));
        let bill = planned.iter().any(|effect| effect.key.kind == EffectKind::Billing);
        prop_assert_eq!(bill, status == Status::Completed);
    }
}
