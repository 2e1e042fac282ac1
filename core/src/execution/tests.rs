//! Every input at every status: what becomes of it, or why not.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::id::Incarnation;
use crate::policy::{OnLost, RetryPolicy};
use crate::status::Status::{
    Abandoned, Accepted, Backoff, Cancelled, Completed, Failed, Offered, Queued, Ready, Requested,
    Running, TimedOut,
};
use crate::time::Span;
use Ending as End;
use ExecutionInput as In;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const LATER: Timestamp = Timestamp::from_micros(2_000_000_000);
const MARGIN: Span = Span::from_secs(1);

fn worker(name: &str) -> WorkerId {
    WorkerId { name: name.into(), incarnation: Incarnation(1) }
}

/// An execution as it is in the middle of its second attempt, or between it and the next.
fn execution(status: Status) -> Execution {
    let live = status.has_live_attempt();
    Execution {
        id: ExecutionId(7),
        version: Version(3),
        action: "a.b".into(),
        definition: "1".into(),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        transport: Transport::Embedded,
        status,
        queue: "a.b".into(),
        order: (status != Requested).then_some(Order(4)),
        attempt: Attempt(2),
        failures: 1,
        losses: 0,
        worker: live.then(|| worker("ada")),
        excluded: Vec::new(),
        cancel_requested: false,
        wake_at: Some(NOW),
        policy: Policy {
            retry: RetryPolicy { count: 2, ..RetryPolicy::default() },
            ..Policy::DEFAULT
        },
        place: None,
        folded: false,
        retry_of: None,
        idempotency: None,
        created_at: Timestamp::ZERO,
        started_at: None,
        ended_at: status.is_terminal().then_some(Timestamp::ZERO),
        cause: None,
        wishes: Vec::new(),
    }
}

fn finish(ending: End) -> In {
    In::Finish { token: FencingToken(2), ending, entropy: 0 }
}

/// An input by name, and the arrows that it follows: from where to where.
type Line = (&'static str, In, &'static [(Status, Status)]);

/// Every input with the status that it leads to from each of those that do not refuse it.
fn table() -> Vec<Line> {
    const TOKEN: FencingToken = FencingToken(2);
    let admit = In::Admit { order: Some(Order(4)), unschedulable_at: Some(LATER) };
    vec![
        ("wait", In::Wait(Order(4)), &[(Requested, Queued)]),
        ("admit", admit, &[(Requested, Ready), (Queued, Ready)]),
        ("refuse", In::Refuse, &[(Requested, Failed)]),
        ("expire", In::ExpireInQueue, &[(Queued, Failed)]),
        ("keep looking", In::KeepLooking(Some(LATER)), &[(Ready, Ready)]),
        ("give up", In::GiveUp, &[(Ready, Failed)]),
        ("offer", In::Offer(worker("bob"), LATER), &[(Ready, Offered)]),
        ("accept", In::Accept(TOKEN), &[(Offered, Accepted)]),
        ("release", In::Release(TOKEN), &[(Offered, Ready), (Accepted, Ready)]),
        ("start", In::Start(TOKEN, MARGIN), &[(Accepted, Running)]),
        ("claim", In::Claim(Some(worker("bob")), MARGIN), &[(Ready, Running)]),
        ("succeed", finish(End::Succeeded), &[(Running, Completed)]),
        ("fail", finish(End::Failed), &[(Running, Backoff)]),
        ("fail for good", finish(End::FailedForGood), &[(Running, Failed)]),
        ("time out", finish(End::TimedOut), &[(Running, Backoff)]),
        ("stopped", finish(End::Cancelled), &[(Running, Cancelled)]),
        (
            "lose",
            In::Lose(TOKEN, Cause::WorkerLost),
            &[(Offered, Ready), (Accepted, Ready), (Running, Backoff)],
        ),
        ("retry", In::Retry, &[(Backoff, Queued)]),
        (
            "cancel",
            In::Cancel(LATER),
            &[
                (Requested, Cancelled),
                (Queued, Cancelled),
                (Ready, Cancelled),
                (Offered, Offered),
                (Accepted, Accepted),
                (Running, Running),
                (Backoff, Cancelled),
            ],
        ),
        ("cancel overdue", In::CancelOverdue(TOKEN), &[]),
    ]
}

