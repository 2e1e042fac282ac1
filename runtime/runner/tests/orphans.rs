//! The engine is killed with -9 in the midst of its actions. Nothing of them survives, and the lock
//! of its data directory is free only then.
//!
//! This program is both the test and, started again with a directory, the engine.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use steadfast_runner::{
    Delivery, Guardian, Interpreter, Invocation, LogStore, OutputFormat, ParameterFormat, Runner,
    RunnerConfig, Witness, WitnessProgram,
};
use tokio_util::sync::CancellationToken;

/// Every kind of process that an action may leave: itself, deaf to SIGTERM, a grandchild in the
/// background, one without an environment, and one that has left the group.
const SCRIPT: &str = "
trap '' TERM
n=$STEADFAST_EXECUTION_ID
(sleep 1000 & echo $! >child-$n.pid; wait) &
env -i sleep 1000 & echo $! >bare-$n.pid
setsid sh -c 'echo $$ >escaped-$STEADFAST_EXECUTION_ID.pid; exec sleep 1000' &
test -f \"$STEADFAST_PARAMETERS_FILE\" && dirname \"$STEADFAST_PARAMETERS_FILE\" >scratch
echo $$ >leader-$n.pid
wait
";

const ACTIONS: u64 = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--engine") => engine(Path::new(&arguments[2])),
        Some("--witness") => witness(&arguments),
        Some("--list") => println!("orphans: test"),
        _ => {
            dead_engine_leaves_nothing();
            println!("ok: a killed engine leaves nothing behind");
            guardian_killed_first();
            println!("ok: nor when its guardian was killed before");
            killed_while_starting();
            println!("ok: nor when it is killed while it starts actions");
            killed_with_its_guardian();
            println!("ok: nor when its guardian is killed with it, if it has a witness");
            dropped_guardian_waits();
            println!("ok: a dropped guardian is done when the drop returns");
        }
    }
    ExitCode::SUCCESS
}

fn engine(directory: &Path) {
    let lock = File::create(directory.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let witness = directory.join("witnessed").exists().then(|| WitnessProgram {
        program: std::env::current_exe().unwrap(),
        arguments: vec!["--witness".into()],
    });
    let guardian = Guardian::start_with(Some(lock.as_fd()), directory, witness).unwrap();
    guardian.serve(Some(7));
    fs::write(directory.join("guardian.new"), format!("{}\n", guardian.pid())).unwrap();
    fs::rename(directory.join("guardian.new"), directory.join("guardian.pid")).unwrap();
    let logs = LogStore::new(directory);
    let runner = Runner::new(RunnerConfig::new(logs, Some(guardian)));
    let storm = directory.join("storm").exists();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut running = tokio::task::JoinSet::new();
        for execution in 0.. {
            if running.len() as u64 >= ACTIONS {
                running.join_next().await;
            }
            let mut invocation = invocation(directory, execution);
            if storm {
                invocation.timeout = Some(Duration::from_millis(execution % 7));
            }
            let runner = runner.clone();
            running.spawn(async move {
                runner.run(invocation, CancellationToken::new()).await;
            });
        }
    });
}

/// Started as `--witness --mark MARK --start NUMBER`.
fn witness(arguments: &[String]) {
    let mut witness = Witness::new(&arguments[3], arguments[5].parse().unwrap());
    witness.listen(std::io::stdin().lock());
    assert_eq!(witness.dead_worker(), Some(7));
    witness.end_actions();
}

fn invocation(directory: &Path, execution: u64) -> Invocation {
    Invocation {
        execution,
        attempt: 1,
        token: 1,
        action: "pack.run".to_owned(),
        idempotency_key: String::new(),
        runtime: Interpreter::Shell,
        entry_point: "run".into(),
        working_dir: directory.to_owned(),
        delivery: Delivery::File,
        format: ParameterFormat::Json,
        output: OutputFormat::Text,
        parameters: json!({"secret": "in a file"}),
        secrets: Vec::new(),
        timeout: None,
    }
}

struct Engine {
    process: Child,
    directory: tempfile::TempDir,
}

