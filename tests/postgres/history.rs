//! History: where what is over stands, how it is dropped, and who waits for that.
#![expect(clippy::disallowed_methods, reason = "how long somebody waits is seen from outside")]

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steadfast_core::decision::Outcome;
use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::workflow::{Run, Visit, VisitState};
use steadfast_core::{Attempt, ExecutionId, Span, Status, Timestamp, Work};
use steadfast_postgres::{OpenError, Options, PostgresStore};
use steadfast_servers::Postgres;
use steadfast_services::port::{
    Batch, ExecutionFilter, Query, Retained, Store, StoreError, Transaction,
};
use tokio::task::JoinSet;

use crate::place::{database, open, server};
use crate::store::rows::*;

const DAY: u64 = 86_400_000_000;
const KEEP: Span = Span::from_secs(86_400);

/// A store, and its database to be looked into.
struct House {
    store: PostgresStore,
    server: Arc<Postgres>,
    name: String,
}

impl House {
    async fn open() -> Self {
        let server = server();
        let name = database(&server);
        let store = open(&server.url(&name)).await;
        Self { store, server, name }
    }

    fn ask(&self, sql: &str) -> String {
        let path = format!("SET search_path = steadfast; {sql}");
        self.server.execute(&self.name, &path).unwrap().trim().to_owned()
    }

    /// How many executions live.
    fn live(&self) -> String {
        self.ask("SELECT count(*) FROM execution_live")
    }

    async fn now(&self) -> Timestamp {
        let mut tx = self.store.begin("test").await.unwrap();
        let now = tx.now().await.unwrap();
        commit(tx).await;
        now
    }

    /// Looks after history until there is no more to do.
    async fn retain(&self) -> Retained {
        let mut all = Retained::default();
        for _ in 0..50 {
            let done = self.store.retain(KEEP).await.expect("history is looked after");
            all.filed += done.filed;
            all.dropped += done.dropped;
            all.definitions += done.definitions;
            if !done.more {
                return all;
            }
        }
        panic!("it does not come to an end");
    }

    async fn is_there(&self, id: u64) -> bool {
        Query::execution(&self.store, ExecutionId(id)).await.unwrap().is_some()
    }
}

fn at_time(mut row: Execution, ended_at: Timestamp) -> Execution {
    row.ended_at = Some(ended_at);
    row
}

fn ago(now: Timestamp, days: u64) -> Timestamp {
    Timestamp::from_micros(now.as_micros() - days * DAY)
}