#[test]
fn every_input_at_every_status_moves_along_its_arrow_or_changes_nothing() {
    for (name, input, arrows) in table() {
        for status in Status::ALL {
            let before = execution(status);
            let mut after = before.clone();
            let outcome = after.handle(&input, NOW);
            match arrows.iter().find(|(from, _)| *from == status) {
                Some((_, to)) => {
                    assert_eq!(outcome, Ok(()), "{name} at {status}");
                    assert_eq!(after.status, *to, "{name} at {status}");
                    assert_eq!(after.ended_at.is_some(), to.is_terminal(), "{name} at {status}");
                }
                None => {
                    assert!(outcome.is_err(), "{name} at {status}");
                    assert_eq!(after, before, "{name} at {status}");
                }
            }
        }
    }
}

#[test]
fn what_is_over_answers_everything_with_how_it_ended() {
    for status in [Completed, Failed, TimedOut, Cancelled, Abandoned] {
        for (name, input, _) in table() {
            let refusal = execution(status).handle(&input, LATER);
            assert_eq!(refusal, Err(Refusal::Over(status)), "{name} at {status}");
        }
    }
}

#[test]
fn an_attempts_word_counts_only_under_its_own_token() {
    for presented in [0, 1, 3, u64::MAX].map(FencingToken) {
        let inputs = [
            (Offered, In::Accept(presented)),
            (Offered, In::Release(presented)),
            (Accepted, In::Start(presented, MARGIN)),
            (Running, In::Finish { token: presented, ending: End::Succeeded, entropy: 0 }),
            (Running, In::Lose(presented, Cause::WorkerLost)),
            (Running, In::CancelOverdue(presented)),
        ];
        for (status, input) in inputs {
            let mut row = execution(status);
            let fenced = Refusal::Fenced { presented, current: FencingToken(2) };
            assert_eq!(row.handle(&input, NOW), Err(fenced), "{input:?}");
            assert_eq!(row, execution(status));
        }
    }
    let mut fresh = Execution { attempt: Attempt(0), ..execution(Ready) };
    let none = In::Finish { token: FencingToken(0), ending: End::Succeeded, entropy: 0 };
    assert!(
        matches!(fresh.handle(&none, NOW), Err(Refusal::Fenced { .. })),
        "no attempt, no token"
    );
}

#[test]
fn nothing_is_due_before_its_time() {
    let inputs = [(Queued, In::ExpireInQueue), (Ready, In::GiveUp), (Backoff, In::Retry)];
    for (status, input) in inputs {
        let mut row = Execution { wake_at: Some(LATER), ..execution(status) };
        assert_eq!(row.handle(&input, NOW), Err(Refusal::NotDue(LATER)), "{input:?}");
        assert_eq!(row.handle(&input, LATER), Ok(()), "{input:?}");
    }
}

#[test]
fn failures_and_losses_are_paid_from_two_budgets() {
    // failures  losses  abandon  from     input                    to         failures  losses
    let lose = || In::Lose(FencingToken(2), Cause::WorkerLost);
    let table = [
        (0, 0, false, Running, finish(End::Failed), Backoff, 1, 0),
        (2, 0, false, Running, finish(End::Failed), Failed, 3, 0),
        (2, 0, false, Running, finish(End::TimedOut), TimedOut, 3, 0),
        (0, 5, false, Running, finish(End::Failed), Backoff, 1, 5),
        (2, 0, false, Running, lose(), Backoff, 2, 1),
        (0, 5, false, Running, lose(), Abandoned, 0, 6),
        (0, 5, false, Offered, lose(), Ready, 0, 5),
        (0, 0, true, Running, lose(), Abandoned, 0, 1),
        (0, 0, true, Accepted, lose(), Ready, 0, 0),
    ];
    for (failures, losses, abandon, from, input, to, failed, lost) in table {
        let mut row = Execution { failures, losses, ..execution(from) };
        row.policy.on_lost = if abandon { OnLost::Abandon } else { OnLost::Retry };
        row.handle(&input, NOW).expect("it fits");
        assert_eq!((row.status, row.failures, row.losses), (to, failed, lost), "{input:?}");
        let excluded = matches!(to, Backoff | Ready);
        assert_eq!(row.excluded.contains(&"ada".into()), excluded, "{input:?}");
        assert_eq!(row.worker.is_none(), excluded, "{input:?}");
    }
}

