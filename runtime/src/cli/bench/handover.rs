//! W5 on servers: the worker process is killed half-way, and another one that is there takes over.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::engine::{Bench, request};
use super::latency::percentile;
use super::notes::{NAP, SLOTS, started_again};
use super::{Conditions, Sample};
use crate::cli::arguments::Workload;
use crate::cli::failure::Failure;
use crate::cli::setup::micros;

/// How many jobs.
const JOBS: u32 = 50;
/// The worker that is there when the first is killed.
const SECOND: &str = "second";
/// How long before the kill it is started.
const AHEAD: Duration = Duration::from_millis(1000);
/// Between two looks at whether everything is done.
const LOOK: Duration = Duration::from_millis(20);

/// Measures how soon the slots of a killed worker are used again, and when all jobs are done.
pub(super) async fn handover(conditions: &Conditions) -> Result<Sample, Failure> {
    let jobs = conditions.scaled(JOBS);
    let conditions = &Conditions { capacity: SLOTS, ..conditions.clone() };
    let mut bench = Bench::start(Workload::W5, conditions).await?;
    let mut sample = measure(&mut bench, jobs, conditions).await?;
    bench.stop(f64::from(jobs), conditions, &mut sample).await?;
    Ok(sample)
}

async fn measure(bench: &mut Bench, jobs: u32, conditions: &Conditions) -> Result<Sample, Failure> {
    let begun = micros();
    for job in 0..jobs {
        bench.engine.submit(request("bench.sleep".to_owned(), json!({ "n": job }))).await?;
    }
    let waves = jobs.div_ceil(SLOTS);
    // In the middle of the middle wave, so that every running job is lost half-way.
    let until = NAP * waves / 2;
    sleep_until(begun, until.saturating_sub(AHEAD)).await;
    // All slots are taken by the first one's jobs, so the second has nothing to do.
    bench.hire(SECOND, Workload::W5, conditions).await?;
    sleep_until(begun, until).await;
    bench.kill(0)?;
    let killed = micros();
    let done = bench.completed().await?;
    while bench.completed().await? < u64::from(jobs) {
        tokio::time::sleep(LOOK).await;
    }
    let ended = micros();
    let starts = bench.notes.starts();
    // What the killed one said last is heard after its end.
    let (before, after): (Vec<u64>, Vec<u64>) =
        starts.iter().map(|start| start.at).partition(|at| *at <= killed);
    // Each of the killed worker's jobs held a slot, and each of the next starts has taken one of
    // them: every other job that could end before it began later.
    let held = u64::try_from(before.len()).unwrap_or(u64::MAX).saturating_sub(done);
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    let mut reused: Vec<f64> = after.iter().map(|at| seconds(killed, *at)).collect();
    reused.sort_by(f64::total_cmp);
    reused.truncate(usize::try_from(held).unwrap_or(usize::MAX));
    let completed = bench.completed().await?;
    let distinct: BTreeSet<u64> = starts.iter().map(|start| start.job).collect();
    let mut sample = Sample::from([
        ("jobs", f64::from(jobs)),
        ("seconds", seconds(begun, ended)),
        ("seconds_without_kill", NAP.as_secs_f64() * f64::from(waves)),
        ("seconds_after_kill", seconds(killed, ended)),
        ("starts", starts.len() as f64),
        ("started_again", started_again(&starts) as f64),
        ("never_started", (u64::from(jobs) - distinct.len() as u64) as f64),
        ("completed", completed as f64),
        ("counted_twice", (completed as f64 - f64::from(jobs)).abs()),
        ("slots_held_at_kill", held as f64),
    ]);
    if !reused.is_empty() {
        sample.insert("slot_used_again_p50_s", percentile(&reused, 50));
        sample.insert("slot_used_again_p99_s", percentile(&reused, 99));
    }
    Ok(sample)
}

/// Sleeps until so much time has passed since `begun`.
async fn sleep_until(begun: u64, span: Duration) {
    let passed = Duration::from_micros(micros().saturating_sub(begun));
    tokio::time::sleep(span.saturating_sub(passed)).await;
}
