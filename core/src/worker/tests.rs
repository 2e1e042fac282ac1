//! Every input at every state of a worker, and who gets an execution.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::select::{Candidate, choose, is_schedulable, may_take};
use super::*;
use crate::definition::{Prepared, Transport, Work};
use crate::execution::Execution;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::submit::{Submission, submit};
use crate::unit::Unit;
use WorkerInput as In;
use WorkerState::{Active, Dead, Draining, Gone, Suspect};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const STATES: [WorkerState; 5] = [Active, Suspect, Dead, Draining, Gone];
const ME: Incarnation = Incarnation(2);
const OLD: Incarnation = Incarnation(1);

fn worker(name: &str, state: WorkerState) -> Worker {
    Worker {
        incarnation: ME,
        state,
        runtimes: Arc::new(["shell".into()].into()),
        capacity: 4,
        lease_until: NOW,
        last_beat: NOW - Span::from_secs(4),
        ..Worker::new(name.into())
    }
}

fn register() -> In {
    In::Register {
        former: None,
        runtimes: BTreeSet::new(),
        labels: BTreeMap::new(),
        capacity: 1,
        lease: Span::from_secs(4),
    }
}

#[test]
fn every_input_at_every_state_moves_along_its_arrow_or_changes_nothing() {
    let lease = Span::from_secs(4);
    let no_wait = Span::ZERO;
    // input                     Active    Suspect   Dead    Draining  Gone (the states it leads to)
    let table: Vec<(In, [Option<WorkerState>; 5])> = vec![
        (register(), [Some(Active); 5]),
        (In::Beat(ME, lease), [Some(Active), Some(Active), None, Some(Draining), None]),
        (In::Beat(OLD, lease), [None; 5]),
        (In::Doubt(no_wait), [Some(Suspect), None, None, None, None]),
        (In::Expire(no_wait), [Some(Dead), Some(Dead), None, Some(Dead), None]),
        (In::Bury(ME), [Some(Dead), Some(Dead), None, Some(Dead), None]),
        (In::Bury(OLD), [None; 5]),
        (In::Drain(ME), [Some(Draining), Some(Draining), None, None, None]),
        (In::Drain(OLD), [None; 5]),
        (In::AskToDrain, [Some(Draining), Some(Draining), None, None, None]),
        (In::Leave(ME), [Some(Gone), Some(Gone), None, Some(Gone), None]),
        (In::Leave(OLD), [None; 5]),
        (In::Cordon(true), [Some(Active), Some(Suspect), Some(Dead), Some(Draining), Some(Gone)]),
        (In::Cordon(false), [None; 5]),
        (In::Probed(ME, false), [Some(Active), Some(Suspect), None, Some(Draining), None]),
        (In::Probed(ME, true), [None; 5]),
        (In::Probed(OLD, false), [None; 5]),
    ];
    for (input, expected) in table {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let before = worker("ada", state);
            let mut after = before.clone();
            let outcome = after.handle(&input, NOW);
            assert_eq!(outcome.is_ok(), expected.is_some(), "{input:?} at {state:?}");
            match expected {
                Some(to) => assert_eq!(after.state, to, "{input:?} at {state:?}"),
                None => assert_eq!(after, before, "{input:?} at {state:?}"),
            }
        }
    }
}

#[test]
fn an_older_process_is_told_that_it_is_superseded_whatever_has_become_of_the_newer() {
    for state in STATES {
        for input in [In::Beat(OLD, Span::ZERO), In::Drain(OLD), In::Leave(OLD), In::Bury(OLD)] {
            let outcome = worker("ada", state).handle(&input, NOW);
            assert_eq!(outcome, Err(WorkerRefusal::Superseded(ME)), "{input:?} at {state:?}");
        }
    }
}

#[test]
fn who_lost_its_lease_comes_back_unless_somebody_else_has_the_name_now() {
    let mut come_back = register();
    let In::Register { former, .. } = &mut come_back else { unreachable!() };
    *former = Some(OLD);
    let mut mine = Worker { incarnation: OLD, ..worker("ada", Dead) };
    assert_eq!(mine.handle(&come_back, NOW), Ok(()));
    assert_eq!((mine.incarnation, mine.state), (ME, Active));
    let mut others = worker("ada", Active);
    assert_eq!(others.handle(&come_back, NOW), Err(WorkerRefusal::Superseded(ME)));
    assert_eq!(others, worker("ada", Active), "nothing has changed");
}

#[test]
fn a_lease_ends_only_after_the_drift_and_a_beat_never_shortens_it() {
    let mut row = worker("ada", Active);
    let drift = Span::from_millis(250);
    let due = NOW + drift;
    assert_eq!(row.handle(&In::Expire(drift), NOW), Err(WorkerRefusal::NotDue(due)));
    assert!(!row.keeps_attempts_of(ME, NOW), "it holds its lease up to its end, not beyond");
    let earlier = NOW - Span::from_secs(8);
    assert_eq!(row.handle(&In::Beat(ME, Span::from_secs(4)), earlier), Ok(()));
    assert_eq!(row.lease_until, NOW, "the clock stepped back, the promise did not");
    assert_eq!(row.handle(&In::Expire(drift), due), Ok(()));
}

