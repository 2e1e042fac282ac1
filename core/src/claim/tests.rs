//! Offers, claims and what is given back: by whom, and on what terms.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;

use super::*;
use crate::completion::{Report, complete};
use crate::definition::{Prepared, Transport, Work};
use crate::execution::Ending;
use crate::id::{Incarnation, WorkerName};
use crate::settings::Settings;
use crate::submit::{Submission, submit};
use crate::time::{Span, Timestamp};
use crate::{admission, sweep};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const ID: ExecutionId = ExecutionId(1);
const TOKEN: FencingToken = FencingToken(1);

fn id(name: &str) -> WorkerId {
    WorkerId { name: name.into(), incarnation: Incarnation(1) }
}

/// One submitted execution, and two workers of which the first is preferred.
fn unit(work: Work, transport: Transport) -> Unit {
    let mut unit = Unit::new(NOW, Settings::DEFAULT, transport, 1..9, 0);
    for (name, capacity) in [("ada", 9), ("bob", 1)] {
        unit.workers.insert(Worker {
            incarnation: Incarnation(1),
            state: WorkerState::Active,
            runtimes: alloc::sync::Arc::new(["shell".into()].into()),
            capacity,
            lease_until: NOW + Span::from_secs(4),
            ..Worker::new(name.into())
        });
    }
    let prepared = Prepared {
        action: "a.b".into(),
        definition: "1".into(),
        work,
        selector: BTreeMap::new(),
        queue: "a.b".into(),
        limit: Some(1),
        policy: Policy::DEFAULT,
        parameters: serde_json::Value::Null,
    };
    let submission = Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
    submit(&mut unit, submission).expect("the queue is empty");
    unit
}

/// The execution is offered to `ada`.
fn offered() -> Unit {
    let mut unit = unit(Work::Runtime("shell".into()), Transport::Rabbitmq);
    dispatch(&mut unit, Vec::new());
    assert_eq!(unit.execution(ID).expect("it is here").worker, Some(id("ada")));
    unit
}

fn report(token: FencingToken) -> Report {
    Report {
        execution: ID,
        token,
        queue: "a.b".into(),
        ending: Ending::Succeeded,
        result: serde_json::Value::Null,
        error: None,
    }
}

#[test]
fn an_offer_is_taken_once_and_by_the_worker_that_it_was_made_to() {
    let mut unit = offered();
    let stranger = accept(&mut unit, &id("bob"), ID, TOKEN);
    assert_eq!(stranger, Err(Refusal::Illegal(Status::Offered).into()));
    let assignment = accept(&mut unit, &id("ada"), ID, TOKEN).expect("it is hers");
    assert_eq!((assignment.execution, assignment.token), (ID, TOKEN));
    let again = accept(&mut unit, &id("ada"), ID, TOKEN);
    assert_eq!(again, Err(Refusal::Done.into()));
}

#[test]
fn a_worker_takes_an_offer_only_while_it_is_what_it_was() {
    use WorkerState::{Active, Dead, Draining, Gone, Suspect};
    let lapsed = NOW;
    let lease = NOW + Span::from_secs(4);
    // state   lease   incarnation   refused as
    let table = [
        (Active, lease, 1, None),
        (Suspect, lease, 1, None),
        (Draining, lease, 1, Some(WorkerRefusal::Draining)),
        (Dead, lease, 1, Some(WorkerRefusal::Dead)),
        (Gone, lease, 1, Some(WorkerRefusal::Dead)),
        (Active, lapsed, 1, Some(WorkerRefusal::Dead)),
        (Active, lease, 2, Some(WorkerRefusal::Superseded(Incarnation(2)))),
    ];
    for (state, lease_until, incarnation, refused) in table {
        let mut unit = offered();
        let row = unit.workers.edit(&"ada".into()).expect("it is here");
        row.state = state;
        row.lease_until = lease_until;
        row.incarnation = Incarnation(incarnation);
        let outcome = accept(&mut unit, &id("ada"), ID, TOKEN).map(drop);
        assert_eq!(outcome, refused.map_or(Ok(()), |refusal| Err(refusal.into())), "{state:?}");
        let claimed = claim(&mut unit, &id("ada"), 9).map(|taken| taken.len());
        let dead = refused.filter(|refusal| *refusal != WorkerRefusal::Draining);
        assert_eq!(claimed, dead.map_or(Ok(0), Err), "{state:?}");
    }
}