#[tokio::test]
async fn what_ends_is_filed_at_once_and_found_as_before() {
    let house = House::open().await;
    let store = &house.store;
    let mut row = execution_in(1, Status::Running);
    row.idempotency = Some(Idempotency { key: "k".into(), fingerprint: "f".into() });
    let parameters = [(row.id, json!({"a": 1}))];
    apply(store, &[Batch::InsertExecutionsWith(&[row.clone()], &parameters)]).await.unwrap();
    assert_eq!(house.live(), "1");
    let over = next(row, |row| {
        row.status = Status::Failed;
        row.ended_at = Some(at(7));
    });
    let left = [(over.id, Outcome { result: json!([1]), error: Some("no".into()) })];
    apply(store, &[Batch::UpdateExecutionsWith(from_ref(&over), &left)]).await.unwrap();
    assert_eq!(house.live(), "0");

    let view = Query::execution(store, over.id).await.unwrap().expect("it is there");
    assert_eq!((&view.execution, &view.outcome), (&over, &left[0].1));
    assert_eq!(view.parameters, json!({"a": 1}));
    let mut tx = store.begin("test").await.unwrap();
    assert_eq!(tx.executions(&[over.id]).await.unwrap(), from_ref(&over));
    assert_eq!(tx.executions_by_key(&["k".into()]).await.unwrap(), from_ref(&over));
    assert_eq!(tx.parameters(&[over.id]).await.unwrap(), parameters);
    assert_eq!(tx.errors(&[over.id]).await.unwrap(), [(over.id, "no".to_owned())]);
    assert!(tx.pointers(&[over.id]).await.unwrap()[0].stopping);
    commit(tx).await;
    let of = ExecutionFilter { limit: 5, ..ExecutionFilter::default() };
    let failed = ExecutionFilter { statuses: vec![Status::Failed], ..of.clone() };
    let action = ExecutionFilter { action: Some("a.b".into()), ..of };
    for filter in [failed, action] {
        assert_eq!(Query::executions(store, &filter).await.unwrap().len(), 1, "{filter:?}");
    }
    // Its identity and its key are taken, and a stale write is one here too.
    let mut same_key = execution(2);
    same_key.idempotency = over.idempotency.clone();
    for row in [execution(1), same_key] {
        let refused = apply(store, &[Batch::InsertExecutions(&[row])]).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let stale = apply(store, &[Batch::UpdateExecutions(&[over])]).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
}

#[tokio::test]
async fn who_waits_for_a_row_that_is_filed_decides_again() {
    let house = House::open().await;
    let row = execution_in(1, Status::Running);
    apply(&house.store, &[Batch::InsertExecutions(from_ref(&row))]).await.unwrap();
    let mut one = house.store.begin("test").await.unwrap();
    one.executions(&[row.id]).await.unwrap();
    let two = house.store.clone();
    let waits = async move {
        let mut two = two.begin("test").await.unwrap();
        let found = two.executions(&[ExecutionId(1)]).await;
        assert!(matches!(found, Err(StoreError::Conflict(_))), "{found:?}");
    };
    let ends = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let over = next(row, |row| {
            row.status = Status::Completed;
            row.ended_at = Some(at(7));
        });
        one.apply(Batch::UpdateExecutions(&[over])).await.unwrap();
        commit(one).await;
    };
    tokio::join!(waits, ends);
}

/// A workflow in a workflow: 1 has 2 and 3, and 3 has 4 and 5.
async fn nest(house: &House, root: Status, ended_at: Timestamp) {
    let workflow = |mut row: Execution| {
        row.work = Work::Workflow;
        row
    };
    let mut top = workflow(execution_in(1, root));
    top.ended_at = root.is_terminal().then_some(ended_at);
    let over = |row| at_time(row, ended_at);
    let rows = [
        top,
        over(child(2, Status::Completed, 1, Some(0))),
        workflow(over(child(3, Status::Completed, 1, Some(1)))),
        over(child(4, Status::Completed, 3, Some(0))),
        over(child(5, Status::Failed, 3, Some(1))),
    ];
    let run = |id, open| {
        let mut run = Run::new(ExecutionId(id), Attempt(1));
        run.open = open;
        run
    };
    let mut visits = [Visit::new(task_key(1, "t", 0), 1), Visit::new(task_key(3, "t", 0), 1)];
    for visit in &mut visits {
        visit.state = VisitState::Ended;
    }
    let runs = [run(1, !root.is_terminal()), run(3, false)];
    let batches =
        [Batch::InsertRuns(&runs), Batch::InsertExecutions(&rows), Batch::InsertVisits(&visits)];
    apply(&house.store, &batches).await.unwrap();
}

