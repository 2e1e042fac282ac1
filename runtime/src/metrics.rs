//! What operators watch, in the OpenMetrics text format.
//!
//! Counters are those of this process. Gauges are read from the store, at most once a second
//! however often somebody scrapes, and `gauge_age_seconds` says how old they are: while the store
//! does not answer, the last known values are shown and their age grows.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use steadfast_core::worker::Worker;
use steadfast_core::{Span, Timestamp, WorkerId};
use steadfast_services::port::{Counter, Env, Query, StoreError};
use tokio::sync::Mutex;
use tracing::{debug, warn};

use crate::engine::Engine;

mod audit;
mod gauges;

use audit::Audit;
use gauges::{Gauge, Gauges, NAMES, is_there};

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How old gauges may be.
const FRESH: Span = Span::from_secs(1);

/// How long the store may take to be looked at.
const PATIENCE: Duration = Duration::from_secs(3);

/// What stands before every name.
const PREFIX: &str = "steadfast";

/// Renders the metrics of an engine, and keeps what it read of the store for a moment.
#[derive(Debug, Default)]
pub struct Metrics {
    /// One scrape reads, and those that come meanwhile wait for it.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    gauges: Option<Arc<Gauges>>,
    audit: Audit,
}

impl Metrics {
    /// All metrics of `engine` as text.
    pub async fn render(&self, engine: &Engine) -> String {
        let (gauges, violations) = self.look(engine).await;
        let scrape = Scrape {
            engine: engine.clone(),
            gauges,
            violations,
            now: engine.env().now(),
            counters: COUNTERS.iter().map(|c| engine.counters().of(c.counter)).collect(),
        };
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(scrape));
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &registry) {
            warn!(%error, "the metrics cannot be written");
        }
        text
    }

    /// The gauges, and how often each law was seen broken.
    async fn look(&self, engine: &Engine) -> (Option<Arc<Gauges>>, Vec<(&'static str, u64)>) {
        let mut known = self.known.lock().await;
        let now = engine.env().now();
        let is_fresh = |gauges: &Arc<Gauges>| now.since(gauges.read_at) < FRESH;
        if !known.gauges.as_ref().is_some_and(is_fresh) {
            let Known { gauges, audit } = &mut *known;
            let reading = async {
                let read = read(engine, now).await?;
                audit.look(engine, now).await?;
                Ok::<_, StoreError>(read)
            };
            match tokio::time::timeout(PATIENCE, reading).await {
                Ok(Ok(mut read)) => {
                    read.keep_what_is_missing(gauges.as_deref());
                    *gauges = Some(Arc::new(read));
                }
                Ok(Err(error)) => warn!(%error, "the gauges cannot be read"),
                Err(_) => warn!("the gauges were not read within {PATIENCE:?}"),
            }
        }
        (known.gauges.clone(), known.audit.counts())
    }
}

async fn read(engine: &Engine, now: Timestamp) -> Result<Gauges, StoreError> {
    let queues = engine.query().queues(None).await?;
    let workers = engine.query().workers().await?;
    let mut gauges = Gauges::new(now, &queues, &workers);
    gauges.set_effects(&engine.query().open_effects().await?);
    let broker = engine.env().broker();
    // The broker may be away while the store is there, and gauges of the store go on then.
    match broker.count_parked().await {
        Ok(parked) => gauges.set_parked(now, parked),
        Err(error) => debug!(%error, "the parked messages cannot be counted"),
    }
    let living: Vec<WorkerId> =
        workers.iter().map(|(worker, _)| worker).filter(|w| is_there(w)).map(Worker::id).collect();
    match broker.waiting_for(&living).await {
        Ok(waiting) => gauges.set_waiting(living.iter().zip(waiting)),
        Err(error) => debug!(%error, "the workers' queues cannot be counted"),
    }
    Ok(gauges)
}

/// One counter: its name without `_total`, what it counts, and its labels.
struct Counted {
    name: &'static str,
    help: &'static str,
    label: Option<(&'static str, &'static str)>,
    also: Option<(&'static str, &'static str)>,
    counter: Counter,
}

/// Of effects, by what came of them.
const fn effect(outcome: &'static str, counter: Counter) -> Counted {
    let counted = counted("effects", Some(("outcome", outcome)), counter, EFFECTS);
    Counted { also: Some(("kind", "webhook")), ..counted }
}

const fn counted(
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
    counter: Counter,
    help: &'static str,
) -> Counted {
    Counted { name, help, label, also: None, counter }
}

const fn of(label: &'static str, value: &'static str) -> Option<(&'static str, &'static str)> {
    Some((label, value))
}

