//! The orchestration of one execution by two planners that crash, stall and come back, with the
//! message that asks for it: while there is something to plan, the message is there.

use std::collections::BTreeMap;

use proptest::prelude::*;
use steadfast_core::decision::Settle;
use steadfast_core::definition::{Prepared, Work};
use steadfast_core::execution::{Execution, ExecutionInput};
use steadfast_core::message::{Hold, Kind, Message, MessageInput, MessageKey, Receipt};
use steadfast_core::orchestration::{
    Orchestration, OrchestrationInput, OrchestrationState, Refusal, fail, laws, settle,
};
use steadfast_core::settings::Settings;
use steadfast_core::submit::{Submission, submit};
use steadfast_core::unit::Unit;
use steadfast_core::{
    ExecutionId, FencingToken, Generation, MessageId, Policy, Span, Status, Timestamp, Transport,
};

const LEASE: Span = Span::from_secs(10);
const HOLD: Hold = Hold { lease: Span::from_secs(12), limit: None };
const GENERATION: Generation = Generation(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    /// A planner takes the message if it is due, and asks for the claim.
    Deliver(usize),
    /// The broker delivers a copy that nobody asked for.
    Duplicate(usize),
    Renew(usize),
    Finish(usize),
    Fail(usize),
    Crash(usize),
    Sweep,
    Cancel,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..15u64).prop_map(Step::Wait),
        4 => (0..2usize).prop_map(Step::Deliver),
        1 => (0..2usize).prop_map(Step::Duplicate),
        1 => (0..2usize).prop_map(Step::Renew),
        1 => (0..2usize).prop_map(Step::Finish),
        3 => (0..2usize).prop_map(Step::Fail),
        1 => (0..2usize).prop_map(Step::Crash),
        1 => Just(Step::Sweep),
        1 => Just(Step::Cancel),
    ]
}

/// What a planner believes.
#[derive(Clone, Copy, Debug, Default)]
struct Planner {
    receipt: Option<Receipt>,
    claim: Option<FencingToken>,
    attempt: Option<FencingToken>,
}

struct World {
    now: u64,
    claim: Orchestration,
    execution: Execution,
    message: Message,
    planners: [Planner; 2],
    /// How often the run was planned to the end.
    planned: u32,
}

fn execution() -> Execution {
    let mut policy = Policy::DEFAULT;
    policy.retry.count = 2;
    let prepared = Prepared {
        action: "demo.flow".into(),
        definition: "hash".into(),
        work: Work::Workflow,
        selector: BTreeMap::new(),
        queue: "demo.flow".into(),
        limit: None,
        policy,
        parameters: serde_json::Value::Null,
    };
    let mut unit = Unit::new(Timestamp::ZERO, Settings::DEFAULT, Transport::Embedded, 7..9, 0);
    let submission = Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
    submit(&mut unit, submission).expect("an empty store takes it");
    unit.execution(ExecutionId(7)).expect("submitted").clone()
}

impl World {
    fn new() -> Self {
        let id = ExecutionId(7);
        let key = MessageKey::single(Kind::Orchestrate, id, GENERATION);
        let mut message = Message::new(MessageId(1), key, Transport::Embedded, Timestamp::ZERO);
        // Crashes of planners are the subject here, not the message's own budget.
        message.retry.count = u32::MAX;
        Self {
            now: 0,
            claim: Orchestration::new(id, GENERATION),
            execution: execution(),
            message,
            planners: [Planner::default(); 2],
            planned: 0,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now * 1_000_000)
    }

    fn tell(&mut self, input: OrchestrationInput) -> Result<(), Refusal> {
        let now = self.now();
        let before = self.claim.clone();
        let answer = self.claim.handle(input, now);
        assert_eq!(laws::holder(&before, input, answer.is_ok(), &self.claim), Ok(()));
        answer
    }

    /// The execution goes on as it would: back into line, into a slot, under way.
    fn let_run(&mut self) {
        let now = self.now();
        for input in [
            ExecutionInput::Retry,
            ExecutionInput::Admit { order: None, unschedulable_at: None },
            ExecutionInput::Claim(None, Span::ZERO),
        ] {
            let _ = self.execution.handle(&input, now);
        }
    }

    fn deliver(&mut self, planner: usize) {
        let now = self.now();
        let _ = self.message.handle(&MessageInput::Rearm, now);
        if self.message.handle(&MessageInput::Claim(HOLD), now).is_ok() {
            let receipt = self.message.receipt();
            self.ask(planner, receipt);
        }
    }

