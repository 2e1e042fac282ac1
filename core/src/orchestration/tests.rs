use alloc::collections::BTreeMap;

use super::laws;
use super::*;
use crate::catalogue::LawId;
use crate::definition::{Prepared, Transport, Work};
use crate::execution;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::submit::{Submission, submit};
use crate::table::check_table;
use crate::unit::Unit;

const LEASE: Span = Span::from_secs(10);
const ONE: Generation = Generation(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn token(number: u64) -> FencingToken {
    FencingToken(number)
}

/// A workflow's execution under way, with this many retries.
fn running(retries: u32) -> Execution {
    let mut policy = Policy::DEFAULT;
    policy.retry.count = retries;
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
    let mut unit = Unit::new(at(0), Settings::DEFAULT, Transport::Postgres, 7..9, 0);
    let submission = Submission { prepared, idempotency: None, retry_of: None, wishes: [].into() };
    submit(&mut unit, submission).expect("an empty store takes it");
    let mut execution = unit.execution(ExecutionId(7)).expect("submitted").clone();
    execution.handle(&ExecutionInput::Claim(None, Span::ZERO), at(0)).expect("it is ready");
    execution
}

/// A claim in this state, taken once at 0 s unless it is free.
fn claim(state: OrchestrationState) -> Orchestration {
    let mut claim = Orchestration::new(ExecutionId(7), ONE);
    let mut tell = |input| claim.handle(input, at(0)).expect("a legal input");
    match state {
        Free => {}
        Held => tell(In::Claim(ONE, LEASE)),
        Done => {
            tell(In::Claim(ONE, LEASE));
            tell(In::Finish(token(1)));
        }
    }
    assert_eq!(claim.state, state);
    claim
}

fn judged(claim: &mut Orchestration, input: In, now: Timestamp) -> Result<(), Refusal> {
    let before = claim.clone();
    let answer = claim.handle(input, now);
    assert_eq!(laws::holder(&before, input, answer.is_ok(), claim), Ok(()));
    if matches!(input, In::Claim(..)) {
        let settled = settle(answer, now);
        assert_eq!(laws::check(claim, answer, settled.as_ref()), Ok(()));
    }
    answer
}

#[test]
fn the_table_is_whole() {
    check_table(Free, OrchestrationState::ALL, TRANSITIONS, &[Done]);
    assert!(diagram().contains("held --> free: fail, or lease over"));
}

#[test]
fn every_input_meets_every_state() {
    use Refusal::{Busy, Illegal, NotDue};
    let again = || In::Claim(ONE, LEASE);
    let stale = |presented| Refusal::Stale { presented: Generation(presented), current: ONE };
    let fenced = |presented, current| Refusal::Fenced {
        presented: token(presented),
        current: token(current),
    };
    let done = || Refusal::Done;
    // now  state  input            becomes
    let table = [
        (5, Free, again(), Ok(Held)),
        (5, Free, In::Claim(Generation(0), LEASE), Err(stale(0))),
        (5, Free, In::Claim(Generation(2), LEASE), Err(stale(2))),
        (5, Free, In::Restart(Generation(2)), Ok(Free)),
        (5, Free, In::Restart(ONE), Err(done())),
        (5, Free, In::Restart(Generation(0)), Err(stale(0))),
        (5, Free, In::Renew(token(0), LEASE), Err(fenced(0, 0))),
        (5, Free, In::Finish(token(0)), Err(fenced(0, 0))),
        (5, Free, In::Fail(token(0)), Err(fenced(0, 0))),
        (5, Free, In::Expire, Err(Illegal(Free))),
        (5, Free, In::Close, Ok(Done)),
        (5, Held, again(), Err(Busy(at(10)))),
        (10, Held, again(), Ok(Held)),
        (5, Held, In::Restart(Generation(2)), Ok(Free)),
        (5, Held, In::Renew(token(1), LEASE), Ok(Held)),
        (99, Held, In::Renew(token(1), LEASE), Ok(Held)),
        (5, Held, In::Renew(token(2), LEASE), Err(fenced(2, 1))),
        (5, Held, In::Finish(token(1)), Ok(Done)),
        (5, Held, In::Finish(token(0)), Err(fenced(0, 1))),
        (5, Held, In::Fail(token(1)), Ok(Free)),
        (5, Held, In::Fail(token(0)), Err(fenced(0, 1))),
        (5, Held, In::Expire, Err(NotDue(at(10)))),
        (10, Held, In::Expire, Ok(Free)),
        (5, Held, In::Close, Ok(Done)),
        (5, Done, again(), Err(done())),
        (99, Done, again(), Err(done())),
        (5, Done, In::Restart(Generation(2)), Ok(Free)),
        (5, Done, In::Renew(token(1), LEASE), Err(done())),
        (5, Done, In::Finish(token(1)), Err(done())),
        (5, Done, In::Finish(token(2)), Err(fenced(2, 1))),
        (5, Done, In::Fail(token(1)), Err(done())),
        (99, Done, In::Expire, Err(done())),
        (5, Done, In::Close, Err(done())),
    ];
    for (now, state, input, expected) in table {
        let mut row = claim(state);
        let became = judged(&mut row, input, at(now)).map(|()| row.state);
        assert_eq!(became, expected, "{state} {input:?}");
    }
}

#[test]
fn a_dead_holder_is_taken_over_and_finds_itself_fenced() {
    let mut row = claim(Held);
    assert_eq!(judged(&mut row, In::Renew(token(1), LEASE), at(8)), Ok(()));
    assert_eq!(judged(&mut row, In::Claim(ONE, LEASE), at(17)), Err(Refusal::Busy(at(18))));
    assert_eq!(judged(&mut row, In::Claim(ONE, LEASE), at(18)), Ok(()));
    assert_eq!((row.token(), row.failures), (token(2), 1));
    let fenced = Refusal::Fenced { presented: token(1), current: token(2) };
    for input in [In::Renew(token(1), LEASE), In::Finish(token(1)), In::Fail(token(1))] {
        assert_eq!(judged(&mut row, input, at(19)), Err(fenced));
    }
    // A newer generation fences the holder of the older one as well.
    assert_eq!(judged(&mut row, In::Restart(Generation(2)), at(20)), Ok(()));
    assert!(judged(&mut row, In::Finish(token(2)), at(20)).is_err());
    assert_eq!((row.state, row.failures), (Free, 0));
}

#[test]
fn busy_is_not_done() {
    let stale = |presented, current| Refusal::Stale {
        presented: Generation(presented),
        current: Generation(current),
    };
    let fenced = Refusal::Fenced { presented: token(1), current: token(2) };
    let pause = |seconds| Some(Settle::Delay(Span::from_secs(seconds)));
    let table = [
        (Ok(()), None),
        (Err(Refusal::Busy(at(10))), pause(7)),
        (Err(Refusal::NotDue(at(3))), pause(1)),
        (Err(Refusal::Done), Some(Settle::Ack)),
        (Err(stale(1, 2)), Some(Settle::Ack)),
        (Err(stale(2, 1)), pause(1)),
        (Err(fenced), pause(1)),
        (Err(Refusal::Illegal(Free)), pause(1)),
    ];
    for (answer, expected) in table {
        assert_eq!(settle(answer, at(4)), expected, "{answer:?}");
    }
}

#[test]
fn a_failure_is_one_step_with_the_executions_status() {
    let (mut row, mut execution) = (claim(Held), running(1));
    let attempt = execution.token();
    // Neither row moves unless both do.
    let before = (row.clone(), execution.clone());
    let stale = fail(&mut row, &mut execution, (token(9), attempt), 0, at(1));
    assert!(matches!(stale, Err(FailRefusal::Claim(Refusal::Fenced { .. }))));
    let stale = fail(&mut row, &mut execution, (token(1), token(9)), 0, at(1));
    assert!(matches!(stale, Err(FailRefusal::Execution(execution::Refusal::Fenced { .. }))));
    assert_eq!((&row, &execution), (&before.0, &before.1));
    // With attempts left it is free, and the execution on its way back.
    let left = fail(&mut row, &mut execution, (token(1), attempt), 0, at(1));
    assert_eq!((left, row.state), (Ok(Status::Backoff), Free));
    assert_eq!(laws::closed_with(&row, &execution), Ok(()));
    assert!(fail(&mut row, &mut execution, (token(1), attempt), 0, at(1)).is_err());
    // Without, it is closed with it.
    let (mut row, mut execution) = (claim(Held), running(0));
    let left = fail(&mut row, &mut execution, (token(1), attempt), 0, at(1));
    assert_eq!((left, row.state), (Ok(Status::Failed), Done));
    assert_eq!(laws::closed_with(&row, &execution), Ok(()));
}

#[test]
fn planted_violations_are_seen() {
    let (free, held, done) = (claim(Free), claim(Held), claim(Done));
    let busy = Err(Refusal::Busy(at(10)));
    let told = |claim: &Orchestration, answer, settle: Option<Settle>| {
        laws::check(claim, answer, settle.as_ref()).err().map(|violation| violation.law)
    };
    // Acknowledged or parked while somebody is busy; settled before the work.
    assert_eq!(told(&held, busy, Some(Settle::Ack)), Some(LawId::S11));
    assert_eq!(told(&held, busy, Some(Settle::Park("busy".into()))), Some(LawId::S28));
    assert_eq!(told(&held, busy, None), Some(LawId::S11));
    assert_eq!(told(&done, Err(Refusal::Done), Some(Settle::Ack)), None);
    // An older holder is obeyed; a token is given twice; a refusal writes; done is undone.
    let seen = |before: &Orchestration, input, accepted, after: &Orchestration| {
        laws::holder(before, input, accepted, after).err().map(|violation| violation.law)
    };
    assert_eq!(seen(&held, In::Finish(token(1)), true, &done), None);
    assert_eq!(seen(&held, In::Finish(token(0)), true, &done), Some(LawId::S5));
    assert_eq!(seen(&held, In::Finish(token(1)), false, &done), Some(LawId::S5));
    assert_eq!(seen(&held, In::Claim(ONE, LEASE), true, &held), Some(LawId::S5));
    assert_eq!(seen(&held, In::Expire, true, &free), Some(LawId::S5));
    let undone = Orchestration { claims: 1, ..free.clone() };
    assert_eq!(seen(&done, In::Expire, true, &undone), Some(LawId::S6));
    // The execution is over and its claim can be taken.
    let mut over = running(0);
    over.status = Status::Failed;
    assert!(laws::closed_with(&free, &over).is_err());
}
