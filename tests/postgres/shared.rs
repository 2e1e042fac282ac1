//! Several engines on one database, each with its own connections and its own hints: what one of
//! them decides the others find in the rows.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steadfast_core::schedule::{Firing, Missed, Plan, ScheduleName};
use steadfast_core::{ExecutionId, Span, Timestamp, Transport};
use steadfast_postgres::PostgresStore;
use steadfast_services::port::{ExecutionFilter, ExecutionView, Query};
use steadfast_services::service::schedule::{self, Order};
use tokio::task::JoinSet;

use crate::place::{database, open, server};
use crate::services::{ended, start, submit, world};

/// How many workflows each engine submits.
const EACH: usize = 4;

/// Two engines with a worker each, to which both have submitted workflows; the tasks end when
/// these have.
async fn two_engines(url: &str) -> JoinSet<ExecutionId> {
    let mut runs = JoinSet::new();
    for name in ["one", "two"] {
        let world = world(open(url).await, Transport::Embedded, false);
        let (doors, stop) = start(&world, &[name]);
        for _ in 0..EACH {
            let id = submit(&world, &doors).await;
            let (world, doors, stop) = (world.clone(), doors.clone(), stop.clone());
            runs.spawn(async move {
                ended(&world, id).await;
                drop((doors, stop));
                id
            });
        }
    }
    runs
}

/// Each task of each run exists once and has been done. Returns how many attempts all took.
async fn check(store: &PostgresStore, runs: Vec<ExecutionId>) -> usize {
    assert_eq!(runs.len(), 2 * EACH);
    for run in runs {
        let tasks = store.tasks(run, None, 100).await.expect("it can be read");
        // Seven items, and one after and one beside them.
        assert_eq!(tasks.len(), 9, "{run}");
        assert!(tasks.iter().all(|task| task.error.is_none()), "{run}");
    }
    let all = ExecutionFilter { limit: 1000, ..ExecutionFilter::default() };
    let all = Query::executions(store, &all).await.expect("it can be read");
    all.iter().map(|view| view.execution.attempt.0 as usize).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_share_a_database() {
    let server = server();
    let url = server.url(&database(&server));
    let runs = two_engines(&url).await.join_all().await;
    let attempts = check(&open(&url).await, runs).await;
    assert_eq!(attempts, 2 * EACH * 10, "an attempt each, and nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_end_their_work_while_their_sessions_are_ended_again_and_again() {
    let server = server();
    let name = database(&server);
    let url = server.url(&name);
    let mut runs = two_engines(&url).await;
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    let (mut done, mut terminated) = (Vec::new(), 0);
    while done.len() < 2 * EACH {
        let next = tokio::time::timeout(Duration::from_millis(100), runs.join_next()).await;
        match next {
            Ok(run) => done.push(run.expect("one is missing").expect("it ended well")),
            Err(_) if terminated < 40 => {
                let count = server.execute("postgres", &sql).expect("the server obeys");
                terminated += count.trim().parse::<u32>().expect("it is a number");
            }
            Err(_) => {}
        }
    }
    assert!(terminated > 3, "only {terminated} sessions were ended");
    check(&open(&url).await, done).await;
}

/// For how many seconds a schedule fires each second.
const SECONDS: usize = 6;

/// Three executors look after one schedule, and their sessions are ended again and again: each due
/// time from the first to the last has one execution.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_that_share_a_schedule_fire_each_due_time_once() {
    let server = server();
    let name = database(&server);
    let url = server.url(&name);
    let mut running = Vec::new();
    for worker in ["one", "two", "three"] {
        let world = world(open(&url).await, Transport::Embedded, false);
        running.push((start(&world, &[worker]), world));
    }
    let every = Span::from_secs(1);
    let plan = Plan::every(every, "test.double".into());
    let plan = Plan { parameters: json!({ "n": 1 }), missed: Missed::All, ..(*plan).clone() };
    let (schedule, plan) = (ScheduleName::new("tick"), Arc::new(plan));
    let created = schedule::create(&running[0].1, schedule.clone(), plan).await;
    created.expect("the store is there").expect("it is new");
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    for _ in 0..SECONDS * 2 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.execute("postgres", &end).expect("the server obeys");
    }
    let store = open(&url).await;
    let removed = schedule::tell(&running[1].1, schedule.clone(), Order::Remove).await;
    removed.expect("the store is there").expect("it is there").expect("it is active");
    let all = ExecutionFilter { limit: 1000, ..ExecutionFilter::default() };
    let all = Query::executions(&store, &all).await.expect("it can be read");
    let firing = |view: &ExecutionView| {
        let key = &view.execution.idempotency.as_ref().expect("it has a key").key;
        let firing = Firing::of_key(key).expect("it was fired");
        assert_eq!(firing.schedule, schedule);
        firing.due
    };
    let mut due: Vec<Timestamp> = all.iter().map(firing).collect();
    due.sort_unstable();
    assert!(due.len() >= SECONDS - 1, "{due:?}");
    for pair in due.windows(2) {
        assert_eq!(pair[1].since(pair[0]), every, "{due:?}");
    }
}

/// Somebody has spoilt the row of a schedule that is due before all others. Those go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_cannot_be_read_keeps_no_other() {
    let server = server();
    let name = database(&server);
    let url = server.url(&name);
    let world = world(open(&url).await, Transport::Embedded, false);
    for name in ["bad", "good"] {
        let plan = Plan::every(Span::from_secs(1), "test.double".into());
        let plan = Arc::new(Plan { parameters: json!({ "n": 1 }), ..(*plan).clone() });
        let created = schedule::create(&world, ScheduleName::new(name), plan).await;
        created.expect("the store is there").expect("it is new");
    }
    let spoil = "UPDATE steadfast.schedule SET plan = '{' WHERE name = 'bad'";
    server.execute(&name, spoil).expect("the server obeys");
    let _running = start(&world, &["one"]);
    let store = open(&url).await;
    let good = ScheduleName::new("good");
    for _ in 0..200 {
        let row = store.schedule(&good).await.expect("it can be read").expect("it is there");
        if row.last_execution.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not fire");
}
