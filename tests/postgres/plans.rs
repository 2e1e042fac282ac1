//! How the server carries the statements out, over many rows: by its own account of what each
//! statement really did.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::schedule::{Plan, Schedule, ScheduleName, ScheduleState};
use steadfast_core::worker::WorkerState;
use steadfast_core::workflow::{Run, Visit, VisitState};
use steadfast_core::{Attempt, ExecutionId, QueueKey, Span, Status, Timestamp, Work};
use steadfast_postgres::PostgresStore;
use steadfast_servers::Postgres;
use steadfast_services::port::{Batch, ExecutionFilter, Query, Store, Transaction};

use crate::place::{database, open};
use crate::store::rows::*;

/// So many executions have ended, besides those that live.
const ENDED: u64 = 20_000;
/// So many of each kind that a scan looks for.
const LIVE: u64 = 2_000;

/// The server writes down every plan, with how many rows each part of it went through.
const WATCHED: &[(&str, &str)] = &[
    ("autovacuum", "off"),
    ("shared_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_timing", "off"),
    ("auto_explain.log_buffers", "on"),
    ("auto_explain.log_format", "json"),
    ("auto_explain.log_nested_statements", "on"),
];

/// What has ended, with its runs and visits.
async fn fill_with_ended(store: &PostgresStore) {
    let mut rows: Vec<Execution> = Vec::new();
    for id in 1..=ENDED {
        let mut row = execution_in(id, Status::Completed);
        if id % 2 == 0 {
            row = child(id, Status::Completed, 1 + id % 40, Some(id as u32));
            row.folded = true;
        }
        rows.push(row);
    }
    let runs: Vec<Run> = (1..=ENDED).map(|id| run(id, id <= 20)).collect();
    let visits: Vec<Visit> = (1..=ENDED).map(|id| visit(id, id <= 20)).collect();
    let (mut dead, alive) = (worker("dead"), worker("w"));
    dead.state = WorkerState::Dead;
    let queues: Vec<Queue> = (0..2000).map(|n| queue(&format!("q{n}"), Some(3))).collect();
    let batches = [
        Batch::InsertWorkers(&[dead, alive]),
        Batch::InsertQueues(&queues),
        Batch::InsertRuns(&runs),
        Batch::InsertExecutions(&rows),
        Batch::InsertVisits(&visits),
    ];
    apply(store, &batches).await.expect("written");
}

/// What lives, in the same runs; its identities come after `after`.
async fn fill_with_living(store: &PostgresStore, after: u64) {
    let schedule = |n: u64| {
        let plan = Plan::every(Span::from_secs(60), "a.b".into());
        let row = Schedule::new(ScheduleName::new(&format!("s{n}")), plan, at(n), at(0));
        let state =
            if n.is_multiple_of(2) { ScheduleState::Active } else { ScheduleState::Removed };
        Schedule { state, ..row }
    };
    let schedules: Vec<Schedule> = (after..after + LIVE).map(schedule).collect();
    apply(store, &[Batch::InsertSchedules(&schedules)]).await.expect("written");
    let mut rows: Vec<Execution> = Vec::new();
    let kinds = [Status::Ready, Status::Queued, Status::Running, Status::Completed];
    for (kind, status) in (1u64..).zip(kinds) {
        for n in 0..LIVE {
            let id = after + kind * LIVE + n;
            let mut row = child(id, status, 1 + n % 20, Some(id as u32));
            row.queue = QueueKey::new(format!("q{}", n % 10));
            row.wake_at = (status != Status::Completed).then(|| at(id));
            if n % 2 == 0 {
                row.work = Work::Runtime("python".into());
            }
            if n % 100 == 0 && status == Status::Running {
                row.worker = Some(worker_id("dead", 1));
            }
            rows.push(row);
        }
    }
    apply(store, &[Batch::InsertExecutions(&rows)]).await.expect("written");
}

/// So many of each kind are of no interest to anybody: history, what is ready for a runtime that no
/// worker has, and a long line.
const MANY: u64 = 50_000;

async fn fill_with_others(store: &PostgresStore) {
    let kinds = [(Status::Completed, 2), (Status::Ready, 1), (Status::Queued, 1)];
    let mut id = 1_000_000;
    for (status, times) in kinds {
        let mut rows: Vec<Execution> = Vec::new();
        for n in 0..MANY * times {
            id += 1;
            let mut row = execution_in(id, status);
            row.queue = QueueKey::new(format!("q{}", 1_000 + n % 2));
            row.work = Work::Runtime("perl".into());
            // Over three days.
            row.ended_at =
                row.ended_at.map(|at| Timestamp::from_micros(at.as_micros() + n % 3 * DAY));
            rows.push(row);
        }
        apply(store, &[Batch::InsertExecutions(&rows)]).await.expect("written");
    }
}