    /// Asks for the claim, and does with the message what the answer says.
    fn ask(&mut self, planner: usize, receipt: Option<Receipt>) {
        let now = self.now();
        self.let_run();
        let answer = self.tell(OrchestrationInput::Claim(GENERATION, LEASE));
        let settled = settle(answer, now);
        assert_eq!(laws::check(&self.claim, answer, settled.as_ref()), Ok(()));
        let input = match (settled, receipt) {
            (None, receipt) => {
                let claim = Some(self.claim.token());
                let attempt = Some(self.execution.token());
                self.planners[planner] = Planner { receipt, claim, attempt };
                receipt.map(MessageInput::Start)
            }
            (Some(Settle::Ack), Some(receipt)) => Some(MessageInput::Ack(receipt)),
            (Some(Settle::Delay(span)), Some(receipt)) => Some(MessageInput::Delay(receipt, span)),
            (Some(Settle::Park(_)), _) => panic!("nothing here is poison"),
            (Some(_), None) => None,
        };
        if let Some(input) = input {
            assert_eq!(self.message.handle(&input, now), Ok(None));
        }
    }

    /// What a planner does when its plan is committed: claim and message in one commit.
    fn finish(&mut self, planner: usize) {
        let Planner { receipt, claim: Some(token), .. } = self.planners[planner] else { return };
        if self.tell(OrchestrationInput::Finish(token)).is_ok() {
            self.planned += 1;
            if let Some(receipt) = receipt {
                let _ = self.message.handle(&MessageInput::Ack(receipt), self.now());
            }
        }
        assert!(self.tell(OrchestrationInput::Finish(token)).is_err(), "finished twice");
        self.planners[planner] = Planner::default();
    }

    fn fail(&mut self, planner: usize) {
        let believed = self.planners[planner];
        let (Some(token), Some(attempt)) = (believed.claim, believed.attempt) else { return };
        let now = self.now();
        let before = (self.claim.clone(), self.execution.clone());
        let answer = fail(&mut self.claim, &mut self.execution, (token, attempt), 1, now);
        match answer {
            Ok(status) => {
                let free = self.claim.state == OrchestrationState::Free;
                assert_eq!(free, !status.is_terminal(), "one step with the status");
            }
            Err(_) => assert_eq!((&self.claim, &self.execution), (&before.0, &before.1)),
        }
        self.planners[planner] = Planner::default();
    }

    fn cancel(&mut self) {
        let now = self.now();
        let token = self.execution.token();
        let _ = self.execution.handle(&ExecutionInput::Cancel(now), now);
        let _ = self.execution.handle(&ExecutionInput::CancelOverdue(token), now);
        // The end of an execution closes its claim in the same commit.
        if self.execution.status.is_terminal() {
            let _ = self.tell(OrchestrationInput::Close);
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => self.now += seconds,
            Step::Deliver(planner) => self.deliver(planner),
            Step::Duplicate(planner) => self.ask(planner, None),
            Step::Renew(planner) => {
                if let Some(token) = self.planners[planner].claim {
                    let _ = self.tell(OrchestrationInput::Renew(token, LEASE));
                }
            }
            Step::Finish(planner) => self.finish(planner),
            Step::Fail(planner) => self.fail(planner),
            Step::Crash(planner) => self.planners[planner] = Planner::default(),
            Step::Sweep => {
                let _ = self.tell(OrchestrationInput::Expire);
                let now = self.now();
                let _ = self.message.handle(&MessageInput::Rearm, now);
            }
            Step::Cancel => self.cancel(),
        }
        self.check();
    }

    fn check(&self) {
        assert_eq!(laws::closed_with(&self.claim, &self.execution), Ok(()));
        let done = self.claim.state == OrchestrationState::Done;
        assert!(done || self.message.state.is_live(), "the last handle of the run is gone");
        assert!(self.planned <= 1, "planned twice");
        assert!(self.execution.failures <= 3);
    }

    /// Faults stop: one planner goes on alone.
    fn heal(&mut self) {
        for _ in 0..20 {
            self.run(Step::Wait(61));
            self.run(Step::Deliver(0));
            self.run(Step::Finish(0));
        }
        assert_eq!(self.claim.state, OrchestrationState::Done);
        assert!(!self.message.state.is_live(), "the message comes again for ever");
        let stopped = self.execution.status.is_terminal();
        assert!(stopped || (self.execution.status == Status::Running && self.planned == 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_is_planned_once_and_its_message_stays_until_then(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.run(step));
        world.heal();
    }
}
