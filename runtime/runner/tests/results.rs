//! What an action gives: output read as declared, exit codes, logs, all in bounded memory.

mod support;

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_runner::{Exit, Interpreter, LogStream, OutputFormat};
use support::{Pack, failed, run, succeeded};

async fn run_as(output: OutputFormat, script: &str) -> steadfast_runner::Outcome {
    let pack = Pack::new(script);
    let mut invocation = pack.invocation();
    invocation.output = output;
    pack.run(invocation).await
}

#[tokio::test]
async fn output_of_each_format_becomes_the_result() {
    let cases = [
        (OutputFormat::Text, "printf 'a\\n\\n'", json!("a\n")),
        (OutputFormat::Json, "echo '{\"a\": [1, null]}'", json!({"a": [1, null]})),
        (OutputFormat::Json, "true", Value::Null),
        (OutputFormat::Jsonl, "echo 1; echo; echo '\"x\"'", json!([1, "x"])),
        (OutputFormat::Yaml, "echo 'a: {b: [1]}'", json!({"a": {"b": [1]}})),
    ];
    for (format, script, expected) in cases {
        assert_eq!(succeeded(run_as(format, script).await), expected, "{script}");
    }
}

#[tokio::test]
async fn output_that_is_not_as_declared_is_a_failure() {
    let cases = [
        (OutputFormat::Json, "echo starting; echo '{}'", "not one JSON value"),
        (OutputFormat::Json, "printf '\"\\377\"'", "not UTF-8 at byte 1"),
        (OutputFormat::Jsonl, "echo 1; echo two", "line 2"),
        (OutputFormat::Yaml, "echo 'a: [1'", "not one YAML document"),
    ];
    for (format, script, expected) in cases {
        let failure = failed(run_as(format, script).await);
        assert!(failure.error.contains(expected), "{script}: {}", failure.error);
        assert_eq!((failure.exit, failure.retryable), (Exit::Code(0), false));
    }
}

#[tokio::test]
async fn nul_and_invalid_utf8_in_text() {
    let pack = Pack::new("printf 'a\\0b\\377c\\n'");
    let result = succeeded(pack.run(pack.invocation()).await);
    assert_eq!(result, json!("a\u{0}b\u{fffd}c"));
    assert_eq!(result.to_string(), "\"a\\u0000b\u{fffd}c\"");
    let log = pack.config.logs.read(7, 1, LogStream::Stdout).unwrap().unwrap();
    assert_eq!(log, b"a\0b\xffc\n");
}

#[tokio::test]
async fn an_exit_code_fails_with_the_end_of_standard_error() {
    let failure = failed(run("echo out; echo why >&2; exit 3").await);
    assert_eq!(failure.error, "exit code 3; stderr: why");
    assert_eq!(failure.exit, Exit::Code(3));
    let failure = failed(run("kill -SEGV $$").await);
    assert_eq!(failure.error, "signal 11 (SIGSEGV)");
    assert_eq!(failure.exit, Exit::Signal(11));
    let failure = failed(run("printf 'a\\0b\\033[31m' >&2; exit 1").await);
    assert_eq!(failure.error, "exit code 1; stderr: a\u{fffd}b\u{fffd}[31m");
    let failure = failed(run("seq 1 100000 >&2; exit 1").await);
    assert!(failure.error.starts_with("exit code 1; stderr: ... "), "{}", failure.error);
    assert!(failure.error.ends_with("\n99999\n100000") && failure.error.len() < 4200);
}

#[tokio::test]
async fn too_much_output_fails_and_the_log_is_kept() {
    let pack = Pack::new("head -c 12000000 /dev/zero | tr '\\0' x; echo end >&2");
    let before = peak_memory();
    let failure = failed(pack.run(pack.invocation()).await);
    assert!(failure.error.contains("max_result_bytes (1048576)"), "{}", failure.error);
    assert_eq!((failure.exit, failure.retryable), (Exit::Code(0), false));
    let grown = peak_memory() - before;
    assert!(grown < 8 << 10, "{grown} KiB for 12 MB of output");
    let log = pack.path().join("data/logs/07/7/1.stdout");
    assert_eq!(fs::metadata(log).unwrap().len(), 12_000_000);
}

/// In KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn output_of_exactly_the_limit_is_a_result() {
    let mut pack = Pack::new("printf 1234567890");
    pack.config.max_result_bytes = 10;
    assert_eq!(succeeded(pack.run(pack.invocation()).await), json!("1234567890"));
    pack.config.max_result_bytes = 9;
    failed(pack.run(pack.invocation()).await);
}

#[tokio::test]
async fn both_streams_are_logged_while_the_action_runs() {
    let pack = Pack::new("echo first; echo error >&2; read -r go <go; echo second");
    rustix_mkfifo(&pack);
    let runner = pack.runner();
    let invocation = pack.invocation();
    let (action, _) = support::start(runner, invocation);
    support::until("the first line is logged", || {
        pack.log(LogStream::Stdout) == "first\n" && pack.log(LogStream::Stderr) == "error\n"
    })
    .await;
    fs::write(pack.path().join("go"), "go\n").unwrap();
    assert_eq!(succeeded(action.await.unwrap()), json!("first\nsecond"));
    assert_eq!(pack.log(LogStream::Stdout), "first\nsecond\n");
}

fn rustix_mkfifo(pack: &Pack) {
    let made = std::process::Command::new("mkfifo").arg(pack.path().join("go")).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn a_log_that_cannot_be_written_does_not_stop_the_action() {
    let pack = Pack::new("echo out; echo err >&2");
    fs::write(pack.path().join("data"), "a file where a directory is needed").unwrap();
    assert_eq!(succeeded(pack.run(pack.invocation()).await), json!("out"));
}

#[tokio::test]
async fn an_endless_log_ends_at_its_limit() {
    let mut pack = Pack::new("head -c 500000 /dev/zero | tr '\\0' x");
    pack.config.logs = pack.config.logs.with_max_bytes(1000);
    succeeded(pack.run(pack.invocation()).await);
    let log = pack.log(LogStream::Stdout);
    assert!(log.starts_with("xxx") && log.ends_with("limit 1000 bytes]\n") && log.len() < 1100);
}

#[tokio::test]
async fn a_background_child_does_not_keep_the_action_alive() {
    let pack = Pack::new("sleep 1000 & echo $! >child; echo done");
    let outcome = tokio::time::timeout(Duration::from_secs(5), pack.run(pack.invocation())).await;
    assert_eq!(succeeded(outcome.expect("the action ends with its leader")), json!("done"));
    let child = pack.pid("child").await;
    support::until("the child is dead", || !support::is_alive(child)).await;
}

#[tokio::test]
async fn output_on_its_way_through_a_child_is_not_lost() {
    let pack = Pack::new("exec > >(sleep 0.1; cat); echo through");
    assert_eq!(succeeded(pack.run(pack.invocation()).await), json!("through"));
}

#[tokio::test]
async fn a_large_result_in_each_language_is_whole() {
    let pack = Pack::new("import json; print(json.dumps(['x' * 99] * 10000))");
    let mut invocation = pack.invocation();
    invocation.runtime = Interpreter::Python;
    invocation.output = OutputFormat::Json;
    if pack.runner().runtimes().contains(&"python") {
        let result = succeeded(pack.run(invocation).await);
        assert_eq!(result.as_array().unwrap().len(), 10_000);
    }
}