#[test]
fn what_is_given_back_unstarted_is_looked_after_again_and_fences_its_last_holder() {
    let mut unit = offered();
    assert_eq!(release(&mut unit, ID, TOKEN), Ok(Status::Ready));
    let execution = unit.execution(ID).expect("it is here");
    assert_eq!(execution.wake_at, Some(NOW + unit.settings.unschedulable_after));
    assert_eq!((execution.losses, &execution.worker), (0, &None));
    assert!(accept(&mut unit, &id("ada"), ID, TOKEN).is_err());
    dispatch(&mut unit, Vec::new());
    let current = FencingToken(2);
    let fenced = Refusal::Fenced { presented: TOKEN, current };
    assert_eq!(accept(&mut unit, &id("ada"), ID, TOKEN), Err(fenced.into()));
    assert!(accept(&mut unit, &id("ada"), ID, current).is_ok());
}

#[test]
fn giving_back_what_was_to_stop_ends_it_and_giving_up_what_runs_is_a_loss() {
    let mut unit = offered();
    admission::cancel(&mut unit, ID).expect("it is not over");
    sweep::release_unstarted(&mut unit, &id("ada"));
    assert_eq!(unit.execution(ID).map(|e| e.status), Some(Status::Cancelled));
    let mut unit = offered();
    accept(&mut unit, &id("ada"), ID, TOKEN).expect("it is hers");
    sweep::release_unstarted(&mut unit, &id("ada"));
    assert_eq!(unit.execution(ID).map(|e| e.status), Some(Status::Running), "it has started");
    // At once back in line, and as there is room, ready.
    assert_eq!(release(&mut unit, ID, TOKEN), Ok(Status::Ready));
    let execution = unit.execution(ID).expect("it is here");
    assert_eq!((execution.losses, execution.excluded.as_slice()), (1, &["ada".into()][..]));
}

#[test]
fn an_offer_that_nobody_answers_costs_nothing_and_goes_to_somebody_else() {
    let mut unit = offered();
    unit.now = NOW + unit.settings.offer_timeout;
    assert_eq!(sweep::wake(&mut unit, ID), Ok(Status::Ready));
    let execution = unit.execution(ID).expect("it is here");
    assert_eq!(execution.wake_at, Some(unit.now + unit.settings.unschedulable_after));
    assert_eq!((execution.losses, execution.excluded.as_slice()), (0, &["ada".into()][..]));
    assert!(accept(&mut unit, &id("ada"), ID, TOKEN).is_err(), "it comes too late");
    dispatch(&mut unit, Vec::new());
    let chosen = unit.execution(ID).and_then(|execution| execution.worker.clone());
    assert_eq!(chosen, Some(id("bob")));
}

#[test]
fn a_dead_letter_takes_back_what_is_on_offer_and_nothing_else() {
    let mut unit = offered();
    let execution = unit.execution(ID).expect("it is here").clone();
    let other = FencingToken(2);
    let fenced = Err(Refusal::Fenced { presented: other, current: TOKEN });
    assert_eq!(sweep::take_back(&mut unit, ID, other), fenced);
    assert_eq!(unit.execution(ID), Some(&execution));
    // Its worker may still come for it.
    let due = unit.now + unit.settings.offer_timeout;
    assert_eq!(sweep::take_back(&mut unit, ID, TOKEN), Err(Refusal::NotDue(due)));
    unit.now = due;
    assert_eq!(sweep::take_back(&mut unit, ID, TOKEN), Ok(Status::Ready));
    // Once: the second letter finds nothing.
    let illegal = |status| Err(Refusal::Illegal(status));
    assert_eq!(sweep::take_back(&mut unit, ID, TOKEN), illegal(Status::Ready));
    let execution = unit.execution(ID).expect("it is here");
    assert_eq!((execution.losses, execution.excluded.as_slice()), (0, &["ada".into()][..]));

    let mut unit = offered();
    accept(&mut unit, &id("ada"), ID, TOKEN).expect("it is on offer");
    assert_eq!(sweep::take_back(&mut unit, ID, TOKEN), illegal(Status::Running));
    assert_eq!(sweep::take_back(&mut unit, ExecutionId(9), TOKEN), Err(Refusal::Done));
}

