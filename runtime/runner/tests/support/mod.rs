//! A pack of one action in a temporary directory.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared by several test programs")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_runner::{
    Delivery, Exit, Failure, Guardian, Interpreter, Invocation, LogStore, LogStream, Outcome,
    OutputFormat, ParameterFormat, Runner, RunnerConfig,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Pack {
    directory: TempDir,
    pub config: RunnerConfig,
}

impl Pack {
    /// A pack whose action `run` is `script`, with short grace.
    pub fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("actions")).unwrap();
        fs::write(directory.path().join("actions/run"), script).unwrap();
        let guardian = Guardian::start(None, directory.path()).unwrap();
        let logs = LogStore::new(directory.path().join("data"));
        let mut config = RunnerConfig::new(logs, Some(guardian));
        config.kill_grace = Duration::from_millis(400);
        Self { directory, config }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn entry_point(&self) -> PathBuf {
        self.path().join("actions/run")
    }

    pub fn make_executable(&self) {
        fs::set_permissions(self.entry_point(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn runner(&self) -> Runner {
        Runner::new(self.config.clone())
    }

    pub fn invocation(&self) -> Invocation {
        Invocation {
            execution: 7,
            attempt: 1,
            token: 3,
            action: "pack.run".to_owned(),
            idempotency_key: "key-7".to_owned(),
            runtime: Interpreter::Shell,
            entry_point: "run".into(),
            working_dir: self.path().to_owned(),
            delivery: Delivery::Stdin,
            format: ParameterFormat::Json,
            output: OutputFormat::Text,
            parameters: json!({}),
            secrets: Vec::new(),
            timeout: Some(Duration::from_secs(60)),
        }
    }

    pub async fn run(&self, invocation: Invocation) -> Outcome {
        self.runner().run(invocation, CancellationToken::new()).await
    }

    pub fn log(&self, stream: LogStream) -> String {
        let bytes = self.config.logs.read(7, 1, stream).unwrap().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The number that the action wrote to `file` in its working directory.
    pub async fn pid(&self, file: &str) -> i32 {
        let path = self.path().join(file);
        until(&format!("{file} is written"), || read_pid(&path).is_some()).await;
        read_pid(&path).unwrap()
    }
}

/// Runs `invocation` in the background until it ends or is asked to.
#[expect(clippy::disallowed_methods, reason = "an adapter's test runs on real tokio, not in Env")]
pub fn start(runner: Runner, invocation: Invocation) -> (JoinHandle<Outcome>, CancellationToken) {
    let cancel = CancellationToken::new();
    let asked = cancel.clone();
    (tokio::spawn(async move { runner.run(invocation, asked).await }), cancel)
}

/// Runs `script` with nothing special.
pub async fn run(script: &str) -> Outcome {
    let pack = Pack::new(script);
    pack.run(pack.invocation()).await
}

pub fn succeeded(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Succeeded(value) => value,
        other => panic!("not a success: {other:?}"),
    }
}

pub fn failed(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("not a failure: {other:?}"),
    }
}

/// A failure of an action that never became a process.
pub fn not_started(outcome: Outcome) -> String {
    let failure = failed(outcome);
    assert_eq!(failure.exit, Exit::NotStarted, "{}", failure.error);
    failure.error
}

/// The state letter of a process, or nothing when there is none.
pub fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

pub fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

pub fn read_pid(path: &Path) -> Option<i32> {
    let text = fs::read_to_string(path).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

/// Waits for `fact`, for five seconds at most.
pub async fn until(what: &str, fact: impl Fn() -> bool) {
    for _ in 0..500 {
        if fact() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came true that {what}");
}
