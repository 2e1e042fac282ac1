//! How SQLite carries out the statements that read: none on a hot path reads a whole table.

use sqlx::{AssertSqlSafe, Row};
use steadfast_services::port::Store;

use crate::scan;
use crate::shape::Shape;
use crate::{DataDir, EmbeddedStore, Options};

async fn plan(store: &EmbeddedStore, sql: &str) -> Vec<String> {
    let mut tx = store.begin("test").await.expect("a transaction begins");
    let connection = tx.connection().expect("it has a connection");
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(sql).fetch_all(connection).await.expect("it can be explained");
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

/// Every scan of a named index is of few rows: who is ready, who ended and was not folded, who has
/// a live attempt, which runs and visits are open.
const SMALL: &[&str] = &[
    "schedule_due",
    "execution_live",
    "execution_ready",
    "execution_line",
    "run_open",
    "visit_open",
];

fn reads_a_whole_table(step: &str) -> bool {
    let scans = [
        "SCAN s", "SCAN e", "SCAN w", "SCAN x", "SCAN y", "SCAN r", "SCAN t", "SCAN q", "SCAN o",
        "SCAN p", "SCAN f",
    ];
    let scans = scans.iter().any(|scan| {
        step.strip_prefix(scan).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    scans && !SMALL.iter().any(|index| step.contains(index))
}

#[tokio::test]
async fn no_statement_on_a_hot_path_reads_a_whole_table() {
    let directory = DataDir::temporary().await.expect("a directory");
    let store = EmbeddedStore::open(directory, Options::default()).await.expect("a store");
    let shapes: &[(&str, &Shape)] = &[
        ("workers", &scan::WORKERS),
        ("queues", &scan::QUEUES),
        ("occupancy", &scan::OCCUPANCY),
        ("line", &scan::LINE),
        ("by key", &scan::BY_KEY),
        ("ready", &scan::READY),
        ("visit results", &scan::VISIT_RESULTS),
        ("items", &scan::ITEMS),
        ("ended children", &scan::ENDED_CHILDREN),
        ("schedules", &scan::SCHEDULES),
        ("effects", &scan::EFFECTS),
    ];
    let statements = [
        ("runs", scan::RUNS),
        ("executions", scan::EXECUTIONS),
        ("live children", scan::LIVE_CHILDREN),
        ("open visits", scan::OPEN_VISITS),
        ("parameters", scan::PARAMETERS),
        ("errors", scan::ERRORS),
        ("pointers", scan::POINTERS),
        ("due", scan::DUE),
        ("orphans", scan::ORPHANS),
        ("lines", scan::LINES),
        ("ready runtimes", scan::READY_RUNTIMES),
        ("runnable", scan::RUNNABLE),
        ("held", scan::HELD),
        ("loads", scan::LOADS),
        ("queues of", scan::QUEUES_OF),
        ("due schedules", scan::DUE_SCHEDULES),
        ("due effects", scan::DUE_EFFECTS),
    ];
    let shaped = shapes.iter().map(|(name, shape)| (*name, shape.sql(16).as_str().to_owned()));
    let plain = statements.iter().map(|(name, sql)| (*name, (*sql).to_owned()));
    for (name, sql) in shaped.chain(plain) {
        let steps = plan(&store, &sql).await;
        let bad: Vec<_> = steps.iter().filter(|step| reads_a_whole_table(step)).collect();
        assert!(bad.is_empty(), "{name}: {bad:?} in {steps:#?}");
    }
}

#[tokio::test]
async fn what_an_index_gives_in_order_is_not_sorted_again() {
    let directory = DataDir::temporary().await.expect("a directory");
    let store = EmbeddedStore::open(directory, Options::default()).await.expect("a store");
    let statements = [
        ("ready", scan::READY.sql(4).as_str().to_owned()),
        ("line", scan::LINE.sql(4).as_str().to_owned()),
        ("ended children", scan::ENDED_CHILDREN.sql(4).as_str().to_owned()),
        ("executions", scan::EXECUTIONS.to_owned()),
        ("due", scan::DUE.to_owned()),
        ("due schedules", scan::DUE_SCHEDULES.to_owned()),
        ("due effects", scan::DUE_EFFECTS.to_owned()),
    ];
    for (name, sql) in statements {
        let steps = plan(&store, &sql).await;
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{name}: {steps:#?}");
    }
}

#[tokio::test]
async fn updates_go_from_the_batch_to_the_rows() {
    use crate::table::Versioned;
    let directory = DataDir::temporary().await.expect("a directory");
    let store = EmbeddedStore::open(directory, Options::default()).await.expect("a store");
    let updates = [
        ("execution", crate::table::execution::Executions::UPDATE),
        ("queue", crate::table::queue::Queues::UPDATE),
        ("worker", crate::table::worker::Workers::UPDATE),
        ("run", crate::table::run::Runs::UPDATE),
        ("visit", crate::table::visit::Visits::UPDATE),
        ("schedule", crate::table::schedule::Schedules::UPDATE),
        ("effect", crate::table::effect::Effects::UPDATE),
    ];
    for (table, shape) in updates {
        let steps = plan(&store, shape.sql(16).as_str()).await;
        let searched = steps.iter().any(|step| step.starts_with(&format!("SEARCH {table} ")));
        let scanned = steps.iter().any(|step| step.starts_with(&format!("SCAN {table}")));
        assert!(searched && !scanned, "{table}: {steps:#?}");
    }
}