#[tokio::test]
async fn what_belongs_to_a_run_is_filed_after_it_is_over_with_all_that_it_belongs_to() {
    let house = House::open().await;
    nest(&house, Status::Running, at(7)).await;
    assert_eq!(house.retain().await.filed, 0);
    assert_eq!(house.live(), "5", "an open run keeps what ended in it");

    let mut tx = house.store.begin("test").await.unwrap();
    let row = tx.executions(&[ExecutionId(1)]).await.unwrap().remove(0);
    let mut run = tx.runs(&[ExecutionId(1)]).await.unwrap().remove(0);
    let over = next(row, |row| {
        row.status = Status::Completed;
        row.ended_at = Some(at(9));
    });
    tx.apply(Batch::UpdateExecutions(&[over])).await.unwrap();
    commit(tx).await;
    assert_eq!(house.retain().await.filed, 2, "its run is open: 1 to 3 stay");
    (run.version, run.open) = (run.version.next(), false);
    apply(&house.store, &[Batch::UpdateRuns(&[run])]).await.unwrap();
    assert_eq!(house.retain().await.filed, 3);
    assert_eq!(house.live(), "0");
    assert_eq!(
        house.ask("SELECT (SELECT count(*) FROM run_live), count(*) FROM visit_live"),
        "0|0"
    );
    assert_eq!(house.store.tasks(ExecutionId(1), None, 9).await.unwrap().len(), 2);
    assert_eq!(house.store.tasks(ExecutionId(3), None, 9).await.unwrap().len(), 2);
    let (run, visits) = house.store.run(ExecutionId(3)).await.unwrap().expect("it is there");
    assert_eq!((run.open, visits.len()), (false, 1));
    let mut tx = house.store.begin("test").await.unwrap();
    assert_eq!(tx.runs(&[ExecutionId(1)]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_day_is_dropped_as_a_whole_and_its_disk_is_free() {
    let house = House::open().await;
    let now = house.now().await;
    let old = ago(now, 3);
    house.ask(&format!("SELECT make_day({})", old.as_micros() / DAY));
    let mut rows: Vec<Execution> =
        (10..3_000).map(|id| at_time(execution_in(id, Status::Completed), old)).collect();
    rows.push(at_time(execution_in(9_001, Status::Completed), now));
    apply(&house.store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    nest(&house, Status::Running, old).await;
    let size = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits \
                WHERE inhparent = 'execution'::regclass";
    let before: u64 = house.ask(size).parse().unwrap();
    let days: u64 = house.ask("SELECT count(*) FROM days()").parse().unwrap();
    assert!(house.retain().await.dropped > 0);
    let after: u64 = house.ask(size).parse().unwrap();
    assert!(after + 400_000 < before, "{after} of {before} bytes are left");
    assert_eq!(house.ask("SELECT count(*) FROM days()"), (days - 1).to_string());
    assert!(!house.is_there(10).await && house.is_there(9_001).await);
    assert_eq!(house.live(), "5", "what ended long ago in an open run is still there");
}

#[tokio::test]
async fn what_has_no_day_is_taken_in_all_the_same_and_finds_it_later() {
    let house = House::open().await;
    let now = house.now().await;
    let later = Timestamp::from_micros(now.as_micros() + 9 * DAY);
    let later = at_time(execution_in(2, Status::Completed), later);
    let old = at_time(execution_in(3, Status::Completed), ago(now, 400));
    apply(&house.store, &[Batch::InsertExecutions(&[later, old])]).await.unwrap();
    assert_eq!(house.ask("SELECT count(*) FROM execution_rest"), "2");
    house.ask(&format!("SELECT make_day({})", now.as_micros() / DAY + 9));
    assert_eq!(house.ask("SELECT count(*) FROM execution_rest"), "1");
    assert_eq!(house.retain().await.dropped, 1);
    assert!(house.is_there(2).await && !house.is_there(3).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_waits_for_no_reader_and_nobody_who_works_waits_for_it() {
    let house = House::open().await;
    let patient = Options { idle_timeout: Duration::from_secs(60), ..Options::default() };
    let readers = PostgresStore::open(&house.server.url(&house.name), patient).await.unwrap();
    let now = house.now().await;
    house.ask(&format!("SELECT make_day({})", ago(now, 3).as_micros() / DAY));
    let old = at_time(execution_in(1, Status::Completed), ago(now, 3));
    let ready: Vec<_> = (2..200).map(|id| execution_in(id, Status::Ready)).collect();
    let batches = [Batch::InsertExecutions(&[old]), Batch::InsertExecutions(&ready)];
    apply(&house.store, &batches).await.unwrap();

    let mut reader = readers.begin("test").await.unwrap();
    assert_eq!(reader.pointers(&[ExecutionId(1)]).await.unwrap().len(), 1);
    let sweeping = async {
        for _ in 0..3 {
            assert_eq!(house.store.retain(KEEP).await.unwrap().dropped, 0, "somebody reads it");
        }
    };
    let working = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let began = std::time::Instant::now();
            let mut tx = house.store.begin("test").await.unwrap();
            let rows = tx.ready(&["shell".into()].into(), 2).await.unwrap();
            let over: Vec<_> = rows
                .into_iter()
                .map(|row| {
                    next(row, |row| {
                        row.status = Status::Cancelled;
                        row.ended_at = Some(now);
                    })
                })
                .collect();
            tx.apply(Batch::UpdateExecutions(&over)).await.unwrap();
            commit(tx).await;
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        slowest
    };
    let ((), slowest) = tokio::join!(sweeping, working);
    assert!(slowest < Duration::from_millis(2_500), "somebody waited for {slowest:?}");
    commit(reader).await;
    assert!(house.retain().await.dropped > 0);
    assert!(!house.is_there(1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_may_look_after_history_while_work_goes_on() {
    let house = House::open().await;
    let now = house.now().await;
    for days in 3..8 {
        house.ask(&format!("SELECT make_day({})", ago(now, days).as_micros() / DAY));
    }
    let rows: Vec<_> = (1..=500)
        .map(|id| at_time(execution_in(id, Status::Completed), ago(now, 3 + id % 5)))
        .collect();
    apply(&house.store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..6u64 {
        let store = house.store.clone();
        tasks.spawn(async move {
            for n in 0..20 {
                if task < 3 {
                    store.retain(KEEP).await.expect("it never fails for others");
                    continue;
                }
                let id = 1_000 * task + n;
                let row = execution_in(id, Status::Running);
                apply(&store, &[Batch::InsertExecutions(from_ref(&row))]).await.unwrap();
                let over = next(row, |row| {
                    row.status = Status::Completed;
                    row.ended_at = Some(now);
                });
                apply(&store, &[Batch::UpdateExecutions(&[over])]).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    house.retain().await;
    assert_eq!(house.ask("SELECT count(*) FROM execution"), "60");
    assert_eq!(house.live(), "0");
}

#[tokio::test]
async fn definitions_go_when_nobody_speaks_of_them_and_nothing_is_pinned_to_them() {
    let house = House::open().await;
    let put = |hash: &str, body: &str| (hash.into(), body.to_owned());
    let all =
        [put("h1", "{}"), put("old", "{}"), put("inner", "{}"), put("kept", "{\"a\":\"inner\"}")];
    house.store.put_definitions(&all).await.unwrap();
    apply(&house.store, &[Batch::InsertExecutions(&[execution_in(1, Status::Completed)])])
        .await
        .unwrap();
    // `h1` is what the execution is pinned to, and `kept` is what a process speaks of.
    house.ask("UPDATE definition SET seen_at = 1");
    house.store.put_definitions(&all[3..]).await.unwrap();
    // It ended in 2023 and goes at once, so what it was pinned to goes too, at the next look.
    apply(&house.store, &[Batch::InsertExecutions(&[execution_in(2, Status::Queued)])])
        .await
        .unwrap();
    assert_eq!(house.retain().await.definitions, 1);
    let left = house.ask("SELECT string_agg(hash, ' ' ORDER BY hash) FROM definition");
    assert_eq!(left, "h1 inner kept");
}

/// The schema as the first version had it, with rows of all kinds.
fn first_version(house: &Postgres, name: &str) {
    let tables = include_str!("../../runtime/postgres/migrations/0001_tables.sql");
    let sql = format!(
        "BEGIN; CREATE SCHEMA steadfast; SET LOCAL search_path = steadfast; \
         CREATE TABLE migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
         applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()); \
         INSERT INTO migration (version, name) VALUES (1, 'tables'); {tables} \
         INSERT INTO execution (id, version, status, runtime, queue, line, attempt, failures, \
          losses, worker, incarnation, cancel_requested, folded, wake_at, ended_at, run, task, \
          occurrence, item, action, definition, transport, created_at, idempotency_key, \
          fingerprint, policy) VALUES \
          (1, 4, 7, 'shell', 'q', 1, 1, 0, 0, 'w', 1, false, false, NULL, \
           (extract(epoch FROM now()) * 1000000)::int8, NULL, NULL, NULL, NULL, 'a', 'd', 0, 5, \
           'k', 'f', '{{\"max_losses\":9}}'), \
          (2, 2, 2, 'shell', 'q', 2, 0, 0, 0, NULL, NULL, false, false, 77, NULL, NULL, NULL, NULL, \
           NULL, 'a', 'd', 0, 5, NULL, NULL, NULL), \
          (3, 2, 5, NULL, 'r', 1, 1, 0, 0, NULL, NULL, false, false, NULL, NULL, NULL, NULL, NULL, \
           NULL, 'b', 'd', 0, 5, NULL, NULL, NULL), \
          (4, 3, 8, 'shell', 'q', 3, 1, 1, 0, 'w', 1, false, true, NULL, 9, 3, 't', 0, 2, 'a', 'd', \
           0, 5, NULL, NULL, NULL), \
          (5, 3, 7, 'shell', 'q', 4, 1, 0, 0, 'w', 1, false, false, NULL, 11, NULL, NULL, NULL, \
           NULL, 'a', 'd', 0, 5, NULL, NULL, NULL); \
         INSERT INTO execution_parameters VALUES (1, '{{\"a\":1}}'), (2, '{{\"a\":2}}'); \
         INSERT INTO execution_outcome VALUES (1, '5', NULL), (4, NULL, 'no'); \
         INSERT INTO queue VALUES ('q', 1, 'a', 3, NULL, false, 5, 2, 9); \
         INSERT INTO run VALUES (3, 2, 1, true, false, '{{\"v\":1}}', NULL, NULL, NULL); \
         INSERT INTO visit VALUES (3, 't', 0, 1, 1, NULL, NULL, 1, false, true, 3, 1, 3, 3, 1, 1, \
          0, 2, NULL, NULL, NULL, true); \
         INSERT INTO visit_items VALUES (3, 't', 0, 0, '[1,2,3]'); \
         INSERT INTO definition VALUES ('d', '{{}}'); COMMIT"
    );
    house.execute(name, &sql.replace('\0', "")).unwrap();
}

#[tokio::test]
async fn a_database_of_the_first_version_keeps_everything() {
    let server = server();
    let name = database(&server);
    first_version(&server, &name);
    let careful = Options { migrate: false, ..Options::default() };
    let refused = PostgresStore::open(&server.url(&name), careful).await.map(|_| ());
    assert!(matches!(refused, Err(OpenError::OlderSchema { found: 1, .. })), "{refused:?}");
    let store = open(&server.url(&name)).await;
    let house = House { store, server, name };
    let view = async |id| Query::execution(&house.store, ExecutionId(id)).await.unwrap().unwrap();
    let one = view(1).await;
    assert_eq!((one.parameters, one.outcome.result), (json!({"a": 1}), json!(5)));
    assert_eq!((one.execution.version.0, one.execution.policy.max_losses), (4, 9));
    assert_eq!(view(2).await.parameters, json!({"a": 2}));
    assert_eq!(view(4).await.outcome.error.as_deref(), Some("no"));
    assert_eq!(view(5).await.outcome, Outcome::default());
    assert_eq!(house.live(), "3", "what is over and belongs to no run is history");
    let mut tx = house.store.begin("test").await.unwrap();
    assert_eq!(tx.executions_by_key(&["k".into()]).await.unwrap().len(), 1);
    assert_eq!(ids(&tx.ready(&["shell".into()].into(), 9).await.unwrap()), [2]);
    assert_eq!(tx.open_visits(&[ExecutionId(3)]).await.unwrap().len(), 1);
    assert_eq!(tx.items(&[(task_key(3, "t", 0), 0)]).await.unwrap()[0].items.len(), 3);
    assert_eq!(tx.visit_results(&[task_key(3, "t", 0)]).await.unwrap().len(), 1);
    assert_eq!(tx.queues(&["q".into()]).await.unwrap()[0].completed, 2);
    let twice = tx.apply(Batch::InsertOutcomes(&[(ExecutionId(1), Outcome::default())])).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
}
