//! A worker and its witness: whichever is killed, the other notices at once.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::deployment::{Begun, Deployment};
use crate::support::{Running, eventually};

/// How often a worker is killed; `STEADFAST_KILLS` says otherwise.
const KILLS: usize = 6;

/// Within which time the slots of a killed worker are used again, at the 99th percentile.
const BOUND: Duration = Duration::from_secs(1);

/// What a machine that does other work meanwhile may add.
const SLACK: Duration = Duration::from_secs(2);

#[test]
fn the_slot_of_a_killed_worker_is_used_again_at_once() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let mut workers: BTreeMap<String, Running> =
        ["ada", "bob"].map(|name| (name.to_owned(), deployment.worker(name))).into();
    #[expect(clippy::disallowed_methods, reason = "how often is for whoever runs it")]
    let kills = std::env::var("STEADFAST_KILLS").ok().and_then(|text| text.parse().ok());
    let mut taken = Vec::new();
    for _ in 0..kills.unwrap_or(KILLS) {
        let execution = deployment.submit("t.held");
        let first = until_attempt(&deployment, execution, 1);
        let name = holder(&workers, &first);
        let worker = workers.remove(&name).expect("one of the two");
        let killed_at = wall_clock();
        worker.signal(Signal::KILL);
        let second = until_attempt(&deployment, execution, 2);
        taken.push(Duration::from_micros(second.at.saturating_sub(killed_at)));
        assert!(!is_alive(first.process), "the first attempt has outlived its worker");
        drop(worker);
        workers.insert(name.clone(), deployment.worker(&name));
    }
    taken.sort();
    let at = |share: usize| taken[(taken.len() * share / 100).min(taken.len() - 1)];
    println!("from kill to reuse, {} kills: p50 {:?} p99 {:?}", taken.len(), at(50), at(99));
    assert!(at(99) < BOUND + SLACK, "{taken:?}");
    assert!(at(50) < BOUND, "the lease was waited for: {taken:?}");
}

#[test]
fn a_worker_whose_witness_is_killed_gets_another_and_loses_nothing() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let worker = deployment.worker("ada");
    let execution = deployment.submit("t.held");
    until_attempt(&deployment, execution, 1);
    for _ in 0..3 {
        let witness = witness_of(worker.pid());
        kill_process(witness, Signal::KILL).expect("it is there");
        eventually("another witness", || find_witness(worker.pid()).is_some_and(|w| w != witness));
    }
    let (pair, guardian) = memory(worker.pid());
    println!(
        "worker and witness have {} and {} KiB, and {} KiB of their own",
        pair.0, pair.1, guardian
    );
    assert!(pair.1 < 64 * 1024, "a witness is small");
    assert_eq!(deployment.begun().len(), 1);
    // The last of them knows what the first was told.
    let _second = deployment.worker("bob");
    let killed_at = wall_clock();
    worker.signal(Signal::KILL);
    let again = until_attempt(&deployment, execution, 2);
    assert!(Duration::from_micros(again.at - killed_at) < BOUND + SLACK);
    deployment.until_all_are("completed", 1);
}

#[test]
fn when_both_are_killed_the_lease_ends_and_nothing_runs_twice() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let worker = deployment.worker("ada");
    let execution = deployment.submit("t.held");
    let first = until_attempt(&deployment, execution, 1);
    let _second = deployment.worker("bob");
    // Stopped, so that it cannot start another one meanwhile.
    worker.signal(Signal::STOP);
    kill_process(witness_of(worker.pid()), Signal::KILL).expect("it is there");
    let killed_at = wall_clock();
    worker.signal(Signal::KILL);
    eventually("the end of the first attempt", || !is_alive(first.process));
    assert!(wall_clock() - killed_at < 1_000_000, "the guardian is still there");
    let again = until_attempt(&deployment, execution, 2);
    let took = Duration::from_micros(again.at - killed_at);
    assert!(took > BOUND, "nobody was there to say that it was dead: {took:?}");
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
}

#[test]
fn a_frozen_worker_is_not_taken_for_dead_before_its_lease_ends() {
    let deployment = Deployment::new();
    let _server = deployment.serve();
    let worker = deployment.worker("ada");
    let execution = deployment.submit("t.held");
    until_attempt(&deployment, execution, 1);
    let _second = deployment.worker("bob");
    let frozen_at = wall_clock();
    worker.signal(Signal::STOP);
    let again = until_attempt(&deployment, execution, 2);
    let took = Duration::from_micros(again.at - frozen_at);
    assert!(took > Duration::from_secs(2), "{took:?}");
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
    worker.signal(Signal::CONT);
    deployment.until_all_are("completed", 1);
    eventually("the worker's return", || {
        deployment.api("worker", &["list"])["items"][0]["state"] == json!("active")
    });
}

pub(crate) fn until_attempt(deployment: &Deployment, execution: u64, attempt: u32) -> Begun {
    let mut found = None;
    eventually(&format!("attempt {attempt} of {execution}"), || {
        let begun = deployment.begun_in_detail();
        found = begun.into_iter().find(|b| (b.execution, b.attempt) == (execution, attempt));
        found.is_some()
    });
    found.expect("it was just found")
}

/// The worker that has begun an attempt.
fn holder(workers: &BTreeMap<String, Running>, begun: &Begun) -> String {
    let is_it =
        |(_, worker): &(&String, &Running)| worker.pid().as_raw_nonzero().get() == begun.worker;
    workers.iter().find(is_it).expect("one of the workers").0.clone()
}

pub(crate) fn witness_of(worker: Pid) -> Pid {
    find_witness(worker).expect("a worker has a witness")
}

fn find_witness(worker: Pid) -> Option<Pid> {
    let is_one = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let alive = fields.next().is_some_and(|state| !state.is_empty() && state != "Z");
        let parent = fields.next() == Some(&worker.as_raw_nonzero().to_string());
        let named = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        alive && parent && named().starts_with(b"action-witness")
    };
    let mut pids = fs::read_dir("/proc")
        .expect("Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.find(is_one).and_then(Pid::from_raw)
}

/// Resident memory of a worker and its witness, and the witness's private part of it, in KiB.
fn memory(worker: Pid) -> ((u64, u64), u64) {
    let field = |pid: Pid, file: &str, name: &str| -> u64 {
        let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
        let text = fs::read_to_string(path).expect("it is alive");
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    };
    let witness = witness_of(worker);
    let resident = |pid| field(pid, "status", "VmRSS:");
    let own = ["Private_Clean:", "Private_Dirty:"].map(|f| field(witness, "smaps_rollup", f));
    ((resident(worker), resident(witness)), own.iter().sum())
}

fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ") && !stat.contains(") X ")
}

/// The clock that actions note, in microseconds since the epoch.
fn wall_clock() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "processes are timed from outside")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
