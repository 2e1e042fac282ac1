//! The simulated store beside PostgreSQL: the same calls in the same order, with the same waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use steadfast_postgres::{Options, PostgresStore};
use steadfast_servers::Postgres;
use tokio::sync::Mutex;

use crate::differential::doctor::{Ailment, Doctor};
use crate::differential::replay::{Difference, step_by_step};
use crate::differential::{History, operations, record};

/// How many calls a history has; each has a database of its own.
const CALLS: usize = 2_000;

/// What is compared is answers and locks, and none of that survives: the disk is left out.
fn start() -> Postgres {
    let settings = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
    Postgres::start(&settings).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Transactions of the store under test that have begun and not ended.
const UNDER_WAY: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'";

/// Calls that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND wait_event_type = 'Lock'";

/// Waits until the server counts so many.
async fn until(watch: &Mutex<PgConnection>, sql: &'static str, count: usize) {
    let mut patience = 5_000;
    loop {
        let mut watch = watch.lock().await;
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut *watch).await.expect("it counts");
        if found == i64::try_from(count).expect("they are few") {
            return;
        }
        patience -= 1;
        assert!(patience > 0, "there are {found}, and not {count}: {sql}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn replay(server: &Postgres, history: &History, doctor: Doctor) -> Result<(), Difference> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("history_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let url = server.create_database(&name).expect("a database can be made");
    // A history is slower here than it was in the simulated world, and nobody is to run out of time.
    let long = Duration::from_secs(60);
    let options = Options {
        statement_timeout: 2 * long,
        lock_timeout: long,
        idle_timeout: long,
        ..Options::default()
    };
    let store = PostgresStore::open(&url, options).await.expect("it can be opened");
    let watch = PgConnection::connect(&url).await.expect("it connects");
    let watch = Mutex::new(watch);
    let settled = async |count: usize| until(&watch, UNDER_WAY, count).await;
    let waiting = async |count: usize| until(&watch, WAITING, count).await;
    let result = step_by_step(store.clone(), history, Arc::new(doctor), settled, waiting).await;
    store.close().await;
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_clients_are_answered_the_same_and_wait_for_the_same() {
    let server = start();
    let (mut waits, mut refusals) = (0, 0);
    for seed in 0..operations(30_000).div_ceil(CALLS) as u64 {
        let history = record(seed, 4, CALLS, None);
        let (waited, refused) = history.waits_and_refusals();
        (waits, refusals) = (waits + waited, refusals + refused);
        if let Err(Difference(text)) = replay(&server, &history, Doctor::default()).await {
            panic!("{text}");
        }
    }
    assert!(waits > 100 && refusals > 100, "too little happened: {waits}, {refusals}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_on_either_side_is_found() {
    let server = start();
    let lost = Doctor::with(Ailment::LosesAnUpdate);
    let found = replay(&server, &record(1, 4, CALLS, None), lost).await;
    assert!(found.is_err(), "a lost update was not found");
    // It hands out what somebody else has locked.
    let bug = Some("start_without_compare_and_set");
    let mut found = false;
    for seed in 0..10 {
        found |= replay(&server, &record(seed, 4, CALLS, bug), Doctor::default()).await.is_err();
        if found {
            return;
        }
    }
    panic!("a store that locks nothing was not found");
}
