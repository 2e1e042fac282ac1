//! `bench`: the throughput and latency workloads, on the embedded store or on servers, with handlers
//! that do nothing, as in the benchmarks of comparable systems.

mod cost;
mod engine;
mod flows;
mod handover;
mod kill;
mod latency;
mod notes;
mod queues;
mod scratch;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use steadfast_runtime::{Durability, Servers};

use super::Setting;
use super::arguments::{Backend, Bench, SynchronousMode, Workload};
use super::failure::{Code, Failure};
use super::production;
use super::setup;
use super::signals::Signals;
use crate::output::{Table, show};
use scratch::Scratch;

/// What one run of a workload measured, by name.
type Sample = BTreeMap<&'static str, f64>;

/// How the workloads are run.
#[derive(Clone, Debug)]
struct Conditions {
    durability: Durability,
    capacity: u32,
    batch_size: usize,
    scale: f64,
    /// Below which directory the data goes; `None` = a temporary one.
    base: Option<PathBuf>,
    /// Where the servers are; `None` = everything is in this process.
    servers: Option<Servers>,
    /// What there is at the servers now, so that it is removed whatever happens.
    made: Arc<Mutex<Option<Scratch>>>,
}

impl Conditions {
    fn new(asked: &Bench, setting: &Setting) -> Result<Self, Failure> {
        if !(asked.scale.is_finite() && asked.scale > 0.0) {
            return Err(Failure::usage("--scale must be a number above 0"));
        }
        let durability = match asked.synchronous {
            Some(SynchronousMode::Full) => Durability::Full,
            Some(SynchronousMode::Normal) => Durability::Normal,
            None => setting.config.durability,
        };
        let batch_size = asked.batch_size.and_then(|size| usize::try_from(size).ok());
        let servers = match asked.backend {
            Backend::Embedded => None,
            Backend::Rabbitmq => {
                let broker = production::message_queue(&setting.config)?;
                Some(production::servers_with(&setting.config, Some(broker))?)
            }
            Backend::Postgres => Some(production::servers_with(&setting.config, None)?),
        };
        Ok(Self {
            durability,
            capacity: asked.capacity,
            batch_size: batch_size.unwrap_or(setting.config.executor.batch_size),
            scale: asked.scale,
            base: asked.data.clone(),
            servers,
            made: Arc::default(),
        })
    }

    /// `usual`, made smaller or larger as asked.
    fn scaled(&self, usual: u32) -> u32 {
        // The cast saturates, and a bench of nothing measures nothing.
        ((f64::from(usual) * self.scale) as u32).max(1)
    }

    /// Where the broker listens, if there is one beside the database.
    fn broker_port(&self) -> Option<u16> {
        let queue = self.servers.as_ref()?.message_queue.as_ref()?;
        let place = queue.url.split_once("://").map_or("", |(_, rest)| rest);
        let place = place.split('/').next().unwrap_or_default();
        let port = place.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Some(port.unwrap_or(5672))
    }

    /// What it runs on, as `--backend` says it.
    fn backend(&self) -> &'static str {
        match &self.servers {
            None => "embedded",
            Some(servers) if servers.message_queue.is_some() => "rabbitmq",
            Some(_) => "postgres",
        }
    }

    /// Remembers what was made at the servers.
    fn made(&self, scratch: Scratch) -> Scratch {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(scratch.clone());
        scratch
    }

    /// Forgets it again.
    fn removed(&self) -> Option<Scratch> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs the workloads and shows the medians.
pub(crate) fn bench(asked: &Bench, setting: &Setting) -> Result<Code, Failure> {
    let conditions = Conditions::new(asked, setting)?;
    let executor = setup::executor()?;
    let ended = executor.block_on(async {
        let mut signals = Signals::catch()?;
        if let Some(name) = &asked.be_worker {
            return serve(name, asked, &conditions, &mut signals).await;
        }
        let ended = tokio::select! {
            biased;
            code = signals.next() => Ok(code),
            ended = measure(asked, &conditions, setting) => ended,
        };
        // What was cut short has left something behind.
        if let Some(scratch) = conditions.removed()
            && let Err(failure) = scratch.remove(&[]).await
        {
            failure.print();
        }
        ended
    });
    executor.shutdown_background();
    ended
}

/// Is a worker process of another bench.
async fn serve(
    name: &str,
    asked: &Bench,
    conditions: &Conditions,
    signals: &mut Signals,
) -> Result<Code, Failure> {
    let (Some(mut servers), [workload]) = (conditions.servers.clone(), &asked.workloads[..]) else {
        return Err(Failure::usage("--be-worker needs one workload and servers"));
    };
    if let Some(queue) = &mut servers.message_queue {
        queue.keep_to(asked.namespace.as_deref().unwrap_or_default());
    }
    worker::be_worker(name, *workload, conditions, servers, signals).await
}

