//! A deployment whose database is the broker too: how its processes hear of each other, and what it
//! costs when they do not.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use steadfast_servers::PgBouncer;

use crate::deployment::Deployment;
use crate::support::eventually;

/// The median of how long it took from submit to the beginning of the only attempt.
fn pickup(deployment: &Deployment, rounds: usize) -> Duration {
    let mut taken: Vec<Duration> = (0..rounds)
        .map(|round| {
            let before = deployment.begun().len();
            assert_eq!(before, round, "each before the next");
            let asked = now();
            deployment.submit("t.step");
            deployment.until_begun(before + 1);
            let begun = deployment.begun_in_detail().last().expect("it has begun").at;
            Duration::from_micros(begun.saturating_sub(asked))
        })
        .collect();
    taken.sort();
    taken[taken.len() / 2]
}

fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "an action notes the same clock")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.expect("it is later").as_micros()).expect("it fits")
}

#[test]
fn workers_hear_of_work_and_executors_of_its_end_without_waiting() {
    let deployment = Deployment::without_broker();
    let _server = deployment.serve();
    let _worker = deployment.worker("ada");
    // A client starts for each of them; whoever looked once a second would take half a second more.
    let median = pickup(&deployment, 9);
    assert!(median < Duration::from_millis(400), "{median:?}");
    #[expect(clippy::disallowed_methods, reason = "real processes take real time")]
    let asked = Instant::now();
    deployment.submit("t.flow");
    deployment.until_all_are("completed", 9 + 1 + 5);
    // Three steps that nobody announces would take a sweep of a second each.
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[test]
fn behind_a_pooler_work_is_found_and_with_a_way_around_it_heard_of() {
    let mut deployment = Deployment::without_broker();
    let direct = deployment.database_url().to_owned();
    let pooler = PgBouncer::start(deployment.database(), &[]).unwrap_or_else(|f| panic!("{f}"));
    deployment.reach_the_database_at(pooler.url("steadfast"));
    let doctor = deployment.steadfast(&["doctor"]).run().code(0);
    doctor.shows("set database.direct_url to the server itself");
    {
        let _server = deployment.serve();
        let _worker = deployment.worker("ada");
        deployment.submit("t.step");
        deployment.submit("t.flow");
        deployment.until_all_are("completed", 1 + 1 + 5);
    }
    let around = |arguments: &[&str]| {
        deployment.steadfast(arguments).env("STEADFAST__DATABASE__DIRECT_URL", &direct)
    };
    around(&["doctor"]).run().code(0).shows("what is notified is heard");
    let arguments = ["worker", "--name", "bob", "--pack", "pack"];
    let mut worker = around(&arguments).start();
    worker.until("listening to the database");
}

#[test]
fn an_engine_whose_listening_was_cut_off_listens_again() {
    let deployment = Deployment::without_broker();
    let _server = deployment.serve();
    let _worker = deployment.worker("ada");
    deployment.submit("t.step");
    deployment.until_all_are("completed", 1);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE query ILIKE 'LISTEN%'";
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'";
    let count = |sql: &str| {
        let text = deployment.database().execute("steadfast", sql).expect("it answers");
        text.trim().parse::<u32>().expect("a number")
    };
    let before = count(listeners);
    assert!(before >= 2, "both processes listen: {before}");
    assert_eq!(count(cut), before);
    eventually("both listen again", || count(listeners) >= before);
    deployment.submit("t.flow");
    deployment.until_all_are("completed", 1 + 1 + 5);
}

#[test]
fn a_killed_workers_slot_is_used_again_at_once_without_a_broker() {
    let deployment = Deployment::without_broker();
    let _server = deployment.serve();
    let first = deployment.worker("ada");
    let held = deployment.submit("t.held");
    deployment.until_begun(1);
    let _second = deployment.worker("bob");
    let killed = now();
    first.signal(Signal::KILL);
    deployment.until_begun(2);
    let again = *deployment.begun_in_detail().last().expect("it has begun again");
    assert_eq!((again.execution, again.attempt), (held, 2));
    // Its lease would end after four seconds, and a sweep would come later still.
    let took = Duration::from_micros(again.at.saturating_sub(killed));
    assert!(took < Duration::from_secs(3), "{took:?}");
    deployment.until_all_are("completed", 1);
}

#[test]
fn executors_that_all_hear_the_same_do_it_once() {
    let deployment = Deployment::without_broker();
    let _server = deployment.serve();
    let mut executor = deployment.steadfast(&["executor", "--pack", "pack"]).start();
    executor.until("is up");
    let _worker = deployment.worker("ada");
    for _ in 0..6 {
        deployment.submit("t.flow");
    }
    deployment.until_all_are("completed", 6 * (1 + 5));
    assert_eq!(deployment.begun().len(), 6 * 5, "each item and each join once");
    let listed = deployment.api("execution", &["list", "--limit", "200"]);
    let attempts = |row: &Value| row["attempts"].as_u64().unwrap_or(0);
    let rows = listed["items"].as_array().expect("a list");
    assert!(rows.iter().all(|row| attempts(row) <= 1), "{listed}");
}

/// Everything starts again with another transport while work is under way.
fn a_change_of_transport(before: &str, after: &str) {
    let deployment = Deployment::new();
    let start = |by: &str, arguments: &[&str]| {
        deployment.steadfast(arguments).env("STEADFAST__TRANSPORT", by).start()
    };
    let serve = |by: &str| {
        let mut server = start(by, &["serve", "--pack", "pack", "--listen", "127.0.0.1:0"]);
        deployment.note_url(&mut server);
        server
    };
    let work = |by: &str, name: &str| {
        let mut worker =
            start(by, &["worker", "--name", name, "--pack", "pack", "--capacity", "2"]);
        worker.until("is up");
        worker
    };
    let server = serve(before);
    let worker = work(before, "ada");
    deployment.submit("t.slow");
    for _ in 0..3 {
        deployment.submit("t.flow");
    }
    for _ in 0..12 {
        deployment.submit("t.alone");
    }
    deployment.until_begun(3);
    for process in [worker, server] {
        process.signal(Signal::TERM);
        process.wait().code(143);
    }
    let _server = serve(after);
    let left = deployment.client(&["drain", "--transport", before, "--once"]);
    left.code(1).shows(before);
    let _workers = [work(after, "ada"), work(after, "bob")];
    for _ in 0..4 {
        deployment.submit("t.alone");
    }
    deployment.client(&["drain", "--transport", before]).code(0).says("executions are left on");
    deployment.client(&["drain", "--transport", after]).code(2).says("would never be drained");
    deployment.until_all_are("completed", 1 + 3 * 6 + 12 + 4);
    let begun = deployment.begun();
    let distinct: std::collections::BTreeSet<_> = begun.iter().collect();
    assert_eq!((begun.len(), distinct.len()), (1 + 3 * 5 + 12 + 4, begun.len()), "{begun:?}");
    let counts = deployment.get("/api/v1/transports").1;
    let counts: Value = serde_json::from_str(&counts).expect("JSON");
    let rows = counts["items"].as_array().expect("a list");
    assert!(rows.iter().all(|row| row["executions"] == 0), "{counts}");
    assert_eq!(rows.iter().filter(|row| row["in_use"] == true).count(), 1, "{counts}");
}

#[test]
fn from_rabbitmq_to_the_database_with_work_under_way() {
    a_change_of_transport("rabbitmq", "postgres");
}

#[test]
fn from_the_database_to_rabbitmq_with_work_under_way() {
    a_change_of_transport("postgres", "rabbitmq");
}
