//! W4: how long a job waits when nothing else does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::engine::{Bench, request};
use super::{Conditions, Sample};
use crate::cli::arguments::Workload;
use crate::cli::failure::Failure;
use crate::cli::setup::micros;

/// How many jobs.
const JOBS: u32 = 200;
/// How long after one the next is submitted.
const PAUSE: Duration = Duration::from_millis(50);

/// Submits one job after another.
pub(super) async fn latency(conditions: &Conditions) -> Result<Sample, Failure> {
    let jobs = conditions.scaled(JOBS);
    let mut bench = Bench::start(Workload::W4, conditions).await?;
    let mut sample = measure(&mut bench, jobs).await?;
    bench.stop(f64::from(jobs), conditions, &mut sample).await?;
    Ok(sample)
}

async fn measure(bench: &mut Bench, jobs: u32) -> Result<Sample, Failure> {
    // What a worker does when it begins would be the first jobs' wait otherwise.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut asked = Vec::new();
    let mut durable = Vec::new();
    for job in 0..jobs {
        tokio::time::sleep(PAUSE).await;
        asked.push(micros());
        let request = request("bench.noop".to_owned(), json!({ "n": job }));
        bench.engine.submit(request).await?;
        durable.push(micros());
    }
    bench.wait(u64::from(jobs), u64::from(jobs)).await?;
    let starts = bench.notes.starts();
    let started: BTreeMap<u64, u64> = starts.iter().rev().map(|s| (s.job, s.at)).collect();
    let waits = |since: &[u64]| {
        let pairs = (0u64..).zip(since);
        let mut waits: Vec<f64> = pairs
            // A job may start before its submitter has heard that it is durable.
            .filter_map(|(job, since)| Some(started.get(&job)?.saturating_sub(*since)))
            .map(|wait| wait as f64 / 1e3)
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
pub(super) fn percentile(sorted: &[f64], percent: usize) -> f64 {
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