/// Microseconds of a day.
const DAY: u64 = 86_400_000_000;

fn run(id: u64, open: bool) -> Run {
    let mut row = Run::new(ExecutionId(id), Attempt(1));
    row.open = open;
    row
}

fn visit(id: u64, open: bool) -> Visit {
    let mut row = Visit::new(task_key(id, "t", 0), 1);
    if !open {
        row.state = VisitState::Ended;
        row.status = Some(Status::Completed);
    }
    row
}

/// What a plan's parts did: the name of each with its table, and how many rows it looked at.
fn parts(plan: &Value, all: &mut Vec<(String, u64)>) {
    let text = |key: &str| plan[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| plan[key].as_f64().unwrap_or_default();
    let looked_at = number("Actual Rows")
        + number("Rows Removed by Filter")
        + number("Rows Removed by Index Recheck");
    let name = format!("{} {} {}", text("Node Type"), text("Relation Name"), text("Index Name"));
    all.push((name, (looked_at * number("Actual Loops")) as u64));
    for below in plan["Plans"].as_array().into_iter().flatten() {
        parts(below, all);
    }
}

/// The plans that the server has written down since `from`, each with its statement.
fn plans(log: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for chunk in log.split("plan:\n").skip(1) {
        // Lines that belong together begin with a tab.
        let lines = chunk.lines().take_while(|line| line.starts_with('\t'));
        let text: String = lines.collect();
        all.push(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")));
    }
    all
}

/// No table is read as a whole, and no part of any statement looked at more than `most` rows.
fn check(server: &Postgres, from: usize, name: &str, most: u64) {
    let log = server.log();
    let plans = plans(&log[from..]);
    let of_ours = |plan: &&Value| {
        let text = plan["Query Text"].as_str().unwrap_or_default();
        !text.contains("set_config")
    };
    let ours: Vec<&Value> = plans.iter().filter(of_ours).collect();
    assert!(!ours.is_empty(), "{name}: no plan was written down");
    for plan in ours {
        let mut all = Vec::new();
        parts(&plan["Plan"], &mut all);
        let bad = all.iter().filter(|(part, rows)| {
            *rows > most || (part.starts_with("Seq Scan") && !part.contains("Seq Scan  "))
        });
        let bad: Vec<_> = bad.collect();
        assert!(bad.is_empty(), "{name}: {bad:?} in {}", plan["Query Text"]);
        // Walking through a whole index for each row finds one row each time.
        let pages = plan["Plan"]["Shared Hit Blocks"].as_u64().unwrap_or_default();
        assert!(pages <= 200 + most * 12, "{name}: {pages} pages in {}", plan["Plan"]);
    }
}

macro_rules! watched {
    ($server:expr, $store:expr, $most:expr, |$tx:ident| $call:expr) => {{
        let from = $server.log().len();
        let mut $tx = $store.begin("test").await.unwrap();
        let found = $call.await.unwrap();
        commit($tx).await;
        check(&$server, from, stringify!($call), $most);
        found
    }};
}

#[tokio::test]
async fn no_statement_looks_at_much_more_than_it_finds() {
    let server = Postgres::start(WATCHED).unwrap();
    let name = database(&server);
    let store = open(&server.url(&name)).await;
    fill_with_ended(&store).await;
    fill_with_living(&store, ENDED).await;
    let day = at(1_000_000).as_micros() / DAY;
    for day in day..day + 2 {
        server
            .execute(&name, &format!("SET search_path = steadfast; SELECT make_day({day})"))
            .unwrap();
    }
    fill_with_others(&store).await;
    // Once when nobody has ever counted the rows, and once after that.
    scans(&server, &store).await;
    server.execute(&name, "ANALYZE").unwrap();
    scans(&server, &store).await;
}

#[tokio::test]
async fn nor_does_it_when_the_rows_were_counted_while_little_lived() {
    let server = Postgres::start(WATCHED).unwrap();
    let name = database(&server);
    let store = open(&server.url(&name)).await;
    fill_with_ended(&store).await;
    fill_with_living(&store, ENDED).await;
    let end = "UPDATE steadfast.execution SET status = 7, ended_at = 1, wake_at = NULL, \
               folded = true WHERE status < 7; VACUUM ANALYZE";
    end.split(';').for_each(|sql| drop(server.execute(&name, sql).unwrap()));
    fill_with_living(&store, 2 * ENDED).await;
    scans(&server, &store).await;
}

async fn scans(server: &Postgres, store: &PostgresStore) {
    let eid = |ids: &[u64]| ids.iter().map(|id| ExecutionId(*id)).collect::<Vec<_>>();
    let keys: Vec<QueueKey> = ["q1", "q2", "q3"].map(QueueKey::new).into();
    let some = eid(&[5, 700, 15_000, 23_000]);
    let python = ["python".into(), "shell".into()].into();
    let limited = keys.iter().cloned().collect();
    watched!(server, store, 8, |tx| tx.workers(Some(&["w".into()])));
    watched!(server, store, 8, |tx| tx.queues(&keys));
    // It counts: 200 of each queue wait, 200 are ready and 200 run.
    watched!(server, store, 1300, |tx| tx.occupancy(&keys, &limited, 1_000));
    watched!(server, store, 40, |tx| tx.occupancy(&keys, &BTreeSet::new(), 4));
    let line = watched!(server, store, 20, |tx| tx.line(&keys, 4));
    assert_eq!(line.len(), 12);
    watched!(server, store, 8, |tx| tx.runs(&some));
    assert_eq!(watched!(server, store, 8, |tx| tx.executions(&some)).len(), 4);
    watched!(server, store, 8, |tx| tx.executions_by_key(&["k".to_owned()]));
    let ready = watched!(server, store, 20, |tx| tx.ready(&python, 16));
    assert_eq!(ready.len(), 16);
    let shell = ["shell".into()].into();
    assert_eq!(watched!(server, store, 20, |tx| tx.ready(&shell, 16)).len(), 16);
    let ended = watched!(server, store, 20, |tx| tx.ended_children(&eid(&[1, 2]), 5));
    assert_eq!(ended.len(), 10);
    assert_eq!(watched!(server, store, 20, |tx| tx.find_live_children(&eid(&[1]), 5)).len(), 5);
    assert_eq!(watched!(server, store, 20, |tx| tx.open_visits(&eid(&[1, 2, 900]))).len(), 2);
    watched!(server, store, 8, |tx| tx.parameters(&some));
    watched!(server, store, 8, |tx| tx.errors(&some));
    let visit = [task_key(31, "t", 0)];
    assert_eq!(watched!(server, store, 550, |tx| tx.visit_results(&visit)).len(), 500);
    watched!(server, store, 8, |tx| tx.items(&[(visit[0].clone(), 0)]));
    assert_eq!(watched!(server, store, 8, |tx| tx.pointers(&some)).len(), 4);
    assert_eq!(
        watched!(server, store, 8, |tx| tx.find_due(Timestamp::from_micros(T * 2), 5)).len(),
        5
    );
    // Those who live are looked at, each with its worker.
    assert_eq!(watched!(server, store, 2500, |tx| tx.find_orphans(5)).len(), 5);
    assert_eq!(watched!(server, store, 30, |tx| tx.find_lines(5)).len(), 5);
    assert_eq!(watched!(server, store, 8, |tx| tx.find_ready()).len() / 2, 1);
    assert_eq!(watched!(server, store, 100, |tx| tx.find_runs(5)).len(), 5);
    watched!(server, store, 8, |tx| tx.held(&worker_id("nobody", 1)));
    watched!(server, store, 8, |tx| tx.queues_of(&"q7".into()));
    watched!(server, store, 8, |tx| tx
        .schedules(&[ScheduleName::new("s7"), ScheduleName::new("x")]));
    assert_eq!(watched!(server, store, 10, |tx| tx.find_schedules(5)).len(), 5);
    let row = watched!(server, store, 8, |tx| tx.executions(&eid(&[77]))).remove(0);
    let changed = [next(row, |row| row.losses += 1)];
    watched!(server, store, 8, |tx| tx.apply(Batch::UpdateExecutions(&changed)));
    listings(server, store).await;
}

async fn listings(server: &Postgres, store: &PostgresStore) {
    let newest = ExecutionFilter { limit: 10, ..ExecutionFilter::default() };
    let statuses = vec![Status::Running, Status::Queued];
    let filters: BTreeMap<&str, ExecutionFilter> = [
        ("newest", newest.clone()),
        ("of two statuses", ExecutionFilter { statuses, ..newest.clone() }),
        ("of an action", ExecutionFilter { action: Some("a.b".into()), ..newest.clone() }),
        ("of a run", ExecutionFilter { parent: Some(ExecutionId(1)), ..newest }),
    ]
    .into();
    for (name, filter) in filters {
        let from = server.log().len();
        assert_eq!(Query::executions(store, &filter).await.unwrap().len(), 10, "{name}");
        // What is under way is sorted, and who waits is looked for among the newest of the living.
        let most = if name == "of two statuses" { 3 * LIVE } else { 60 };
        check(server, from, name, most);
    }
}
