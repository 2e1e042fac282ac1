//! Every load and scan, compared with what the snapshot's rows add up to.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::execution::Execution;
use steadfast_core::queue::Occupancy;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_core::workflow::{Visit, VisitState};
use steadfast_core::{ExecutionId, QueueKey, Runtime, Status, TaskKey, Timestamp, Work};
use steadfast_services::port::{Pointer, Transaction};

use super::draw::{IDS, KEYS, QUEUES, RUNTIMES, TASKS, WORKERS};
use crate::store::rows::worker_id;

fn all_ids() -> Vec<ExecutionId> {
    (1..=IDS).map(ExecutionId).collect()
}

fn all_tasks() -> Vec<TaskKey> {
    let tasks = |run| TASKS.iter().flat_map(move |task| [(run, *task, 0), (run, *task, 1)]);
    let key = |(run, task, occurrence)| crate::store::rows::task_key(run, task, occurrence);
    (1..=3).flat_map(tasks).map(key).collect()
}

fn pick(model: &Snapshot, keep: impl Fn(&&Execution) -> bool) -> Vec<Execution> {
    model.executions.iter().filter(keep).cloned().collect()
}

fn ids(pointers: &[Pointer]) -> Vec<ExecutionId> {
    pointers.iter().map(|pointer| pointer.execution).collect()
}

pub(crate) async fn compare(tx: &mut impl Transaction, model: &Snapshot) {
    rows(tx, model).await;
    queues(tx, model).await;
    executions(tx, model).await;
    children(tx, model).await;
    sweeps(tx, model).await;
    payloads(tx, model).await;
}

async fn rows(tx: &mut impl Transaction, model: &Snapshot) {
    let names = WORKERS.map(Into::into);
    let workers: Vec<Worker> = model.workers.values().cloned().collect();
    assert_eq!(tx.workers(Some(&names)).await.unwrap(), workers);
    let here = workers.into_iter().filter(|worker| worker.state != WorkerState::Gone);
    assert_eq!(tx.workers(None).await.unwrap(), here.collect::<Vec<_>>());
    let runs: Vec<_> = model.runs.values().cloned().collect();
    assert_eq!(tx.runs(&all_ids()).await.unwrap(), runs);
    let open: Vec<Visit> = model.visits.values().filter(|v| v.is_open()).cloned().collect();
    assert_eq!(tx.open_visits(&all_ids()).await.unwrap(), open);
}

async fn queues(tx: &mut impl Transaction, model: &Snapshot) {
    let keys: Vec<QueueKey> = QUEUES.map(QueueKey::new).into();
    let rows: Vec<_> = model.queues.values().cloned().collect();
    assert_eq!(tx.queues(&keys).await.unwrap(), rows);
    let limited = BTreeSet::from([keys[0].clone(), keys[3].clone()]);
    let counts: BTreeMap<QueueKey, Occupancy> =
        tx.occupancy(&keys, &limited, u64::MAX).await.unwrap().into_iter().collect();
    for key in &keys {
        let mut expected = model.occupancy(key);
        if !limited.contains(key) {
            expected.holding = 0;
        }
        assert_eq!(counts.get(key).copied().unwrap_or_default(), expected, "{key}");
    }
    let mut sorted = keys.clone();
    sorted.sort();
    for most in [1, 2, 99] {
        let line = sorted.iter().flat_map(|key| model.executions.line(key).take(most as usize));
        let line: Vec<Execution> = line.cloned().collect();
        assert_eq!(tx.line(&keys, most).await.unwrap(), line);
    }
    let waiting = sorted.iter().filter(|key| model.occupancy(key).waiting > 0);
    assert_eq!(tx.find_lines(99).await.unwrap(), waiting.cloned().collect::<Vec<_>>());
    let of_a: Vec<QueueKey> =
        model.queues.values().filter(|q| q.action == "a".into()).map(|q| q.key.clone()).collect();
    assert_eq!(tx.queues_of(&"a".into()).await.unwrap(), of_a);
}

async fn executions(tx: &mut impl Transaction, model: &Snapshot) {
    let all = pick(model, |_| true);
    assert_eq!(tx.executions(&all_ids()).await.unwrap(), all);
    let pointers = tx.pointers(&all_ids()).await.unwrap();
    let expected = all.iter().map(|row| Pointer {
        execution: row.id,
        queue: row.queue.clone(),
        definition: row.definition.clone(),
        stopping: row.status.is_terminal() || row.cancel_requested,
    });
    assert_eq!(pointers, expected.collect::<Vec<_>>());
    let keys = KEYS.map(String::from);
    let submitted = pick(model, |row| row.idempotency.is_some());
    assert_eq!(tx.executions_by_key(&keys).await.unwrap(), submitted);
    let runtimes: BTreeSet<Runtime> = RUNTIMES[..2].iter().map(Runtime::new).collect();
    let is_ready = |row: &&Execution| {
        let fits = matches!(&row.work, Work::Runtime(runtime) if runtimes.contains(runtime));
        row.status == Status::Ready && fits
    };
    for most in [1, 3, 99] {
        let mut ready = pick(model, is_ready);
        ready.truncate(most as usize);
        assert_eq!(tx.ready(&runtimes, most).await.unwrap(), ready);
    }
    let waiting: BTreeSet<Runtime> = pick(model, |row| row.status == Status::Ready)
        .into_iter()
        .filter_map(|row| match row.work {
            Work::Runtime(runtime) => Some(runtime),
            Work::Workflow => None,
        })
        .collect();
    assert_eq!(tx.find_ready().await.unwrap(), waiting.into_iter().collect::<Vec<_>>());
}

