//! The deployment example is killed with SIGKILL at random moments and resumed: every task runs to
//! completion, nothing that had completed runs again, and the end is the same.
#![expect(clippy::disallowed_methods, reason = "real processes are killed in real time")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use steadfast_core::Status;
use steadfast_embedded::{DataDir, EmbeddedStore, Options};
use steadfast_services::port::{ExecutionFilter, Query};

/// How many runs are killed. Each at another moment.
const KILLS: u64 = 50;

/// One run of the example in a directory of its own.
struct Deployment {
    scratch: tempfile::TempDir,
}

impl Deployment {
    fn new() -> Self {
        Self { scratch: tempfile::tempdir().expect("a directory can be made") }
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn ledger(&self) -> PathBuf {
        self.scratch.path().join("ledger")
    }

    fn start(&self) -> Child {
        let target = self.scratch.path().join("target");
        support::steadfast()
            .args(["run", "deploy.release", "--pack", "examples/packs/deploy", "-o", "json"])
            .arg("--data")
            .arg(self.data())
            .args(["-p", &format!("ledger={}", self.ledger().display())])
            .args(["-p", &format!("target={}", target.display())])
            .args(["-p", "step_seconds=0.02"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started")
    }

    fn finish(&self) -> Value {
        let output = self.start().wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        serde_json::from_slice(&output.stdout).expect("the result is JSON")
    }

    fn ledger_lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.ledger()).unwrap_or_default();
        text.lines().map(String::from).collect()
    }

    /// The executions that the store has as completed, read from a copy so that nothing changes.
    fn completed(&self) -> BTreeSet<u64> {
        let copy = tempfile::tempdir().expect("a directory can be made");
        for name in ["steadfast.db", "steadfast.db-wal"] {
            let from = self.data().join(name);
            if from.exists() {
                std::fs::copy(&from, copy.path().join(name)).expect("it can be copied");
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(completed_in(copy.path()))
    }
}

async fn completed_in(directory: &Path) -> BTreeSet<u64> {
    let directory = DataDir::open(directory).await.expect("the copy is not locked");
    let store = EmbeddedStore::open(directory, Options::default()).await.expect("it opens");
    let filter = ExecutionFilter {
        statuses: vec![Status::Completed],
        limit: 1000,
        ..ExecutionFilter::default()
    };
    let found = store.executions(&filter).await.expect("it can be read");
    found.into_iter().map(|view| view.execution.id.0).collect()
}

/// What must be the same whatever was killed. Attempts are not: one that died with the engine counts.
fn essence(result: &Value) -> (Value, BTreeMap<String, String>) {
    let tasks = result["tasks"].as_array().expect("there are tasks");
    let place = |task: &Value| {
        let name = format!("{}~{}[{}]", task["name"], task["occurrence"], task["item_index"]);
        (name, task["status"].to_string())
    };
    let mut said = result["result"].clone();
    said.as_object_mut().expect("the result is a mapping").remove("upload_attempts");
    (said, tasks.iter().map(place).collect())
}

fn execution_of(line: &str) -> Option<u64> {
    line.split(' ').nth(1)?.parse().ok()
}

#[test]
fn a_killed_deployment_goes_on_where_it_was() {
    // Built before the clock starts, so that the moments fall into the run.
    drop(support::steadfast());
    let clean = Deployment::new();
    let began = Instant::now();
    let expected = essence(&clean.finish());
    let duration = began.elapsed();
    for round in 0..KILLS {
        let deployment = Deployment::new();
        // Spread over the whole run, each at another fraction of a millisecond.
        let share = (round as f64 + 0.5) / KILLS as f64;
        let moment = duration.mul_f64(share) + Duration::from_micros(round * 137 % 1000);
        let mut child = deployment.start();
        std::thread::sleep(moment);
        child.kill().expect("it can be killed");
        child.wait().expect("it is dead");
        check_resumed(&deployment, &expected, moment);
    }
}

fn check_resumed(
    deployment: &Deployment,
    expected: &(Value, BTreeMap<String, String>),
    moment: Duration,
) {
    // The dead engine's actions die with it, and only then is the ledger complete.
    let before = settled(deployment);
    let completed = if deployment.data().join("steadfast.db").exists() {
        deployment.completed()
    } else {
        BTreeSet::new()
    };
    let result = deployment.finish();
    let after = deployment.ledger_lines();
    let again: Vec<&String> = after[before..]
        .iter()
        .filter(|line| execution_of(line).is_some_and(|id| completed.contains(&id)))
        .collect();
    assert!(
        again.is_empty(),
        "ran again after it had completed, killed after {moment:?}: {again:?}"
    );
    assert_eq!(result["status"], "completed", "killed after {moment:?}: {result}");
    assert_eq!(&essence(&result), expected, "killed after {moment:?}");
}

/// How many lines the ledger has once nobody writes to it any more.
fn settled(deployment: &Deployment) -> usize {
    let mut lines = deployment.ledger_lines().len();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = deployment.ledger_lines().len();
        if now == lines {
            return now;
        }
        lines = now;
    }
}