#[test]
fn once_asked_to_stop_it_only_ends() {
    let asked = |status| Execution { cancel_requested: true, ..execution(status) };
    // from      input                                   to, or refused
    let lose = In::Lose(FencingToken(2), Cause::WorkerLost);
    let table = [
        (Offered, In::Accept(FencingToken(2)), Err(Refusal::Stopping)),
        (Accepted, In::Start(FencingToken(2), MARGIN), Err(Refusal::Stopping)),
        (Running, In::Cancel(LATER), Err(Refusal::Done)),
        (Offered, In::Release(FencingToken(2)), Ok(Cancelled)),
        (Accepted, In::Release(FencingToken(2)), Ok(Cancelled)),
        (Running, finish(End::Succeeded), Ok(Completed)),
        (Running, finish(End::Failed), Ok(Cancelled)),
        (Running, finish(End::TimedOut), Ok(Cancelled)),
        (Running, finish(End::Cancelled), Ok(Cancelled)),
        (Running, lose.clone(), Ok(Cancelled)),
        (Offered, lose, Ok(Cancelled)),
        (Running, In::CancelOverdue(FencingToken(2)), Ok(Cancelled)),
        (Offered, In::CancelOverdue(FencingToken(2)), Ok(Cancelled)),
    ];
    for (from, input, expected) in table {
        let mut row = asked(from);
        let outcome = row.handle(&input, NOW).map(|()| row.status);
        assert_eq!(outcome, expected, "{input:?} at {from}");
    }
    let mut early = Execution { wake_at: Some(LATER), ..asked(Running) };
    let overdue = In::CancelOverdue(FencingToken(2));
    assert_eq!(early.handle(&overdue, NOW), Err(Refusal::NotDue(LATER)));
}

#[test]
fn timers_follow_the_status() {
    let wake = |status: Status, input: In| {
        let mut row = execution(status);
        row.policy.timeout = Some(Span::from_secs(60));
        row.policy.queue_timeout = Some(Span::from_secs(10));
        row.policy.retry.delay = Span::from_secs(5);
        row.handle(&input, NOW).expect("it fits");
        row.wake_at
    };
    let after = |secs| Some(NOW + Span::from_secs(secs));
    assert_eq!(wake(Requested, In::Wait(Order(0))), after(10));
    assert_eq!(wake(Ready, In::Claim(None, MARGIN)), after(61));
    assert_eq!(wake(Accepted, In::Start(FencingToken(2), MARGIN)), after(61));
    assert_eq!(wake(Running, finish(End::Failed)), after(5));
    assert_eq!(wake(Running, In::Lose(FencingToken(2), Cause::WorkerLost)), after(0));
    assert_eq!(wake(Backoff, In::Retry), after(10));
    assert_eq!(wake(Running, In::Cancel(LATER)), Some(LATER));
    assert_eq!(wake(Running, finish(End::Succeeded)), None);
    let mut run = Execution { work: Work::Workflow, ..execution(Running) };
    run.handle(&In::Cancel(LATER), NOW).expect("it fits");
    assert_eq!(run.wake_at, None, "a run is stopped by its own advance");
}

#[test]
fn a_place_in_line_is_kept_for_life_and_tokens_rise() {
    let mut row = Execution { attempt: Attempt(0), order: None, ..execution(Requested) };
    let token = |n| FencingToken(n);
    let fail = |n| In::Finish { token: token(n), ending: End::Failed, entropy: 0 };
    let promote = In::Admit { order: None, unschedulable_at: None };
    let life = [
        (In::Wait(Order(9)), 0),
        (promote.clone(), 0),
        (In::Offer(worker("ada"), LATER), 1),
        (In::Release(token(1)), 1),
        (In::Offer(worker("bob"), LATER), 2),
        (In::Accept(token(2)), 2),
        (In::Start(token(2), MARGIN), 2),
        (fail(2), 2),
        (In::Retry, 2),
        (promote, 2),
        (In::Claim(Some(worker("ada")), MARGIN), 3),
    ];
    for (input, attempt) in life {
        row.handle(&input, NOW).expect("it is a life");
        assert_eq!((row.order, row.attempt), (Some(Order(9)), Attempt(attempt)), "{input:?}");
    }
    assert_eq!(row.started_at, Some(NOW));
}