impl Engine {
    fn start(script: &str, storm: bool) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), script, storm)
    }

    fn start_in(directory: tempfile::TempDir, script: &str, storm: bool) -> Self {
        fs::create_dir(directory.path().join("actions")).unwrap();
        fs::write(directory.path().join("actions/run"), script).unwrap();
        if storm {
            File::create(directory.path().join("storm")).unwrap();
        }
        let process = Command::new(std::env::current_exe().unwrap())
            .arg("--engine")
            .arg(directory.path())
            .spawn()
            .unwrap();
        Self { process, directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pid(&self, name: &str) -> i32 {
        let read = || fs::read_to_string(self.file(name)).ok()?.strip_suffix('\n')?.parse().ok();
        until(&format!("{name} is there"), 10_000, || read().is_some());
        read().unwrap()
    }

    fn action_pids(&self) -> Vec<i32> {
        let names = ["leader", "child", "bare", "escaped"];
        let each = |n| names.map(|name| self.pid(&format!("{name}-{n}.pid")));
        (0..ACTIONS).flat_map(each).collect()
    }

    fn is_locked(&self) -> bool {
        File::open(self.file("lock")).unwrap().try_lock().is_err()
    }

    /// Kills the engine; within a second the lock is free, and no process is left at that moment.
    fn kill_and_expect_nothing(&mut self, pids: &[i32]) {
        assert!(self.is_locked());
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        until("the lock is free", 1_000, || !self.is_locked());
        let left: Vec<i32> = pids.iter().copied().filter(|pid| is_alive(*pid)).collect();
        assert_eq!(left, [] as [i32; 0], "alive though the lock is free");
        // What is on its last steps out of the kernel may still be seen for an instant.
        until("nothing is left", 300, || processes_in(self.directory.path()).is_empty());
    }
}

impl Drop for Engine {
    /// A failed expectation must not leave the engine running.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn dead_engine_leaves_nothing() {
    let mut engine = Engine::start(SCRIPT, false);
    let pids = engine.action_pids();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    let scratch = PathBuf::from(fs::read_to_string(engine.file("scratch")).unwrap().trim());
    assert_eq!(fs::read_dir(&scratch).unwrap().count() as u64, ACTIONS);
    engine.kill_and_expect_nothing(&pids);
    assert!(!scratch.exists(), "parameter files are left");
}

fn guardian_killed_first() {
    let mut engine = Engine::start(SCRIPT, false);
    let pids = engine.action_pids();
    let guardian = engine.pid("guardian.pid");
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::TERM).unwrap();
    std::thread::park_timeout(Duration::from_millis(50));
    assert!(is_alive(guardian), "SIGTERM is not for the guardian");
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::KILL).unwrap();
    until("the guardian is dead", 1_000, || !is_alive(guardian));
    until("there is another one", 1_000, || {
        children_of(engine.process.id()).iter().any(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.windows(15).any(|part| part == b"action-guardian"))
        })
    });
    engine.kill_and_expect_nothing(&pids);
}

/// Either of guardian and witness does without the other; parameter files are the guardian's.
fn killed_with_its_guardian() {
    let directory = tempfile::tempdir().unwrap();
    File::create(directory.path().join("witnessed")).unwrap();
    let mut engine = Engine::start_in(directory, SCRIPT, false);
    let pids = engine.action_pids();
    let guardian = engine.pid("guardian.pid");
    // Stopped first, so that it has no time to start another guardian.
    let engine_pid = Pid::from_raw(i32::try_from(engine.process.id()).unwrap()).unwrap();
    kill_process(engine_pid, Signal::STOP).unwrap();
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::KILL).unwrap();
    engine.kill_and_expect_nothing(&pids);
}

/// Actions that end at once and are stopped at once, so that the engine is nearly always between
/// the start of a process and the report of it.
fn killed_while_starting() {
    for round in 0..20 {
        let mut engine = Engine::start("exec sleep 1000", true);
        engine.pid("guardian.pid");
        std::thread::park_timeout(Duration::from_millis(40 + round * 7));
        engine.kill_and_expect_nothing(&[]);
    }
}

fn dropped_guardian_waits() {
    let directory = tempfile::tempdir().unwrap();
    let lock = File::create(directory.path().join("lock")).unwrap();
    lock.try_lock().unwrap();
    let guardian = Guardian::start(Some(lock.as_fd()), directory.path()).unwrap();
    drop(lock);
    let again = File::open(directory.path().join("lock")).unwrap();
    assert!(again.try_lock().is_err(), "the guardian holds the lock");
    let other = guardian.clone();
    drop(guardian);
    assert!(again.try_lock().is_err());
    drop(other);
    again.try_lock().unwrap();
}

/// Live processes that work in `directory`.
fn processes_in(directory: &Path) -> Vec<i32> {
    all_processes()
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == directory))
        .collect()
}

fn children_of(parent: u32) -> Vec<i32> {
    let is_child = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            fields.split(' ').nth(1) == Some(&parent.to_string())
        })
    };
    all_processes().filter(is_child).collect()
}

fn all_processes() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ").map(|(_, fields)| !fields.starts_with(['Z', 'X'])))
        .unwrap_or(false)
}

fn until(what: &str, millis: u32, fact: impl Fn() -> bool) {
    for _ in 0..millis / 5 {
        if fact() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let _ = std::io::stdout().flush();
    panic!("it never came true that {what}");
}
