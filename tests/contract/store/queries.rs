//! What the readers see.

use super::Full;
use super::rows::*;
use serde_json::json;
use steadfast_core::decision::Outcome;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{Attempt, ExecutionId, QueueKey, Status};
use steadfast_services::port::{Batch, Cursor, ExecutionFilter, Query, Transaction};

async fn listed(store: &impl Full, filter: ExecutionFilter) -> Vec<u64> {
    let found = Query::executions(store, &filter).await.expect("the listing works");
    found.iter().map(|view| view.execution.id.0).collect()
}

pub(crate) async fn listings_hold_what_is_asked_for_newest_first<S: Full>(store: S) {
    let of = |id, status, action: &str| {
        let mut row = execution_in(id, status);
        row.action = action.into();
        row
    };
    let rows = [
        of(1, Status::Completed, "a"),
        of(2, Status::Completed, "b"),
        of(3, Status::Failed, "a"),
        of(4, Status::Running, "a"),
        of(5, Status::Queued, "b"),
        child(6, Status::Completed, 4, Some(0)),
        child(7, Status::Failed, 4, Some(1)),
    ];
    apply(&store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    let all = ExecutionFilter { limit: 10, ..ExecutionFilter::default() };
    let in_status =
        |statuses: &[Status]| ExecutionFilter { statuses: statuses.into(), ..all.clone() };
    let both = [Status::Completed, Status::Failed];
    let after = |id| Some(Cursor(ExecutionId(id)));
    let parent = Some(ExecutionId(4));
    let action = Some("a".into());
    let table: Vec<(ExecutionFilter, &[u64])> = vec![
        (all.clone(), &[7, 6, 5, 4, 3, 2, 1]),
        (ExecutionFilter { limit: 2, ..all.clone() }, &[7, 6]),
        (ExecutionFilter { limit: 2, cursor: after(6), ..all.clone() }, &[5, 4]),
        (ExecutionFilter { cursor: after(1), ..all.clone() }, &[]),
        (in_status(&[Status::Running]), &[4]),
        (in_status(&both), &[7, 6, 3, 2, 1]),
        (ExecutionFilter { limit: 3, cursor: after(7), ..in_status(&both) }, &[6, 3, 2]),
        (ExecutionFilter { action: action.clone(), ..all.clone() }, &[4, 3, 1]),
        (ExecutionFilter { action: action.clone(), ..in_status(&both) }, &[3, 1]),
        (ExecutionFilter { action, ..in_status(&[Status::Queued]) }, &[]),
        (ExecutionFilter { parent, ..all.clone() }, &[7, 6]),
        (ExecutionFilter { parent, ..in_status(&[Status::Failed]) }, &[7]),
        (ExecutionFilter { parent: Some(ExecutionId(1)), ..all }, &[]),
    ];
    for (filter, expected) in table {
        assert_eq!(listed(&store, filter.clone()).await, expected, "{filter:?}");
    }
}

pub(crate) async fn an_execution_comes_with_what_belongs_to_it<S: Full>(store: S) {
    let rows = [execution_in(1, Status::Failed), execution(2)];
    let parameters = [(ExecutionId(1), json!({"host": "h"}))];
    let outcomes = [(ExecutionId(1), Outcome { result: json!([1]), error: Some("no".to_owned()) })];
    let batches = [
        Batch::InsertExecutions(&rows),
        Batch::InsertParameters(&parameters),
        Batch::InsertOutcomes(&outcomes),
    ];
    apply(&store, &batches).await.unwrap();
    let first = Query::execution(&store, ExecutionId(1)).await.unwrap().unwrap();
    assert_eq!((first.execution, first.parameters), (rows[0].clone(), json!({"host": "h"})));
    assert_eq!(first.outcome, outcomes[0].1);
    let second = Query::execution(&store, ExecutionId(2)).await.unwrap().unwrap();
    assert_eq!((second.parameters, second.outcome), (json!({}), Outcome::default()));
    assert_eq!(Query::execution(&store, ExecutionId(3)).await, Ok(None));
}

pub(crate) async fn tasks_and_runs<S: Full>(store: S) {
    let rows = [
        child(10, Status::Completed, 1, Some(0)),
        child(11, Status::Failed, 1, Some(1)),
        child(12, Status::Running, 1, Some(2)),
        child(13, Status::Running, 2, None),
    ];
    let outcomes = [(ExecutionId(11), Outcome { result: json!(null), error: Some("e".into()) })];
    let run = Run::new(ExecutionId(1), Attempt(1));
    let visits = [Visit::new(task_key(1, "b", 0), 1), Visit::new(task_key(1, "a", 1), 1)];
    let batches = [
        Batch::InsertRuns(std::slice::from_ref(&run)),
        Batch::InsertExecutions(&rows),
        Batch::InsertVisits(&visits),
        Batch::InsertOutcomes(&outcomes),
    ];
    apply(&store, &batches).await.unwrap();
    let tasks = store.tasks(ExecutionId(1), None, 2).await.unwrap();
    let seen: Vec<_> = tasks.iter().map(|t| (t.execution.id.0, t.error.as_deref())).collect();
    assert_eq!(seen, [(10, None), (11, Some("e"))]);
    let rest = store.tasks(ExecutionId(1), Some(ExecutionId(11)), 9).await.unwrap();
    assert_eq!(rest.iter().map(|task| task.execution.id.0).collect::<Vec<_>>(), [12]);
    let [b, a] = visits;
    assert_eq!(store.run(ExecutionId(1)).await, Ok(Some((run, vec![a, b]))));
    assert_eq!(store.run(ExecutionId(2)).await, Ok(None));
}

pub(crate) async fn queues_workers_and_counts<S: Full>(store: S) {
    let mut rows = vec![
        execution_in(1, Status::Running),
        execution_in(2, Status::Offered),
        execution_in(3, Status::Queued),
        execution_in(4, Status::Queued),
        execution_in(5, Status::Completed),
    ];
    rows[1].worker = Some(worker_id("w", 9));
    rows.iter_mut().for_each(|row| row.queue = QueueKey::new("p|x"));
    let queues = [queue("p|x", Some(2)), queue("q", None)];
    let workers = [worker("w"), worker("idle")];
    let batches = [
        Batch::InsertWorkers(&workers),
        Batch::InsertQueues(&queues),
        Batch::InsertExecutions(&rows),
    ];
    apply(&store, &batches).await.unwrap();
    let seen = Query::queues(&store, None).await.unwrap();
    let summary: Vec<_> = seen.iter().map(|v| (v.waiting, v.holding, v.oldest_waiting)).collect();
    assert_eq!(summary, [(2, 2, Some(at(3))), (0, 0, None)]);
    assert_eq!(seen[0].queue, queues[0]);
    assert_eq!(Query::queues(&store, Some(&"q".into())).await.unwrap().len(), 1);
    assert_eq!(Query::queues(&store, Some(&"x".into())).await, Ok(vec![]));
    let [w, idle] = workers;
    assert_eq!(Query::workers(&store).await, Ok(vec![(idle, 0), (w, 1)]));
    let counts = store.count_by_status().await.unwrap();
    assert_eq!(counts.len(), Status::ALL.len());
    assert!(counts.contains(&(Status::Queued, 2)) && counts.contains(&(Status::Failed, 0)));
    let live = rows.iter().filter(|row| !row.status.is_terminal()).count() as u64;
    assert_eq!(store.count_by_transport().await, Ok(vec![(rows[0].transport, live)]));
}

pub(crate) async fn definitions_and_notes<S: Full>(store: S) {
    let definitions: Vec<_> =
        (0..300).map(|n| (format!("h{n}").into(), format!("{{{n}}}"))).collect();
    store.put_definitions(&definitions).await.unwrap();
    store.put_definitions(&[("h7".into(), "other".to_owned())]).await.unwrap();
    assert_eq!(store.definition(&"h7".into()).await, Ok(Some("{7}".to_owned())));
    assert_eq!(store.definition(&"h299".into()).await, Ok(Some("{299}".to_owned())));
    assert_eq!(store.definition(&"x".into()).await, Ok(None));
    store.put_definitions(&[]).await.unwrap();
    assert_eq!(store.note("n").await, Ok(None));
    store.put_note("n", "1").await.unwrap();
    store.put_note("n", "2\0").await.unwrap();
    assert_eq!(store.note("n").await, Ok(Some("2\0".to_owned())));
}

pub(crate) async fn readers_see_only_what_is_committed_and_do_not_wait<S: Full>(store: S) {
    let mut tx = store.begin("test").await.unwrap();
    tx.apply(Batch::InsertExecutions(&[execution(1)])).await.unwrap();
    assert_eq!(Query::execution(&store, ExecutionId(1)).await, Ok(None));
    commit(tx).await;
    assert!(Query::execution(&store, ExecutionId(1)).await.unwrap().is_some());
}
