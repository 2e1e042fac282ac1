use alloc::collections::BTreeMap;

use super::laws;
use super::*;
use crate::definition::{Prepared, Work};
use crate::id::{ExecutionId, Generation, MessageId};
use crate::message::{Kind, MessageKey};
use crate::policy::Policy;
use crate::settings::Settings;
use crate::status::Status;
use crate::submit::{Submission, submit};
use crate::table::check_table;
use crate::unit::Unit;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn execution(transport: Transport, status: Status) -> Execution {
    let prepared = Prepared {
        action: "demo.flow".into(),
        definition: "hash".into(),
        work: Work::Workflow,
        selector: BTreeMap::new(),
        queue: "demo.flow".into(),
        limit: None,
        policy: Policy::DEFAULT,
        parameters: serde_json::Value::Null,
    };
    let mut unit = Unit::new(at(0), Settings::DEFAULT, transport, 7..9, 0);
    let submission = Submission { prepared, idempotency: None, retry_of: None, wishes: [].into() };
    submit(&mut unit, submission).expect("an empty store takes it");
    Execution { status, ..unit.execution(ExecutionId(7)).expect("submitted").clone() }
}

fn message(transport: Transport, state: MessageState) -> Message {
    let key = MessageKey::single(Kind::Ended, ExecutionId(7), Generation(1));
    Message { state, ..Message::new(MessageId(1), key, transport, at(0)) }
}

fn drain(state: DrainState) -> Drain {
    let mut drain = Drain::new(Transport::Rabbitmq, at(0));
    let inputs: &[DrainInput] = match state {
        Open => &[],
        Draining => &[DrainInput::Begin],
        Drained => {
            &[DrainInput::Begin, DrainInput::Count(Left { executions: 0, messages: 0, parked: 3 })]
        }
    };
    for input in inputs {
        drain.handle(*input, at(1)).expect("a legal input");
    }
    assert_eq!(drain.state, state);
    drain
}

#[test]
fn the_table_is_whole() {
    check_table(Open, DrainState::ALL, TRANSITIONS, &[]);
    assert!(diagram().contains("draining --> drained: nothing is left"));
}

#[test]
fn every_input_meets_every_state() {
    let left = |executions, messages| Left { executions, messages, parked: 1 };
    let count = |executions, messages| DrainInput::Count(left(executions, messages));
    let carrying = |executions, messages| Refusal::Carrying(left(executions, messages));
    let table = [
        (Open, DrainInput::Begin, Ok(Draining)),
        (Open, DrainInput::Resume, Err(Refusal::Done)),
        (Open, count(0, 0), Err(Refusal::Illegal(Open))),
        (Draining, DrainInput::Begin, Err(Refusal::Done)),
        (Draining, DrainInput::Resume, Ok(Open)),
        (Draining, count(1, 0), Err(carrying(1, 0))),
        (Draining, count(0, 1), Err(carrying(0, 1))),
        (Draining, count(0, 0), Ok(Drained)),
        (Drained, DrainInput::Begin, Err(Refusal::Done)),
        (Drained, DrainInput::Resume, Ok(Open)),
        (Drained, count(0, 0), Err(Refusal::Done)),
    ];
    for (state, input, expected) in table {
        let mut row = drain(state);
        let became = row.handle(input, at(2)).map(|()| row.state);
        assert_eq!(became, expected, "{state} {input:?}");
        assert!(became.is_ok() || row == drain(state), "{state} {input:?}");
    }
}

#[test]
fn only_what_is_carried_goes_on_while_it_drains() {
    // state      run    child  consumers
    let table =
        [(Open, true, true, true), (Draining, false, true, true), (Drained, false, false, false)];
    for (state, run, child, consumers) in table {
        let row = drain(state);
        let admits = (row.admit(false).is_ok(), row.admit(true).is_ok());
        assert_eq!((admits, row.needs_consumers()), ((run, child), consumers), "{state}");
    }
}

#[test]
fn what_is_left_is_counted_from_the_rows_of_that_transport() {
    let executions: alloc::vec::Vec<Execution> = Status::ALL
        .into_iter()
        .flat_map(|status| {
            [Transport::Rabbitmq, Transport::Postgres].map(|transport| execution(transport, status))
        })
        .collect();
    let messages: alloc::vec::Vec<Message> = MessageState::ALL
        .iter()
        .flat_map(|state| {
            [Transport::Rabbitmq, Transport::Postgres].map(|transport| message(transport, *state))
        })
        .collect();
    let left = Left::count(Transport::Rabbitmq, &executions, &messages);
    assert_eq!(left, Left { executions: 7, messages: 4, parked: 1 });
    assert!(!left.is_nothing());
    assert_eq!(Left::count(Transport::Embedded, &executions, &messages), Left::default());
}

#[test]
fn planted_violations_are_seen() {
    let row = drain(Drained);
    let running = execution(Transport::Rabbitmq, Status::Running);
    let over = execution(Transport::Rabbitmq, Status::Completed);
    let elsewhere = execution(Transport::Postgres, Status::Running);
    let parked = message(Transport::Rabbitmq, MessageState::Parked);
    let live = message(Transport::Rabbitmq, MessageState::Delayed);
    assert_eq!(laws::check(&row, [&over, &elsewhere], [&parked]), Ok(()));
    assert!(laws::check(&row, [&running], []).is_err());
    assert!(laws::check(&row, [], [&live]).is_err());
    assert_eq!(laws::check(&drain(Draining), [&running], [&live]), Ok(()));
    assert!(laws::pinned(&running, &elsewhere).is_err());
    assert_eq!(laws::pinned(&running, &over), Ok(()));
    assert!(laws::carried(&live, &elsewhere).is_err());
    assert_eq!(laws::carried(&live, &running), Ok(()));
}
