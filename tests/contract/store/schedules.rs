//! Schedules.

use std::sync::Arc;

use serde_json::json;
use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::lease::Epoch;
use steadfast_core::schedule::{
    Firing, Missed, Plan, Schedule, ScheduleInput, ScheduleName, ScheduleState, Timing,
};
use steadfast_core::{ExecutionId, Span, Version};
use steadfast_services::port::{Batch, Query, StoreError, Transaction};

use super::Full;
use super::rows::*;

fn schedule(name: &str, due: u64) -> Schedule {
    let plan = Plan::every(Span::from_secs(60), "a.b".into());
    Schedule::new(ScheduleName::new(name), plan, at(due), at(0))
}

fn in_state(name: &str, due: u64, state: ScheduleState) -> Schedule {
    Schedule { state, ..schedule(name, due) }
}

fn names(rows: &[Schedule]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

pub(crate) async fn schedules_come_back_and_are_found_by_name_and_by_due_time<S: Full>(store: S) {
    let whole = Schedule {
        fired: Some(at(1)),
        epoch: Epoch(3),
        plan: Arc::new(Plan {
            timing: Timing::Cron {
                expression: String::from("*/5 * * * *"),
                timezone: String::from("Europe/Berlin"),
            },
            action: "a.b".into(),
            parameters: json!({"text": "\u{1}\u{1F600}", "list": [1, null, {"deep": 0.1}]}),
            missed: Missed::All,
            enabled: false,
        }),
        last_execution: Some(ExecutionId(7)),
        last_error: Some(String::from("there is no action `a.b`")),
        ..schedule("b", 20)
    };
    let rows = [
        whole.clone(),
        schedule("a", 30),
        schedule("c", 10),
        in_state("d", 5, ScheduleState::Paused),
        in_state("e", 5, ScheduleState::Removed),
        in_state("f", 5, ScheduleState::Finished),
        schedule("g", 20),
    ];
    apply(&store, &[Batch::InsertSchedules(&rows)]).await.unwrap();

    let mut tx = store.begin("test").await.unwrap();
    let asked = ["e", "b", "x", "b"].map(ScheduleName::new);
    let mut found = tx.schedules(&asked).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found, [whole.clone(), rows[4].clone()]);
    assert!(tx.schedules(&[]).await.unwrap().is_empty());
    let due = tx.find_schedules(3).await.unwrap();
    let expected = [("c", 10), ("b", 20), ("g", 20)];
    assert_eq!(due, expected.map(|(name, due)| (ScheduleName::new(name), at(due))));
    assert_eq!(tx.find_schedules(10).await.unwrap().len(), 4);
    commit(tx).await;

    for (name, expected) in [("b", Some(whole)), ("e", None), ("x", None)] {
        let found = Query::schedule(&store, &ScheduleName::new(name)).await;
        assert_eq!(found.expect("it can be looked up"), expected, "{name}");
    }
    let page = Query::schedules(&store, None, 3).await.unwrap();
    assert_eq!(names(&page), ["a", "b", "c"]);
    let next = Query::schedules(&store, Some(&page[2].name), 3).await.unwrap();
    assert_eq!(names(&next), ["d", "f", "g"]);
}

pub(crate) async fn a_name_is_taken_once_and_a_change_names_its_version<S: Full>(store: S) {
    let row = schedule("a", 10);
    let changed = Schedule { version: Version(1), due: at(70), ..row.clone() };
    let is_conflict = |done: Result<(), StoreError>| matches!(done, Err(StoreError::Conflict(_)));
    let insert = [row];
    let update = [changed];
    assert!(is_conflict(apply(&store, &[Batch::UpdateSchedules(&update)]).await));
    apply(&store, &[Batch::InsertSchedules(&insert)]).await.unwrap();
    assert!(is_conflict(apply(&store, &[Batch::InsertSchedules(&insert)]).await));
    apply(&store, &[Batch::UpdateSchedules(&update)]).await.unwrap();
    assert!(is_conflict(apply(&store, &[Batch::UpdateSchedules(&update)]).await));
    let found = Query::schedule(&store, &update[0].name).await.unwrap();
    assert_eq!(found.as_ref(), Some(&update[0]));
}

fn fired(id: u64, firing: &Firing) -> Execution {
    let key = firing.idempotency_key();
    let idempotency = Some(Idempotency { key, fingerprint: String::from("schedule") });
    Execution { idempotency, ..execution(id) }
}

pub(crate) async fn a_schedule_moves_on_with_what_it_fires_or_not_at_all<S: Full>(store: S) {
    let row = schedule("a", 10);
    apply(&store, &[Batch::InsertSchedules(std::slice::from_ref(&row))]).await.unwrap();
    let mut moved = row;
    let fire = ScheduleInput::Fire { due: at(10), next: Some(at(70)), epoch: Epoch(0) };
    let firing = moved.handle(fire, at(11)).expect("it is due").expect("it fires");
    moved.version = moved.version.next();
    let rows = [moved];
    let one = [fired(1, &firing)];
    let writes = [Batch::InsertExecutions(&one), Batch::UpdateSchedules(&rows)];
    apply(&store, &writes).await.unwrap();
    // Whoever read the same due time has the same key and the same version: neither is taken.
    let other = [fired(2, &firing)];
    let writes = [Batch::UpdateSchedules(&rows), Batch::InsertExecutions(&other)];
    assert!(apply(&store, &writes).await.is_err());
    let again = [Schedule { version: rows[0].version.next(), ..rows[0].clone() }];
    let writes = [Batch::UpdateSchedules(&again), Batch::InsertExecutions(&other)];
    assert!(apply(&store, &writes).await.is_err(), "the key is taken");
    assert!(Query::execution(&store, ExecutionId(2)).await.unwrap().is_none());
    let found = Query::schedule(&store, &rows[0].name).await.unwrap();
    assert_eq!(found.as_ref(), Some(&rows[0]), "nothing of it was written");
}