async fn children(tx: &mut impl Transaction, model: &Snapshot) {
    for most in [1, 99] {
        let (mut ended, mut live) = (Vec::new(), Vec::new());
        for run in all_ids() {
            let of_run = |row: &&Execution| row.parent() == Some(run);
            let mut of_ended = pick(model, |row| of_run(row) && row.awaits_folding());
            of_ended.truncate(most as usize);
            ended.extend(of_ended);
            let mut of_live = pick(model, |row| of_run(row) && !row.status.is_terminal());
            of_live.sort_by_key(|row| (row.cancel_requested, row.id));
            of_live.truncate(most as usize);
            live.extend(of_live.into_iter().map(|row| row.id));
        }
        assert_eq!(tx.ended_children(&all_ids(), most).await.unwrap(), ended);
        assert_eq!(ids(&tx.find_live_children(&all_ids(), most).await.unwrap()), live);
    }
}

async fn sweeps(tx: &mut impl Transaction, model: &Snapshot) {
    let now = Timestamp::from_micros(20);
    let mut due = pick(model, |row| row.wake_at.is_some_and(|at| at <= now));
    due.sort_by_key(|row| (row.wake_at, row.id));
    let due: Vec<ExecutionId> = due.iter().map(|row| row.id).collect();
    assert_eq!(ids(&tx.find_due(now, 99).await.unwrap()), due);
    let is_orphan = |row: &&Execution| {
        let Some(holder) = &row.worker else { return false };
        row.status.has_live_attempt()
            && model
                .workers
                .get(&holder.name)
                .is_none_or(|worker| worker.is_over() || worker.incarnation != holder.incarnation)
    };
    let mut orphans = ids(&tx.find_orphans(99).await.unwrap());
    orphans.sort();
    assert_eq!(orphans, pick(model, is_orphan).iter().map(|row| row.id).collect::<Vec<_>>());
    for (name, incarnation) in [("v", 0), ("w", 1), ("\0", 2)] {
        let id = worker_id(name, incarnation);
        let held = tx.held(&id).await.unwrap();
        let expected =
            pick(model, |row| row.worker.as_ref() == Some(&id) && row.status.has_live_attempt());
        assert_eq!(held.len(), expected.len());
        for (held, row) in held.iter().zip(expected) {
            assert_eq!(
                (held.execution, held.token, &held.queue),
                (row.id, row.token(), &row.queue)
            );
            assert_eq!(held.cancel_requested, row.cancel_requested);
        }
    }
    let mut loads = std::collections::BTreeMap::new();
    for row in pick(model, |row| row.status.has_live_attempt()) {
        if let Some(worker) = row.worker.clone() {
            *loads.entry(worker).or_insert(0) += 1;
        }
    }
    let mut found = tx.loads().await.unwrap();
    found.sort();
    assert_eq!(found, loads.into_iter().collect::<Vec<_>>());
    let runs: BTreeSet<ExecutionId> = runnable(model);
    assert_eq!(tx.find_runs(99).await.unwrap(), runs.into_iter().collect::<Vec<_>>());
}

fn runnable(model: &Snapshot) -> BTreeSet<ExecutionId> {
    let ready = model.executions.iter().filter(|e| e.status == Status::Ready && e.is_workflow());
    let to_fold = model.executions.iter().filter(|e| e.awaits_folding());
    let to_close = model.runs.values().filter(|run| run.open).filter_map(|run| {
        let execution = model.execution(run.execution)?;
        let over = execution.status.is_terminal() || execution.cancel_requested;
        over.then_some(run.execution)
    });
    let to_go_on = model.visits.values().filter(|visit| {
        visit.state == VisitState::Running
            && visit.created < visit.total
            && visit.created - visit.ended < visit.concurrency
    });
    let mut runs: BTreeSet<ExecutionId> = ready.map(|e| e.id).collect();
    runs.extend(to_fold.filter_map(Execution::parent));
    runs.extend(to_close);
    runs.extend(to_go_on.map(|visit| visit.key.run));
    runs
}

async fn payloads(tx: &mut impl Transaction, model: &Snapshot) {
    let parameters: Vec<_> =
        model.parameters.iter().map(|(id, value)| (*id, value.clone())).collect();
    assert_eq!(tx.parameters(&all_ids()).await.unwrap(), parameters);
    let errors = model.results.iter().filter_map(|(id, left)| Some((*id, left.error.clone()?)));
    assert_eq!(tx.errors(&all_ids()).await.unwrap(), errors.collect::<Vec<_>>());
    let mut ends = Vec::new();
    for key in all_tasks() {
        for row in model.executions.items(&key).filter(|row| row.status.is_terminal()) {
            let index = row.place.as_ref().and_then(|place| place.index);
            let left = model.results.get(&row.id).cloned().unwrap_or_default();
            ends.push((key.clone(), index, row.status, left));
        }
    }
    let found = tx.visit_results(&all_tasks()).await.unwrap();
    let found = found.into_iter().map(|r| (r.visit, r.index, r.status, r.outcome));
    assert_eq!(found.collect::<Vec<_>>(), ends);
    let pages: Vec<(TaskKey, u32)> =
        all_tasks().into_iter().flat_map(|key| [(key.clone(), 0), (key, 1)]).collect();
    let found = tx.items(&pages).await.unwrap();
    let found = found.into_iter().map(|page| ((page.visit, page.page), page.items));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), model.items);
}
