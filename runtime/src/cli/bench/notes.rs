//! What the handlers of the workloads do and note: in this process, or in a worker process that
//! tells what it noted line by line.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_runtime::core::ActionRef;
use steadfast_runtime::packs::Definition;
use steadfast_runtime::{Context, EngineBuilder};

use crate::cli::arguments::Workload;
use crate::cli::setup::micros;

/// How many queues W2 has.
pub(super) const QUEUES: u32 = 10;
/// The limit of each.
pub(super) const LIMIT: u32 = 3;
/// How many jobs of W5 run at once, however many workers there are.
pub(super) const SLOTS: u32 = 10;
/// How long each takes.
pub(super) const NAP: Duration = Duration::from_secs(2);

/// The action of a queue of W2.
pub(super) fn queue_name(queue: u32) -> String {
    format!("bench.queue{queue}")
}

/// One call of a handler that is looked at alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The job's number.
    pub(super) job: u64,
    /// When it began, in microseconds since 1970 by the clock of this machine.
    pub(super) at: u64,
}

/// What handlers noted. Copies share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: AtomicU64,
    most: AtomicU32,
    starts: Mutex<Vec<Start>>,
    /// Whether each start is a line on standard output at once.
    aloud: bool,
}

impl Notes {
    /// Notes of a process that may be killed: what it noted must be known by then.
    pub(super) fn aloud() -> Self {
        Self(Arc::new(Inner { aloud: true, ..Inner::default() }))
    }

    /// How many calls have done what the workload wants.
    pub(super) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// How many calls were in one queue at once, at the most.
    pub(super) fn most(&self) -> u32 {
        self.0.most.load(Ordering::Relaxed)
    }

    /// Every start that was noted, in the order of their arrival here.
    pub(super) fn starts(&self) -> Vec<Start> {
        self.0.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn call(&self) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn start(&self, input: &Value) {
        let at = micros();
        let job = input.get("n").and_then(Value::as_u64).unwrap_or(u64::MAX);
        if self.0.aloud {
            // Whoever does not listen any more is not missed.
            let _ = writeln!(std::io::stdout().lock(), "start {job} {at}");
        }
        self.keep(Start { job, at });
    }

    fn keep(&self, start: Start) {
        self.0.starts.lock().unwrap_or_else(PoisonError::into_inner).push(start);
    }

    /// Takes what a worker process said.
    pub(super) fn hear(&self, line: &str) {
        let mut words = line.split(' ');
        let kind = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        match kind {
            Some("calls") => self.0.calls.store(number().unwrap_or(0), Ordering::Relaxed),
            Some("most") => {
                let most = number().and_then(|most| u32::try_from(most).ok());
                self.0.most.fetch_max(most.unwrap_or(u32::MAX), Ordering::Relaxed);
            }
            Some("start") => {
                if let (Some(job), Some(at)) = (number(), number()) {
                    self.keep(Start { job, at });
                }
            }
            _ => {}
        }
    }

    /// Says what has changed since the last time, for [`Notes::hear`].
    pub(super) fn tell(&self, told: &mut (u64, u32)) {
        let now = (self.calls(), self.most());
        if now == *told {
            return;
        }
        *told = now;
        // In this order: whoever has heard of the last call knows of the most as well.
        let _ = writeln!(std::io::stdout().lock(), "most {}\ncalls {}", now.1, now.0);
    }
}

/// The handlers of a workload.
pub(super) fn handlers(workload: Workload, notes: &Notes) -> EngineBuilder {
    let builder = steadfast_runtime::Engine::builder();
    let notes = notes.clone();
    match workload {
        Workload::W1 => builder.handler("bench.noop", move |_: Context, _: Value| {
            notes.call();
            async { Ok::<_, String>(Value::Null) }
        }),
        Workload::W2 => (0..QUEUES).fold(builder, |builder, queue| limited(builder, queue, &notes)),
        Workload::W3 => builder
            .handler("bench.item", |_: Context, _: Value| async { Ok::<_, String>(Value::Null) })
            .handler("bench.join", move |_: Context, input: Value| {
                if input.get("n") == Some(&json!(10)) {
                    notes.call();
                }
                async { Ok::<_, String>(Value::Null) }
            }),
        Workload::W4 => builder.handler("bench.noop", move |_: Context, input: Value| {
            notes.start(&input);
            notes.call();
            async { Ok::<_, String>(Value::Null) }
        }),
        Workload::W5 => {
            let mut definition = Definition::handler("bench.sleep");
            definition.concurrency_limit = Some(SLOTS);
            builder.handler_with(definition, move |_: Context, input: Value| {
                notes.start(&input);
                async {
                    tokio::time::sleep(NAP).await;
                    Ok::<_, String>(Value::Null)
                }
            })
        }
    }
}

/// A queue with a limit, whose handler notes how many are in it.
fn limited(builder: EngineBuilder, queue: u32, notes: &Notes) -> EngineBuilder {
    let mut definition = Definition::handler(queue_name(queue).as_str());
    definition.concurrency_limit = Some(LIMIT);
    let running = Arc::new(AtomicU32::new(0));
    let notes = notes.clone();
    builder.handler_with(definition, move |_: Context, _: Value| {
        let (notes, running) = (notes.clone(), Arc::clone(&running));
        async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            notes.0.most.fetch_max(now, Ordering::SeqCst);
            // Others get their chance to be at it as well.
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            notes.call();
            Ok::<_, String>(Value::Null)
        }
    })
}

/// How often each job was started, beyond its first time.
pub(super) fn started_again(starts: &[Start]) -> u64 {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for start in starts {
        *counts.entry(start.job).or_default() += 1;
    }
    counts.values().map(|count| count - 1).sum()
}

/// The action that a workload submits, for its `job`.
pub(super) fn action(workload: Workload, job: u32) -> ActionRef {
    ActionRef::new(match workload {
        Workload::W2 => queue_name(job % QUEUES),
        Workload::W5 => String::from("bench.sleep"),
        _ => String::from("bench.noop"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_says_is_heard() {
        let notes = Notes::default();
        for line in ["most 3", "calls 17", "start 4 1000", "start 5 1001", "most 2", "registered"] {
            notes.hear(line);
        }
        assert_eq!((notes.calls(), notes.most()), (17, 3));
        assert_eq!(notes.starts(), [Start { job: 4, at: 1000 }, Start { job: 5, at: 1001 }]);
        notes.hear("start 4 1002");
        assert_eq!(started_again(&notes.starts()), 1);
    }
}
