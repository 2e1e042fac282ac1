//! The production processes on real servers: what a deployment does when everything is there, and
//! when something is killed, missing or not there yet.
//!
//! What may be wrong with what a deployment stands on, and who tries it:
//!
//! | what | where |
//! |---|---|
//! | wrong credentials, no such database, a schema that is older or newer | `postgres/open.rs`, `production/start.rs` |
//! | the broker's permissions, a conflicting queue | `rabbitmq/refusals.rs` |
//! | both down at the start | `production/start.rs`, `rabbitmq/outages.rs` |
//! | one away for a while, or for good | `production.rs`, `postgres/loss.rs`, `rabbitmq/outages.rs` |
//! | all connections taken, a full disk, 100 000 who wait | `postgres/limits.rs` |
//! | a connection lost at any statement, in any way | `faults/store.rs`, `faults/broker.rs` |
//! | an envelope of another version | `rabbitmq/messages.rs` |
//! | every message lost | `contract/services.rs` |
//! | a killed worker | `production.rs` |
//! | an executor that is killed while it tells somebody | `production/effects.rs` |

#[path = "production/bench.rs"]
mod bench;
#[path = "production/deployment.rs"]
mod deployment;
#[path = "production/doctor.rs"]
mod doctor;
#[path = "production/effects.rs"]
mod effects;
#[path = "production/journal.rs"]
mod journal;
#[path = "production/logs.rs"]
mod logs;
#[path = "production/measured.rs"]
mod measured;
#[path = "production/notified.rs"]
mod notified;
#[path = "production/operations.rs"]
mod operations;
#[path = "production/parked.rs"]
mod parked;
#[path = "production/probes.rs"]
mod probes;
#[path = "support/mod.rs"]
mod program;
#[path = "production/start.rs"]
mod start;
#[path = "production/stream.rs"]
mod stream;
#[path = "cli/support.rs"]
mod support;
#[path = "production/witness.rs"]
mod witness;
#[path = "production/workers.rs"]
mod workers;

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::json;

use deployment::Deployment;

#[test]
fn work_is_done_once_by_processes_that_share_two_servers() {
    work_is_done_once(Deployment::new());
}

#[test]
fn work_is_done_once_by_processes_that_share_a_database() {
    work_is_done_once(Deployment::without_broker());
}

fn work_is_done_once(deployment: Deployment) {
    let _server = deployment.serve();
    let _first = deployment.worker("ada");
    let _second = deployment.worker("bob");
    let mut expected: BTreeSet<u64> = (0..20).map(|_| deployment.submit("t.step")).collect();
    expected.extend((0..4).map(|_| deployment.submit("t.alone")));
    let run = deployment.submit("t.flow");
    deployment.until_all_are("completed", 20 + 4 + 1 + 5);
    let begun = deployment.begun();
    assert_eq!(begun.len(), 20 + 4 + 5, "each once: {begun:?}");
    let executions: BTreeSet<u64> = begun.iter().map(|(execution, _)| *execution).collect();
    assert!(expected.is_subset(&executions), "{expected:?} {executions:?}");
    assert!(!executions.contains(&run), "a run has no process of its own");
    assert!(begun.iter().all(|(_, attempt)| *attempt == 1), "nothing was repeated: {begun:?}");
    let workers = deployment.api("worker", &["list"]);
    let workers = workers["items"].as_array().expect("a list");
    let names: Vec<&str> = workers.iter().filter_map(|worker| worker["name"].as_str()).collect();
    assert_eq!(names, ["ada", "bob"]);
    let stats = deployment.api("queue", &["stats", "t.alone"]);
    assert_eq!(
        (&stats["active_count"], &stats["queue_length"], &stats["total_completed"]),
        (&json!(0), &json!(0), &json!(4))
    );
}

#[test]
fn what_a_killed_worker_had_is_done_by_another() {
    another_does_what_a_killed_worker_had(Deployment::new());
}

#[test]
fn what_a_killed_worker_had_is_done_by_another_without_a_broker() {
    another_does_what_a_killed_worker_had(Deployment::without_broker());
}

fn another_does_what_a_killed_worker_had(deployment: Deployment) {
    let _server = deployment.serve();
    let first = deployment.worker("ada");
    let slow: Vec<u64> = (0..3).map(|_| deployment.submit("t.slow")).collect();
    deployment.until_begun(3);
    let _second = deployment.worker("bob");
    first.signal(Signal::KILL);
    deployment.until_all_are("completed", 3);
    let begun = deployment.begun();
    let again: BTreeSet<(u64, u32)> = slow.iter().flat_map(|id| [(*id, 1), (*id, 2)]).collect();
    assert_eq!(begun.iter().copied().collect::<BTreeSet<_>>(), again);
    assert_eq!(begun.len(), again.len(), "no attempt was begun twice: {begun:?}");
}

#[test]
fn without_the_broker_everything_still_ends() {
    let mut deployment = Deployment::new();
    let _server = deployment.serve();
    let _worker = deployment.worker("ada");
    deployment.submit("t.step");
    deployment.until_all_are("completed", 1);
    deployment.stop_the_broker();
    for _ in 0..3 {
        deployment.submit("t.step");
    }
    deployment.submit("t.flow");
    deployment.until_all_are("completed", 1 + 3 + 1 + 5);
    assert_eq!(deployment.begun().len(), 1 + 3 + 5);
}

#[test]
fn a_database_that_goes_away_for_a_while_costs_nothing_but_time() {
    the_database_goes_away(Deployment::new());
}

#[test]
fn a_database_that_is_the_broker_too_may_go_away_for_a_while() {
    the_database_goes_away(Deployment::without_broker());
}

fn the_database_goes_away(mut deployment: Deployment) {
    let _server = deployment.serve();
    let _worker = deployment.worker("ada");
    for _ in 0..4 {
        deployment.submit("t.slow");
    }
    deployment.until_begun(1);
    deployment.restart_the_database();
    deployment.until_all_are("completed", 4);
    let begun = deployment.begun();
    let distinct: BTreeSet<&(u64, u32)> = begun.iter().collect();
    assert_eq!(distinct.len(), begun.len(), "no attempt was begun twice: {begun:?}");
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_it_has() {
    a_worker_is_told_to_stop(Deployment::new());
}

#[test]
fn a_worker_without_a_broker_finishes_what_it_has_when_it_is_told_to_stop() {
    a_worker_is_told_to_stop(Deployment::without_broker());
}

fn a_worker_is_told_to_stop(deployment: Deployment) {
    let server = deployment.serve();
    let worker = deployment.worker("ada");
    deployment.submit("t.slow");
    deployment.until_begun(1);
    worker.signal(Signal::TERM);
    worker.wait().code(143).says("stopping");
    deployment.until_all_are("completed", 1);
    assert_eq!(deployment.begun().len(), 1);
    server.signal(Signal::TERM);
    server.wait().code(143);
}
