//! What is said to workers, by signals and through the API, and where their work goes.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::json;

use crate::deployment::{Begun, Deployment};
use crate::support::{Running, eventually};
use crate::witness::until_attempt;

#[test]
fn a_second_signal_does_not_wait_for_what_runs() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let mut worker = deployment.worker("ada");
    let execution = deployment.submit("t.held");
    until_attempt(&deployment, execution, 1);
    let _second = deployment.worker("bob");
    worker.signal(Signal::TERM);
    worker.until("stopping");
    eventually("the announcement", || state_of(&deployment, "ada") == json!("draining"));
    assert_eq!(deployment.begun().len(), 1, "what has started may finish");
    worker.signal(Signal::TERM);
    worker.wait().code(143);
    until_attempt(&deployment, execution, 2);
    deployment.until_all_are("completed", 1);
    assert_eq!(state_of(&deployment, "ada"), json!("gone"), "it gave back what it had");
}

#[test]
fn an_interrupted_worker_says_so_and_takes_nothing_new_meanwhile() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let mut worker = deployment.worker("ada");
    let slow = deployment.submit("t.slow");
    until_attempt(&deployment, slow, 1);
    worker.signal(Signal::INT);
    worker.until("stopping");
    eventually("the announcement", || state_of(&deployment, "ada") == json!("draining"));
    let late = deployment.submit("t.step");
    worker.wait().code(130);
    assert_eq!(deployment.begun(), [(slow, 1)], "{late} came too late for it");
    let _second = deployment.worker("bob");
    deployment.until_all_are("completed", 2);
}

#[test]
fn a_failed_attempt_is_tried_again_on_another_worker() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let workers = ["ada", "bob", "cyd"].map(|name| deployment.worker(name));
    let execution = deployment.submit("t.picky");
    deployment.until_all_are("failed", 1);
    let begun = deployment.begun_in_detail();
    let holders: BTreeSet<i32> = begun.iter().map(|begun| begun.worker).collect();
    assert_eq!(begun.len(), 3, "one attempt and two more of {execution}: {begun:?}");
    assert_eq!(holders, workers.each_ref().map(pid).into(), "each on another worker: {begun:?}");
}

#[test]
fn a_cordoned_worker_gets_nothing_and_a_drained_one_finishes_what_it_has() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let (ada, bob) = (deployment.worker("ada"), deployment.worker("bob"));
    deployment.api("worker", &["cordon", "ada"]);
    let first: BTreeSet<u64> = (0..4).map(|_| deployment.submit("t.slow")).collect();
    deployment.until_begun(4);
    let on_bob = |begun: &Begun| begun.worker == pid(&bob);
    assert!(deployment.begun_in_detail().iter().all(on_bob), "ada is cordoned");
    deployment.api("worker", &["drain", "bob"]);
    assert_eq!(state_of(&deployment, "bob"), json!("draining"));
    let late = deployment.submit("t.step");
    deployment.until_all_are_but("completed", 4, late);
    assert!(deployment.begun().iter().all(|(id, attempt)| first.contains(id) && *attempt == 1));
    let _third = deployment.worker("cyd");
    deployment.until_all_are("completed", 5);
    drop(ada);
}

fn pid(worker: &Running) -> i32 {
    worker.pid().as_raw_nonzero().get()
}

fn state_of(deployment: &Deployment, worker: &str) -> serde_json::Value {
    let all = deployment.api("worker", &["list"]);
    let rows = all["items"].as_array().expect("a list");
    rows.iter().find(|row| row["name"] == worker).expect("it has registered")["state"].clone()
}
