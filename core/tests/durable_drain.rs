//! A transport is drained while runs are submitted, end and leave messages: nothing is stranded on
//! it, nothing changes its transport, and the drain ends when the last of it does.

use std::collections::BTreeMap;

use proptest::prelude::*;
use steadfast_core::definition::{Prepared, Work};
use steadfast_core::drain::{Drain, DrainInput, DrainState, Left, laws};
use steadfast_core::execution::{Execution, ExecutionInput};
use steadfast_core::message::{Hold, Kind, Message, MessageInput, MessageKey, MessageState, take};
use steadfast_core::settings::Settings;
use steadfast_core::submit::{Submission, submit};
use steadfast_core::unit::{Rows, Unit};
use steadfast_core::{ExecutionId, Generation, MessageId, Policy, Span, Timestamp, Transport};

const HOLD: Hold = Hold { lease: Span::from_secs(10), limit: None };
const TRANSPORTS: [Transport; 2] = [Transport::Rabbitmq, Transport::Postgres];

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit { transport: usize, child_of: Option<usize> },
    End(usize),
    Consume { transport: usize, ack: bool },
    Begin(usize),
    Count(usize),
    Resume(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2usize, prop::option::of(0..9usize))
            .prop_map(|(transport, child_of)| Step::Submit { transport, child_of }),
        5 => (0..9usize).prop_map(Step::End),
        5 => (0..2usize, prop::bool::weighted(0.8))
            .prop_map(|(transport, ack)| Step::Consume { transport, ack }),
        1 => (0..2usize).prop_map(Step::Begin),
        3 => (0..2usize).prop_map(Step::Count),
        1 => (0..2usize).prop_map(Step::Resume),
    ]
}

struct World {
    drains: [Drain; 2],
    executions: BTreeMap<ExecutionId, Execution>,
    messages: BTreeMap<MessageId, Message>,
}

fn prepared() -> Prepared {
    Prepared {
        action: "demo.flow".into(),
        definition: "hash".into(),
        work: Work::Workflow,
        selector: BTreeMap::new(),
        queue: "demo.flow".into(),
        limit: None,
        policy: Policy::DEFAULT,
        parameters: serde_json::Value::Null,
    }
}

impl World {
    fn new() -> Self {
        Self {
            drains: TRANSPORTS.map(|transport| Drain::new(transport, Timestamp::ZERO)),
            executions: BTreeMap::new(),
            messages: BTreeMap::new(),
        }
    }

    fn submit(&mut self, transport: usize, child_of: Option<usize>) {
        let parent = child_of.and_then(|nth| self.executions.values().nth(nth));
        let parent = parent.filter(|parent| !parent.status.is_terminal());
        // A child is carried like its run, whatever is configured now.
        let carried = parent.map_or(TRANSPORTS[transport], |parent| parent.transport);
        let drain = self.drains.iter().find(|drain| drain.transport == carried);
        if drain.is_none_or(|drain| drain.admit(parent.is_some()).is_err()) {
            return;
        }
        let id = self.executions.len() as u64 + 1;
        let ids = id..id + 1;
        let mut unit = Unit::new(Timestamp::ZERO, Settings::DEFAULT, carried, ids, 0);
        let submission = Submission {
            prepared: prepared(),
            idempotency: None,
            retry_of: None,
            wishes: Vec::new(),
        };
        submit(&mut unit, submission).expect("an empty queue takes it");
        let execution = unit.execution(ExecutionId(id)).expect("submitted").clone();
        let key = MessageKey::single(Kind::Orchestrate, execution.id, Generation(1));
        let message = Message::new(MessageId(id), key, carried, Timestamp::ZERO);
        self.messages.insert(message.id, message);
        self.executions.insert(execution.id, execution);
    }

    fn end(&mut self, nth: usize) {
        let Some(execution) = self.executions.values_mut().nth(nth) else { return };
        let before = execution.clone();
        let _ = execution.handle(&ExecutionInput::Cancel(Timestamp::ZERO), Timestamp::ZERO);
        assert_eq!(laws::pinned(&before, execution), Ok(()));
    }

    fn consume(&mut self, transport: usize, ack: bool) {
        if !self.drains[transport].needs_consumers() {
            return;
        }
        let mut rows = Rows::default();
        self.messages.values().cloned().for_each(|message| rows.load(message));
        let taken = take(&mut rows, TRANSPORTS[transport], 1, HOLD, Timestamp::ZERO);
        for receipt in taken.receipts {
            let message = self.messages.get_mut(&receipt.message).expect("it was taken");
            let execution = &self.executions[&message.key.execution];
            assert_eq!(message.transport, TRANSPORTS[transport], "consumed elsewhere");
            assert_eq!(laws::carried(message, execution), Ok(()));
            let claimed = message.handle(&MessageInput::Claim(HOLD), Timestamp::ZERO);
            assert_eq!(claimed, Ok(None));
            let input = if ack {
                MessageInput::Ack(receipt)
            } else {
                MessageInput::Reject(receipt, "unknown".into())
            };
            let parked = message.handle(&input, Timestamp::ZERO).expect("it is held");
            assert_eq!(parked.is_some(), !ack);
        }
    }

    fn left(&self, transport: usize) -> Left {
        Left::count(TRANSPORTS[transport], self.executions.values(), self.messages.values())
    }

    fn run(&mut self, step: Step) {
        let now = Timestamp::ZERO;
        match step {
            Step::Submit { transport, child_of } => self.submit(transport, child_of),
            Step::End(nth) => self.end(nth),
            Step::Consume { transport, ack } => self.consume(transport, ack),
            Step::Begin(transport) => {
                let _ = self.drains[transport].handle(DrainInput::Begin, now);
            }
            Step::Count(transport) => {
                let left = self.left(transport);
                let _ = self.drains[transport].handle(DrainInput::Count(left), now);
            }
            Step::Resume(transport) => {
                let _ = self.drains[transport].handle(DrainInput::Resume, now);
            }
        }
        for drain in &self.drains {
            let judged = laws::check(drain, self.executions.values(), self.messages.values());
            assert_eq!(judged, Ok(()));
        }
    }

    /// Everything on a draining transport ends; then so does the drain, with what was parked still
    /// listed.
    fn heal(&mut self) {
        self.run(Step::Resume(0));
        self.run(Step::Begin(0));
        for nth in 0..self.executions.len() {
            self.run(Step::End(nth));
            self.run(Step::Consume { transport: 0, ack: true });
        }
        let parked = |message: &&Message| {
            message.state == MessageState::Parked && message.transport == TRANSPORTS[0]
        };
        let parked = self.messages.values().filter(parked).count() as u64;
        assert_eq!(self.left(0), Left { executions: 0, messages: 0, parked });
        self.run(Step::Count(0));
        assert_eq!(self.drains[0].state, DrainState::Drained);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_stranded_on_a_drained_transport(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.run(step));
        world.heal();
    }
}