async fn measure(
    asked: &Bench,
    conditions: &Conditions,
    setting: &Setting,
) -> Result<Code, Failure> {
    if let Some(jobs) = &asked.victim {
        let directory = asked.data.as_deref().unwrap_or(Path::new("."));
        return kill::victim(jobs, directory, conditions).await;
    }
    let all = [Workload::W1, Workload::W2, Workload::W3, Workload::W4, Workload::W5];
    let workloads = if asked.workloads.is_empty() { all.to_vec() } else { asked.workloads.clone() };
    let mut results = Vec::new();
    for workload in workloads {
        let mut samples = Vec::new();
        for number in 1..=asked.runs {
            eprintln!("{} ({number} of {})", story(workload), asked.runs);
            samples.push(run(workload, conditions).await?);
        }
        results.push((workload, summarize(&samples)));
    }
    let workloads: Vec<Value> = results.iter().map(|(workload, s)| as_json(*workload, s)).collect();
    let mut value = json!({
        "backend": conditions.backend(),
        "runs": asked.runs,
        "scale": asked.scale,
        "capacity": asked.capacity,
        "batch_size": conditions.batch_size,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "workloads": workloads,
    });
    if conditions.servers.is_none() {
        value["synchronous"] = json!(word(conditions.durability));
    }
    let text = setting.format.render(&value, || table(&results));
    show(&text).map_err(|error| Failure::cannot_write(&error))?;
    check(&results)
}

/// The name of a durability.
const fn word(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "full",
        Durability::Normal => "normal",
    }
}

async fn run(workload: Workload, conditions: &Conditions) -> Result<Sample, Failure> {
    match workload {
        Workload::W1 => queues::one(conditions).await,
        Workload::W2 => queues::ten(conditions).await,
        Workload::W3 => flows::flows(conditions).await,
        Workload::W4 => latency::latency(conditions).await,
        Workload::W5 if conditions.servers.is_some() => handover::handover(conditions).await,
        Workload::W5 => kill::kill(conditions).await,
    }
}

/// The name on the wire.
const fn name(workload: Workload) -> &'static str {
    match workload {
        Workload::W1 => "W1",
        Workload::W2 => "W2",
        Workload::W3 => "W3",
        Workload::W4 => "W4",
        Workload::W5 => "W5",
    }
}

const fn story(workload: Workload) -> &'static str {
    match workload {
        Workload::W1 => "W1: no-op executions enqueued up front, one worker",
        Workload::W2 => "W2: the same over 10 queues of limit 3, order checked",
        Workload::W3 => "W3: workflows of 10 items and a join",
        Workload::W4 => "W4: pickup latency when idle, one job each 50 ms",
        Workload::W5 => "W5: jobs of 2 s, 10 at once, the process that runs them killed half-way",
    }
}

/// Median, lowest and highest of each measure.
fn summarize(samples: &[Sample]) -> BTreeMap<&'static str, [f64; 3]> {
    let mut summary = BTreeMap::new();
    let names = samples.first().map(|sample| sample.keys().copied()).into_iter().flatten();
    for name in names {
        let mut values: Vec<f64> = samples.iter().filter_map(|s| s.get(name).copied()).collect();
        values.sort_by(f64::total_cmp);
        if let (Some(lowest), Some(highest)) = (values.first(), values.last()) {
            summary.insert(name, [median(&values), *lowest, *highest]);
        }
    }
    summary
}

/// The middle of sorted values; with an even number, the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

fn as_json(workload: Workload, summary: &BTreeMap<&'static str, [f64; 3]>) -> Value {
    let measures: serde_json::Map<String, Value> = summary
        .iter()
        .map(|(name, [median, lowest, highest])| {
            let spread = json!({ "median": median, "lowest": lowest, "highest": highest });
            ((*name).to_owned(), spread)
        })
        .collect();
    json!({ "name": name(workload), "story": story(workload), "measures": measures })
}

fn table(results: &[(Workload, BTreeMap<&'static str, [f64; 3]>)]) -> String {
    let mut table = Table::new(&["workload", "measure", "median", "lowest", "highest"]);
    for (workload, summary) in results {
        for (measure, values) in summary {
            let shown = values.map(|value| {
                if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
            });
            let cells = [name(*workload).to_owned(), (*measure).to_owned()];
            table.row(cells.into_iter().chain(shown));
        }
    }
    table.render()
}

/// Measures that must be zero in every run.
const ZERO: &[&str] = &["order_violations", "limit_violations", "joins_missing", "counted_twice"];

/// A fast answer that is wrong is no result.
fn check(results: &[(Workload, BTreeMap<&'static str, [f64; 3]>)]) -> Result<Code, Failure> {
    for (workload, summary) in results {
        for measure in ZERO {
            if summary.get(measure).is_some_and(|[_, _, highest]| *highest > 0.0) {
                let workload = name(*workload);
                return Err(Failure::not_completed(format!("{workload}: {measure} is not 0")));
            }
        }
    }
    Ok(Code::Done)
}