#[test]
fn a_dead_letter_to_a_worker_that_is_over_takes_its_offer_back_at_once() {
    let mut unit = offered();
    let ada = WorkerName::from("ada");
    unit.workers.edit(&ada).expect("she is here").state = WorkerState::Dead;
    assert_eq!(sweep::take_back(&mut unit, ID, TOKEN), Ok(Status::Ready));
    dispatch(&mut unit, Vec::new());
    let chosen = unit.execution(ID).and_then(|execution| execution.worker.clone());
    assert_eq!(chosen, Some(id("bob")));
}

#[test]
fn no_worker_speaks_for_a_run() {
    let mut unit = unit(Work::Workflow, Transport::Embedded);
    assert_eq!(claim(&mut unit, &id("ada"), 9), Ok(Vec::new()));
    unit.tell(ID, &ExecutionInput::Claim(None, Span::ZERO)).expect("it is ready");
    let running = Err(Refusal::Illegal(Status::Running));
    assert_eq!(complete(&mut unit, report(TOKEN)), running);
    assert_eq!(release(&mut unit, ID, TOKEN), running);
    assert_eq!(sweep::rescue(&mut unit, ID), Err(Refusal::Done));
}

#[test]
fn a_report_counts_once() {
    let mut unit = unit(Work::Runtime("shell".into()), Transport::Embedded);
    assert_eq!(claim(&mut unit, &id("bob"), 9).map(|taken| taken.len()), Ok(1));
    assert_eq!(complete(&mut unit, report(TOKEN)), Ok(Status::Completed));
    assert_eq!(complete(&mut unit, report(TOKEN)), Err(Refusal::Over(Status::Completed)));
    let queue = unit.queues.find(&"a.b".into()).expect("it was opened");
    assert_eq!(queue.completed, 1);
}

/// The worker that had the only slot reports, with two more in the line behind it.
fn succession(transport: Transport) -> Unit {
    let mut unit = unit(Work::Runtime("shell".into()), transport);
    for _ in 0..2 {
        let queue = "a.b".into();
        let prepared = Prepared {
            action: "a.b".into(),
            definition: "1".into(),
            work: Work::Runtime("shell".into()),
            selector: BTreeMap::new(),
            queue,
            limit: Some(1),
            policy: Policy::DEFAULT,
            parameters: serde_json::Value::Null,
        };
        let submission =
            Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
        submit(&mut unit, submission).expect("it stands in line");
    }
    let taken = succeed(&mut unit, &id("ada"), 1, &all(), Vec::new());
    assert_eq!(taken.iter().map(|a| a.execution).collect::<Vec<_>>(), [ID]);
    complete(&mut unit, report(TOKEN)).expect("it is the first report");
    unit
}

/// Everything was looked up.
fn all() -> BTreeSet<ExecutionId> {
    (0..10).map(ExecutionId).collect()
}

fn announced(unit: Unit) -> bool {
    let messages = unit.into_decision().messages;
    messages.iter().any(|message| matches!(message, Message::Ready { .. }))
}

