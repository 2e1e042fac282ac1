//! Two leaders that pause beyond their lease and act on what they read long ago: each due time of
//! a schedule fires once, and an outdated epoch writes nothing.

use proptest::prelude::*;
use steadfast_core::lease::{self, Duty, Epoch, Lease, LeaseInput};
use steadfast_core::schedule::{
    self, Firing, Plan, Schedule, ScheduleInput, ScheduleName, ScheduleState,
};
use steadfast_core::{Incarnation, Span, Timestamp, WorkerId};

const LEASE: Span = Span::from_secs(10);
const DRIFT: Span = Span::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Acquire(usize),
    Renew(usize),
    Resign(usize),
    /// A leader reads the due time.
    Read(usize),
    /// It fires for what it read, and for the time after it names this many seconds later.
    Fire {
        leader: usize,
        later: u64,
        last: bool,
    },
    Pause,
    Resume(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..9u64).prop_map(Step::Wait),
        2 => (0..2usize).prop_map(Step::Acquire),
        2 => (0..2usize).prop_map(Step::Renew),
        1 => (0..2usize).prop_map(Step::Resign),
        4 => (0..2usize).prop_map(Step::Read),
        5 => (0..2usize, 0..9u64, prop::bool::weighted(0.02))
            .prop_map(|(leader, later, last)| Step::Fire { leader, later, last }),
        1 => Just(Step::Pause),
        1 => (0..60u64).prop_map(Step::Resume),
    ]
}

#[derive(Clone, Copy, Debug, Default)]
struct Leader {
    epoch: Epoch,
    due: Option<Timestamp>,
}

struct World {
    now: u64,
    lease: Lease,
    schedule: Schedule,
    leaders: [Leader; 2],
    firings: Vec<Firing>,
}

impl World {
    fn new() -> Self {
        Self {
            now: 0,
            lease: Lease::new(Duty::Schedules),
            schedule: Schedule::new(
                ScheduleName::new("nightly"),
                Plan::every(Span::from_secs(5), "core.noop".into()),
                Timestamp::from_micros(5_000_000),
                Timestamp::ZERO,
            ),
            leaders: [Leader::default(); 2],
            firings: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now * 1_000_000)
    }

    fn lease(&mut self, input: &LeaseInput) -> bool {
        let now = self.now();
        let before = self.lease.clone();
        let answer = self.lease.handle(input, DRIFT, now);
        let accepted = answer.is_ok();
        let judged = lease::laws::check(&before, input, accepted, &self.lease, (DRIFT, now));
        assert_eq!(judged, Ok(()));
        let mut again = self.lease.clone();
        assert!(again.handle(input, DRIFT, now).is_err(), "{input:?} does something twice");
        assert_eq!(again, self.lease);
        accepted
    }

    fn tell(&mut self, input: ScheduleInput) {
        let now = self.now();
        let before = self.schedule.clone();
        let answer = self.schedule.handle(input, now);
        let firing = answer.as_ref().ok().and_then(Option::as_ref);
        assert!(answer.is_ok() || before == self.schedule);
        assert_eq!(schedule::laws::check(&before, firing, &self.schedule, now), Ok(()));
        let mut again = self.schedule.clone();
        assert!(again.handle(input, now).is_err(), "{input:?} does something twice");
        assert_eq!(again, self.schedule);
        self.firings.extend(answer.ok().flatten());
        assert_eq!(schedule::laws::fired_once(&self.firings), Ok(()));
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => self.now += seconds,
            Step::Acquire(leader) => {
                let process =
                    WorkerId { name: "engine".into(), incarnation: Incarnation(leader as u64) };
                if self.lease(&LeaseInput::Acquire(process, LEASE)) {
                    self.leaders[leader].epoch = self.lease.epoch;
                }
            }
            Step::Renew(leader) => {
                self.lease(&LeaseInput::Renew(self.leaders[leader].epoch, LEASE));
            }
            Step::Resign(leader) => {
                self.lease(&LeaseInput::Resign(self.leaders[leader].epoch));
            }
            Step::Read(leader) => self.leaders[leader].due = Some(self.schedule.due),
            Step::Fire { leader, later, last } => {
                let Leader { epoch, due: Some(due) } = self.leaders[leader] else { return };
                let next = (!last).then_some(due + Span::from_secs(later));
                let outdated = epoch < self.schedule.epoch;
                let before = self.firings.len();
                self.tell(ScheduleInput::Fire { due, next, epoch });
                assert!(!outdated || self.firings.len() == before, "an old leader fired");
            }
            Step::Pause => self.tell(ScheduleInput::Pause),
            Step::Resume(at) => {
                self.tell(ScheduleInput::Resume(Timestamp::from_micros(at * 1_000_000)));
            }
        }
    }

    /// Faults stop: a leader is found, and what is due fires.
    fn heal(&mut self) {
        self.run(Step::Resume(self.now + 1));
        self.run(Step::Wait(60));
        self.run(Step::Acquire(0));
        assert_eq!(self.leaders[0].epoch, self.lease.epoch, "nobody can lead any more");
        self.run(Step::Read(0));
        let before = self.firings.len();
        self.now = self.now.max(self.schedule.due.as_micros() / 1_000_000);
        self.run(Step::Fire { leader: 0, later: 5, last: false });
        let finished = self.schedule.state == ScheduleState::Finished;
        assert!(finished || self.firings.len() == before + 1, "it is due and does not fire");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_due_time_fires_once(steps in prop::collection::vec(step(), 1..100)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.run(step));
        world.heal();
    }
}
