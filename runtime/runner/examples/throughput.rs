//! How many processes per second: `throughput [PROCESSES] [AT_ONCE] [ENGINE_MEMORY_MIB]`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use steadfast_runner::{
    Delivery, Guardian, Interpreter, Invocation, LogStore, Outcome, OutputFormat, ParameterFormat,
    Runner, RunnerConfig,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn main() {
    let number = |index, default| {
        std::env::args().nth(index).map_or(default, |text| text.parse().expect("a number"))
    };
    let (processes, at_once, memory) = (number(1, 2000), number(2, 8), number(3, 0));
    // An engine that has something in memory; starting a process must not copy its page tables.
    let ballast = vec![1_u8; memory << 20];
    std::hint::black_box(&ballast);

    let pack = tempfile::tempdir().expect("a temporary directory");
    let actions = pack.path().join("actions");
    fs::create_dir(&actions).expect("a directory");
    fs::write(actions.join("nothing.sh"), "true\n").expect("a file");
    fs::write(actions.join("output.sh"), "echo '{\"a\": 1}'\necho log >&2\n").expect("a file");
    symlink("/bin/true", actions.join("true")).expect("a link");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let guardian = Guardian::start(None, pack.path()).expect("a guardian");
    let logs = LogStore::new(pack.path().join("data"));
    let runner = Runner::new(RunnerConfig::new(logs, Some(guardian)));
    for (what, kind, file) in [
        ("native true", Interpreter::Native, "true"),
        ("shell true", Interpreter::Shell, "nothing.sh"),
        ("shell with output and logs", Interpreter::Shell, "output.sh"),
    ] {
        let run = |count| run(&runner, pack.path(), kind, file, count, at_once);
        runtime.block_on(run(50));
        let took = runtime.block_on(run(processes));
        println!("{what:<28}{:>8.0} processes/s", processes as f64 / took.as_secs_f64());
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock itself")]
async fn run(
    runner: &Runner,
    pack: &Path,
    runtime: Interpreter,
    file: &str,
    processes: usize,
    at_once: usize,
) -> Duration {
    let start = std::time::Instant::now();
    let mut running = JoinSet::new();
    for execution in 0..processes {
        if running.len() >= at_once {
            running.join_next().await;
        }
        let invocation = Invocation {
            execution: execution as u64,
            attempt: 1,
            token: 1,
            action: "pack.action".to_owned(),
            idempotency_key: "key".to_owned(),
            runtime,
            entry_point: file.into(),
            working_dir: pack.to_owned(),
            delivery: Delivery::Stdin,
            format: ParameterFormat::Json,
            output: OutputFormat::Text,
            parameters: serde_json::json!({"n": execution}),
            secrets: vec!["hunter2".to_owned()],
            timeout: Some(Duration::from_secs(60)),
        };
        let runner = runner.clone();
        running.spawn(async move {
            let outcome = runner.run(invocation, CancellationToken::new()).await;
            assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
        });
    }
    running.join_all().await;
    start.elapsed()
}