#[test]
fn who_reports_takes_what_its_slot_lets_through() {
    for transport in [Transport::Rabbitmq, Transport::Embedded] {
        let mut unit = succession(transport);
        let taken = succeed(&mut unit, &id("ada"), 1, &all(), vec![(id("ada"), 1)]);
        assert_eq!(taken.iter().map(|a| a.execution).collect::<Vec<_>>(), [ExecutionId(2)]);
        let second = unit.execution(ExecutionId(2)).expect("it is here");
        assert_eq!((second.status, second.worker.clone()), (Status::Running, Some(id("ada"))));
        let third = unit.execution(ExecutionId(3)).expect("it is here");
        assert_eq!(third.status, Status::Queued, "there is one slot");
        // Where work is assigned nobody is told of room that there is not.
        assert_eq!(announced(unit), !transport.pushes());
    }
}

#[test]
fn whoever_takes_nothing_new_takes_nothing_in_place_of_what_ended() {
    use WorkerState::{Dead, Draining, Suspect};
    for (state, cordoned) in
        [(Draining, false), (Dead, false), (Suspect, false), (WorkerState::Active, true)]
    {
        let mut unit = succession(Transport::Rabbitmq);
        let row = unit.workers.edit(&"ada".into()).expect("she is here");
        (row.state, row.cordoned) = (state, cordoned);
        assert!(
            succeed(&mut unit, &id("ada"), 1, &all(), Vec::new()).is_empty(),
            "{state:?} {cordoned}"
        );
        assert!(announced(unit), "somebody else shall take it");
    }
    let mut unit = succession(Transport::Rabbitmq);
    let former = WorkerId { incarnation: Incarnation(0), ..id("ada") };
    assert!(
        succeed(&mut unit, &former, 1, &all(), Vec::new()).is_empty(),
        "another process has the name"
    );
}

#[test]
fn a_worker_takes_in_place_of_what_ended_only_what_would_be_assigned_to_it() {
    // She had nine of nine, and he has none of one: his share is the smaller.
    let mut unit = succession(Transport::Rabbitmq);
    assert!(succeed(&mut unit, &id("ada"), 1, &all(), vec![(id("ada"), 9)]).is_empty());
    assert!(announced(unit));
    // He is busy.
    let mut unit = succession(Transport::Rabbitmq);
    let loads = vec![(id("ada"), 9), (id("bob"), 1)];
    assert_eq!(succeed(&mut unit, &id("ada"), 1, &all(), loads).len(), 1);
}

/// As for another attempt of what has just failed: others may be better for it.
#[test]
fn what_was_not_looked_up_is_left_to_others() {
    let mut unit = succession(Transport::Rabbitmq);
    let none = BTreeSet::new();
    assert!(succeed(&mut unit, &id("ada"), 1, &none, vec![(id("ada"), 1)]).is_empty());
    assert!(announced(unit), "somebody shall take it");
}

#[test]
fn what_is_assigned_at_once_is_announced_to_nobody_else() {
    let mut unit = unit(Work::Runtime("shell".into()), Transport::Rabbitmq);
    assign(&mut unit, Vec::new());
    assert_eq!(unit.execution(ID).expect("it is here").status, Status::Offered);
    assert!(!announced(unit));
    let mut busy = self::unit(Work::Runtime("shell".into()), Transport::Rabbitmq);
    assign(&mut busy, vec![(id("ada"), 9), (id("bob"), 1)]);
    assert!(announced(busy), "the dispatcher does it when somebody has room");
}

#[test]
fn room_is_what_those_who_take_work_have_left() {
    let unit = unit(Work::Runtime("shell".into()), Transport::Rabbitmq);
    let workers: Vec<Worker> = unit.workers.iter().cloned().collect();
    assert_eq!(room(&workers, &[]), 10);
    assert_eq!(room(&workers, &[(id("ada"), 8), (id("bob"), 3)]), 1);
    let cordoned = workers.iter().cloned().map(|worker| Worker { cordoned: true, ..worker });
    assert_eq!(room(&cordoned.collect::<Vec<_>>(), &[]), 0);
}