#[test]
fn what_is_buried_has_no_lease_any_more() {
    let mut row = Worker { lease_until: NOW + Span::from_secs(3), ..worker("ada", Active) };
    assert!(row.keeps_attempts_of(ME, NOW) && !row.keeps_attempts_of(OLD, NOW));
    assert_eq!(row.handle(&In::Bury(ME), NOW), Ok(()));
    assert_eq!(row.lease_until, NOW);
    assert!(!row.keeps_attempts_of(ME, NOW));
}

#[test]
fn a_name_registers_anew_and_keeps_what_an_operator_said() {
    let mut row = Worker { cordoned: true, healthy: false, ..worker("ada", Dead) };
    assert_eq!(row.handle(&register(), NOW), Ok(()));
    assert_eq!((row.incarnation, row.state), (Incarnation(3), Active));
    assert!(row.cordoned && row.healthy && row.runtimes.is_empty());
}

fn execution(excluded: &[&str]) -> Execution {
    let prepared = Prepared {
        action: "a.b".into(),
        definition: "1".into(),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        queue: "a.b".into(),
        limit: None,
        policy: Policy::DEFAULT,
        parameters: serde_json::Value::Null,
    };
    let mut unit = Unit::new(NOW, Settings::DEFAULT, Transport::Rabbitmq, 1..2, 0);
    let submission = Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
    let id = submit(&mut unit, submission).expect("the queue is empty").id();
    let excluded = excluded.iter().map(|name| (*name).into()).collect();
    Execution { excluded, ..unit.execution(id).expect("it was just submitted").clone() }
}

#[test]
fn the_least_loaded_worker_gets_it_and_one_on_which_it_failed_only_as_a_last_resort() {
    let row = |name: &str, capacity| Worker { capacity, ..worker(name, Active) };
    let (ada, bob) = (row("ada", 4), row("bob", 10));
    let cyd = Worker { cordoned: true, ..row("cyd", 9) };
    // loads of ada, bob and cyd   excluded    who gets it
    let table: [([u32; 3], &[&str], Option<&str>); 8] = [
        ([0, 0, 0], &[], Some("ada")),
        ([2, 4, 0], &[], Some("bob")),
        ([2, 5, 0], &[], Some("ada")),
        ([4, 9, 0], &[], Some("bob")),
        ([4, 10, 0], &[], None),
        ([0, 9, 0], &["ada"], Some("bob")),
        ([0, 10, 0], &["ada"], Some("ada")),
        ([0, 1, 0], &["ada", "bob"], Some("ada")),
    ];
    for (loads, excluded, expected) in table {
        let workers = [&ada, &bob, &cyd];
        let candidates: Vec<Candidate<'_>> = workers
            .into_iter()
            .zip(loads)
            .map(|(worker, load)| Candidate { worker, load })
            .collect();
        let chosen = choose(&execution(excluded), &candidates).map(|w| w.name.as_str());
        assert_eq!(chosen, expected, "{loads:?} {excluded:?}");
    }
}

#[test]
fn whoever_may_not_take_work_is_not_counted_on() {
    let fit = worker("ada", Active);
    let unfit = [
        worker("ada", Suspect),
        worker("ada", Dead),
        worker("ada", Draining),
        worker("ada", Gone),
        Worker { cordoned: true, ..fit.clone() },
        Worker { healthy: false, ..fit.clone() },
        Worker { runtimes: Arc::new(["python".into()].into()), ..fit.clone() },
    ];
    let plain = execution(&[]);
    assert!(may_take(&fit, &plain, [&fit]) && is_schedulable(&plain, [&fit]));
    for worker in &unfit {
        assert!(!may_take(worker, &plain, [worker]) && !is_schedulable(&plain, [worker]));
    }
    let failed_here = execution(&["ada"]);
    let bob = worker("bob", Active);
    assert!(may_take(&fit, &failed_here, [&fit]), "there is no other");
    assert!(!may_take(&fit, &failed_here, [&fit, &bob]), "bob is preferred");
    for worker in unfit {
        let other = Worker { name: "bob".into(), ..worker };
        assert!(may_take(&fit, &failed_here, [&fit, &other]), "{:?} cannot", other.state);
    }
    let mut selective = execution(&[]);
    selective.selector.insert("gpu".into(), "1".into());
    let labels = [("gpu".into(), "1".into())].into();
    assert!(!may_take(&fit, &selective, [&fit]));
    assert!(may_take(&Worker { labels, ..fit.clone() }, &selective, [&fit]));
}
