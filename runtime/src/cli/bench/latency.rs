//! W4: how long a job waits when nothing else does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use steadfast_runtime::{Context, Engine};

use super::engine::{Bench, Tally, request};
use super::{Conditions, Sample};
use crate::cli::failure::Failure;
use crate::cli::setup::monotonic;

/// How many jobs.
const JOBS: u32 = 200;
/// How long after one the next is submitted.
const PAUSE: Duration = Duration::from_millis(50);

/// When each job was submitted, durable and started.
type Moments = Arc<Mutex<Vec<Option<Instant>>>>;

/// Submits one job after another.
pub(super) async fn latency(conditions: &Conditions) -> Result<Sample, Failure> {
    let jobs = conditions.scaled(JOBS);
    let started: Moments = Arc::new(Mutex::new(vec![None; jobs as usize]));
    let tally = Tally::default();
    let (noted, counted) = (Arc::clone(&started), tally.clone());
    let builder = Engine::builder().handler("bench.noop", move |_: Context, input: Value| {
        let now = monotonic();
        let job = input.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = job.and_then(|job| noted.get_mut(job)) {
            *place = Some(now);
        }
        counted.add();
        async { Ok::<_, String>(Value::Null) }
    });
    let bench = Bench::start(builder, conditions, "w4").await?;
    let sample = measure(&bench, &tally, &started, jobs).await;
    bench.stop().await;
    sample
}

async fn measure(
    bench: &Bench,
    tally: &Tally,
    started: &Moments,
    jobs: u32,
) -> Result<Sample, Failure> {
    // The worker must be there before the first job, whose wait would be its own otherwise.
    bench.cordon(true).await?;
    bench.cordon(false).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut asked = Vec::new();
    let mut durable = Vec::new();
    for job in 0..jobs {
        tokio::time::sleep(PAUSE).await;
        asked.push(monotonic());
        let request = request("bench.noop".to_owned(), json!({ "n": job }));
        bench.engine.submit(request).await?;
        durable.push(monotonic());
    }
    bench.wait(tally, u64::from(jobs), u64::from(jobs)).await?;
    let started = started.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let waits = |since: &[Instant]| {
        let pairs = since.iter().zip(&started);
        let mut waits: Vec<f64> = pairs
            // A job may start before its submitter has heard that it is durable.
            .filter_map(|(since, start)| Some((*start)?.saturating_duration_since(*since)))
            .map(|wait| wait.as_secs_f64() * 1e3)
            .collect();
        waits.sort_by(f64::total_cmp);
        waits
    };
    let (whole, pickup) = (waits(&asked), waits(&durable));
    Ok(Sample::from([
        ("jobs", f64::from(jobs)),
        ("submit_to_start_p50_ms", percentile(&whole, 50)),
        ("submit_to_start_p99_ms", percentile(&whole, 99)),
        ("durable_to_start_p50_ms", percentile(&pickup, 50)),
        ("durable_to_start_p99_ms", percentile(&pickup, 99)),
    ]))
}

/// The value that `percent` of the sorted values do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 50), 100.0);
        assert_eq!(percentile(&sorted, 99), 198.0);
        assert_eq!(percentile(&[7.0], 99), 7.0);
    }
}
