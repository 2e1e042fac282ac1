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
use steadfast_core::{Span, Timestamp};
use steadfast_services::port::{Counter, Env, Query};
use tokio::sync::Mutex;
use tracing::warn;

use crate::engine::Engine;

mod gauges;

use gauges::{Gauge, Gauges, NAMES};

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
    known: Mutex<Option<Arc<Gauges>>>,
}

impl Metrics {
    /// All metrics of `engine` as text.
    pub async fn render(&self, engine: &Engine) -> String {
        let scrape = Scrape {
            gauges: self.gauges(engine).await,
            now: engine.env().now(),
            parked: engine.env().broker().parked(),
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

    async fn gauges(&self, engine: &Engine) -> Option<Arc<Gauges>> {
        let mut known = self.known.lock().await;
        let now = engine.env().now();
        if let Some(known) = known.as_ref()
            && now.since(known.read_at) < FRESH
        {
            return Some(Arc::clone(known));
        }
        match tokio::time::timeout(PATIENCE, read(engine, now)).await {
            Ok(Ok(gauges)) => *known = Some(Arc::new(gauges)),
            Ok(Err(error)) => warn!(%error, "the gauges cannot be read"),
            Err(_) => warn!("the gauges were not read within {PATIENCE:?}"),
        }
        known.clone()
    }
}

async fn read(
    engine: &Engine,
    now: Timestamp,
) -> Result<Gauges, steadfast_services::port::StoreError> {
    let queues = engine.query().queues(None).await?;
    let workers = engine.query().workers().await?;
    Ok(Gauges::new(now, &queues, &workers))
}

/// One counter: its name without `_total`, what it counts, and its one label.
struct Counted {
    name: &'static str,
    help: &'static str,
    label: Option<(&'static str, &'static str)>,
    counter: Counter,
}

const fn counted(
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
    counter: Counter,
    help: &'static str,
) -> Counted {
    Counted { name, help, label, counter }
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
    counted("messages_redelivered", None, Counter::MessagesRedelivered, "Messages that came again"),
];

const ATTEMPTS: &str = "Attempts that ended, by how";
const DROPPED: &str = "Executions that were dropped because their retention had ended";
const TIMEOUTS: &str = "Executions and attempts that the engine ended after a deadline, by which";

/// What one scrape shows.
#[derive(Debug)]
struct Scrape {
    gauges: Option<Arc<Gauges>>,
    now: Timestamp,
    parked: u64,
    /// In the order of [`COUNTERS`].
    counters: Vec<u64>,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.encode_counters(&mut encoder)?;
        let help = "Messages put aside because they could not be carried out";
        let parked = encoder.encode_descriptor("parked_messages", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.parked).encode(parked)?;
        let Some(gauges) = &self.gauges else { return Ok(()) };
        for (name, help) in NAMES {
            let samples = gauges.of(name);
            encode_gauge(&mut encoder, name, help, samples)?;
        }
        let age = seconds(self.now.since(gauges.read_at));
        let ages: Vec<Gauge> =
            NAMES.iter().map(|(name, _)| Gauge::new("gauge", *name, age)).collect();
        encode_gauge(&mut encoder, "gauge_age_seconds", "How old the gauges are", &ages)
    }
}

impl Scrape {
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
                let labels: Vec<(&str, &str)> = counted.label.into_iter().collect();
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