/// Everything that is counted; entries of one name stand together.
const COUNTERS: &[Counted] = &[
    counted("attempts", of("outcome", "succeeded"), Counter::AttemptsSucceeded, ATTEMPTS),
    counted("attempts", of("outcome", "failed"), Counter::AttemptsFailed, ATTEMPTS),
    counted("attempts", of("outcome", "timed_out"), Counter::AttemptsTimedOut, ATTEMPTS),
    counted("attempts", of("outcome", "cancelled"), Counter::AttemptsCancelled, ATTEMPTS),
    counted("attempts", of("outcome", "lost"), Counter::RescuesWorkerLost, ATTEMPTS),
    counted("execution_timeouts", of("kind", "queue"), Counter::TimeoutsQueue, TIMEOUTS),
    counted(
        "execution_timeouts",
        of("kind", "unschedulable"),
        Counter::TimeoutsUnschedulable,
        TIMEOUTS,
    ),
    counted("execution_timeouts", of("kind", "run"), Counter::TimeoutsRun, TIMEOUTS),
    counted(
        "duplicate_completions_ignored",
        None,
        Counter::DuplicateCompletionsIgnored,
        "Reports about attempts that were over",
    ),
    counted("fenced_writes", None, Counter::FencedWrites, "Writes with an old fencing token"),
    counted(
        "rescues",
        of("reason", "worker_lost"),
        Counter::RescuesWorkerLost,
        "Executions taken over from whoever had them",
    ),
    counted(
        "rescues",
        of("reason", "dead_letter"),
        Counter::RescuesDeadLetter,
        "Executions taken over from whoever had them",
    ),
    counted("dead_letters", None, Counter::DeadLetters, "Messages that no worker took in time"),
    counted(
        "redundant_writes_skipped",
        None,
        Counter::RedundantWritesSkipped,
        "Rows that were touched and came out as they were",
    ),
    counted(
        "messages_published",
        of("type", "hint"),
        Counter::MessagesPublished,
        "Messages that the broker took",
    ),
    counted("executions_filed", None, Counter::ExecutionsFiled, "Ended executions put away"),
    counted("executions_dropped", None, Counter::ExecutionsDropped, DROPPED),
    effect("delivered", Counter::EffectsDelivered),
    effect("failed", Counter::EffectTriesFailed),
    effect("gave_up", Counter::EffectsGivenUp),
    counted("messages_redelivered", None, Counter::MessagesRedelivered, "Messages that came again"),
    counted("schedules_fired", None, Counter::SchedulesFired, "Due times of schedules that fired"),
    counted("schedules_passed_over", None, Counter::SchedulesPassedOver, PASSED_OVER),
];

const EFFECTS: &str =
    "Deliveries: those that arrived, tries that failed and are made again, and those given up";
const ATTEMPTS: &str = "Attempts that ended, by how";
const DROPPED: &str = "Executions that were dropped because their retention had ended";
const PASSED_OVER: &str = "Schedules that left due times out: missed, or not to be submitted";
const TIMEOUTS: &str = "Executions and attempts that the engine ended after a deadline, by which";

/// What one scrape shows.
struct Scrape {
    engine: Engine,
    gauges: Option<Arc<Gauges>>,
    /// How often each law was seen broken.
    violations: Vec<(&'static str, u64)>,
    now: Timestamp,
    /// In the order of [`COUNTERS`].
    counters: Vec<u64>,
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrape").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.encode_counters(&mut encoder)?;
        self.encode_measures(&mut encoder)?;
        let Some(gauges) = &self.gauges else { return Ok(()) };
        for (name, help) in NAMES {
            let samples = gauges.of(name);
            encode_gauge(&mut encoder, name, help, samples)?;
        }
        if let Some((_, parked)) = gauges.parked {
            let name = "parked_messages";
            let parked_gauge = encoder.encode_descriptor(name, PARKED, None, MetricType::Gauge)?;
            ConstGauge::new(parked).encode(parked_gauge)?;
        }
        let age = |read_at: Timestamp| seconds(self.now.since(read_at));
        let mut ages: Vec<Gauge> =
            NAMES.iter().map(|(name, _)| Gauge::new("gauge", *name, age(gauges.read_at))).collect();
        if let Some((read_at, _)) = gauges.parked {
            ages.push(Gauge::new("gauge", "parked_messages", age(read_at)));
        }
        encode_gauge(&mut encoder, "gauge_age_seconds", "How old the gauges are", &ages)
    }
}

const PARKED: &str = "Messages put aside because they could not be carried out";
const OUTBOX: &str =
    "The longest that messages took to be confirmed after their commit, in the last minute or two";
const VIOLATIONS: &str = "How often a law was seen broken in the newest rows; see the log";

impl Scrape {
    fn encode_measures(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let measures = self.engine.env().measures();
        for (name, help, histogram) in measures.histograms() {
            histogram.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                histogram.metric_type(),
            )?)?;
        }
        let name = "outbox_lag_seconds";
        let outbox = encoder.encode_descriptor(name, OUTBOX, None, MetricType::Gauge)?;
        ConstGauge::new(seconds(measures.outbox_lag(self.now))).encode(outbox)?;
        let kind = ConstCounter::<u64>::TYPE;
        let mut family = encoder.encode_descriptor("law_violations", VIOLATIONS, None, kind)?;
        for (law, count) in &self.violations {
            let labels = [("law", *law)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn encode_counters(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut rest: Vec<(&Counted, u64)> =
            COUNTERS.iter().zip(self.counters.iter().copied()).collect();
        while let Some((first, _)) = rest.first() {
            let end = rest.iter().take_while(|(c, _)| c.name == first.name).count();
            let (name, help) = (first.name, first.help);
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstCounter::<u64>::TYPE)?;
            if first.label.is_none() {
                ConstCounter::new(rest.remove(0).1).encode(family)?;
                continue;
            }
            for (counted, count) in rest.drain(..end) {
                let labels: Vec<(&str, &str)> =
                    counted.also.into_iter().chain(counted.label).collect();
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode_gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: &[Gauge],
) -> Result<(), std::fmt::Error> {
    // A family without samples would say that it is known and nothing is there.
    if samples.is_empty() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for sample in samples {
        let labels = [(sample.label, sample.of.as_str())];
        ConstGauge::new(sample.value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn seconds(span: Span) -> f64 {
    // Exact for every span shorter than centuries.
    span.as_micros() as f64 / 1e6
}
