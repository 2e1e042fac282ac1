//! W5 on the embedded engine: the process with the worker is killed half-way, and another one takes
//! over.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_runtime::{Context, Data, Engine, EngineError, Request};

use super::engine::{Bench, options};
use super::{Conditions, Sample};
use crate::cli::failure::{Code, Failure};
use crate::cli::setup::monotonic;

/// How many jobs.
const JOBS: u32 = 50;
/// How long each takes, in milliseconds.
const MILLIS: u64 = 2000;
/// How many run at once.
const CAPACITY: u32 = 10;
/// Where a victim notes each start, in its directory.
const STARTS: &str = "starts";

/// Measures how long it takes until all jobs are done.
pub(super) async fn kill(conditions: &Conditions) -> Result<Sample, Failure> {
    let jobs = conditions.scaled(JOBS);
    let directory = conditions.base.clone().unwrap_or_else(std::env::temp_dir);
    let directory = directory.join(format!("steadfast-w5-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    let measured = measure(jobs, &directory, conditions).await;
    let _ = fs::remove_dir_all(&directory);
    measured
}

async fn measure(jobs: u32, directory: &Path, conditions: &Conditions) -> Result<Sample, Failure> {
    let begun = monotonic();
    let mut first = start(jobs, directory, conditions)?;
    let waves = u64::from(jobs.div_ceil(CAPACITY));
    // In the middle of the middle wave, so that every running job is lost half-way.
    tokio::time::sleep(Duration::from_millis(MILLIS * waves / 2)).await;
    let hit = |error| Failure::environment(format!("the victim cannot be killed: {error}"));
    first.kill().map_err(hit)?;
    first.wait().map_err(hit)?;
    let killed = monotonic();
    let mut second = start(jobs, directory, conditions)?;
    let ended = tokio::task::spawn_blocking(move || second.wait()).await;
    let succeeded = matches!(ended, Ok(Ok(status)) if status.success());
    if !succeeded {
        return Err(Failure::environment("the process that took over did not finish the jobs"));
    }
    let done = monotonic();
    let starts = fs::read_to_string(directory.join(STARTS)).unwrap_or_default().lines().count();
    let completed = completed(directory, conditions).await?;
    let least = MILLIS as f64 / 1e3 * waves as f64;
    let took = done.duration_since(begun).as_secs_f64();
    Ok(Sample::from([
        ("jobs", f64::from(jobs)),
        ("seconds", took),
        ("seconds_without_kill", least),
        ("seconds_after_kill", done.duration_since(killed).as_secs_f64()),
        ("starts", starts as f64),
        ("started_again", starts as f64 - f64::from(jobs)),
        ("completed", completed as f64),
        ("counted_twice", (completed as f64 - f64::from(jobs)).abs()),
    ]))
}

fn start(jobs: u32, directory: &Path, conditions: &Conditions) -> Result<Child, Failure> {
    let failed = |error| Failure::environment(format!("the victim cannot be started: {error}"));
    let synchronous = super::word(conditions.durability);
    Command::new(std::env::current_exe().map_err(failed)?)
        .args(["bench", "--victim", &format!("{jobs},{MILLIS}"), "--synchronous", synchronous])
        .args(["--capacity", &CAPACITY.to_string(), "--data"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(failed)
}

async fn completed(directory: &Path, conditions: &Conditions) -> Result<u64, Failure> {
    let builder = Engine::builder().options(options(conditions, data(directory)));
    let engine = builder.start().await?;
    let completed = Bench::count_completed(&engine).await;
    engine.shutdown(true).await;
    completed
}

fn data(directory: &Path) -> Data {
    Data::Directory(directory.to_path_buf())
}

/// Is the process that is killed, or the one that takes over: submits every job under its own key,
/// so that the second finds those of the first, and waits for all of them.
pub(super) async fn victim(
    jobs: &str,
    directory: &Path,
    conditions: &Conditions,
) -> Result<Code, Failure> {
    let parts = jobs.split_once(',').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let Some((jobs, millis)): Option<(u32, u64)> = parts else {
        return Err(Failure::usage("--victim is JOBS,MILLIS"));
    };
    let starts: PathBuf = directory.join(STARTS);
    let engine = Engine::builder()
        .options(options(conditions, data(directory)))
        .handler("bench.sleep", move |context: Context, _: Value| {
            let noted = note(&starts, &context);
            async move {
                noted.map_err(|error| error.to_string())?;
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, String>(Value::Null)
            }
        })
        .start()
        .await?;
    let mut submitted = Vec::new();
    for job in 0..jobs {
        let request = Request {
            action: "bench.sleep".to_owned(),
            parameters: json!({ "n": job }),
            idempotency_key: Some(format!("bench:{job}")),
            retry_of: None,
            effects: Vec::new(),
        };
        submitted.push(engine.submit(request).await?.id());
    }
    for id in submitted {
        let view = engine.wait(id).await?;
        if view.execution.status != steadfast_runtime::core::Status::Completed {
            let (id, status, error) = (id.0, view.execution.status, view.outcome.error);
            return Err(EngineError::Ended { id, status, error }.into());
        }
    }
    engine.shutdown(true).await;
    Ok(Code::Done)
}

fn note(starts: &Path, context: &Context) -> std::io::Result<()> {
    let line = format!("{} {}\n", context.execution_id(), context.attempt());
    OpenOptions::new().append(true).create(true).open(starts)?.write_all(line.as_bytes())
}
