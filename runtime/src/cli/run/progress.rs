//! What a run is doing, on standard error: a bar for each list on a terminal, lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use steadfast_runtime::Engine;
use steadfast_runtime::core::workflow::{Visit, VisitState};
use steadfast_runtime::core::{ExecutionId, Status};
use steadfast_services::port::{Query, StoreError};

use super::report::without_text;
use crate::cli::setup::monotonic;

/// How long a list may go without a line.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// How many steps of progress are worth a line each.
const STEPS: u32 = 10;
/// How long nothing may happen before the store is asked whether it can still be written.
const PROBE_AFTER: Duration = Duration::from_secs(3);
/// The note that is written to find out.
const PROBE: &str = "run:probe";

/// Watches one run.
pub(crate) struct Progress {
    id: ExecutionId,
    secrets: Vec<String>,
    /// The bars, on a terminal.
    bars: Option<MultiProgress>,
    seen: BTreeMap<(String, u32), Seen>,
    /// When something was last seen to happen, or the store was asked.
    last_change: Instant,
}

/// What was shown of a visit of a task.
struct Seen {
    since: Instant,
    ended: u32,
    shown: u32,
    shown_at: Instant,
    is_over: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Watches the run `id`; `secrets` are never shown.
    pub(crate) fn new(id: ExecutionId, secrets: Vec<String>) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { id, secrets, bars, seen: BTreeMap::new(), last_change: monotonic() }
    }

    /// Looks once and shows what has changed.
    ///
    /// # Errors
    /// If the store cannot be used any more.
    pub(crate) async fn look(&mut self, engine: &Engine) -> Result<(), StoreError> {
        let now = monotonic();
        let Some((_, visits)) = engine.query().run(self.id).await? else {
            return self.probe(engine, now).await;
        };
        let mut changed = false;
        for visit in &visits {
            changed |= self.show(visit, now);
        }
        if changed {
            self.last_change = now;
        }
        self.probe(engine, now).await
    }

    /// A full disk keeps everything from happening, so when nothing happens for a while it is
    /// looked for.
    async fn probe(&mut self, engine: &Engine, now: Instant) -> Result<(), StoreError> {
        if now.duration_since(self.last_change) < PROBE_AFTER {
            return Ok(());
        }
        self.last_change = now;
        match engine.query().put_note(PROBE, "").await {
            Err(error @ StoreError::Full(_)) => Err(error),
            // Anything else may pass, and the engine tries again by itself.
            _ => Ok(()),
        }
    }

    /// Shows a visit; says whether anything was new.
    fn show(&mut self, visit: &Visit, now: Instant) -> bool {
        if visit.state == VisitState::Waiting {
            return false;
        }
        let key = (visit.key.task.to_string(), visit.key.occurrence);
        let is_new = !self.seen.contains_key(&key);
        if is_new {
            let seen = self.begin(visit, now);
            self.seen.insert(key.clone(), seen);
        }
        let Some(seen) = self.seen.get_mut(&key) else { return false };
        if seen.is_over {
            return false;
        }
        let moved = seen.ended != visit.ended;
        seen.ended = visit.ended;
        if let Some(bar) = &seen.bar {
            bar.set_position(u64::from(visit.ended));
        }
        if visit.state == VisitState::Ended {
            seen.is_over = true;
            if let Some(bar) = seen.bar.take() {
                bar.finish_and_clear();
            }
            let took = (!is_new).then(|| now.duration_since(seen.since));
            let line = ending(visit, took, &self.secrets);
            self.say(&line);
        } else if visit.listed && self.bars.is_none() && is_worth_a_line(visit, seen, now) {
            (seen.shown, seen.shown_at) = (visit.ended, now);
            let line = format!("{}: {} of {}", name(visit), visit.ended, visit.total);
            self.say(&line);
        }
        is_new || moved
    }

    fn begin(&self, visit: &Visit, now: Instant) -> Seen {
        let bar = match &self.bars {
            Some(bars) if visit.listed && visit.state == VisitState::Running => {
                let bar = bars.add(ProgressBar::new(u64::from(visit.total)));
                bar.set_style(style());
                bar.set_prefix(name(visit));
                Some(bar)
            }
            _ => None,
        };
        if bar.is_none() && visit.state == VisitState::Running {
            let items =
                if visit.listed { format!(", {} items", visit.elements) } else { String::new() };
            self.say(&format!("{}: started{items}", name(visit)));
        }
        Seen { since: now, ended: 0, shown: 0, shown_at: now, is_over: false, bar }
    }

    fn say(&self, line: &str) {
        match &self.bars {
            // Above the bars. A terminal that cannot be written to has nobody before it.
            Some(bars) => drop(bars.println(line)),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bars away.
    pub(crate) fn close(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix} [{bar:30}] {pos}/{len} {elapsed}";
    ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

fn is_worth_a_line(visit: &Visit, seen: &Seen, now: Instant) -> bool {
    if visit.ended == seen.shown {
        return false;
    }
    let step = |ended: u32| u64::from(ended) * u64::from(STEPS) / u64::from(visit.total.max(1));
    step(visit.ended) > step(seen.shown) || now.duration_since(seen.shown_at) >= LINE_EVERY
}

fn name(visit: &Visit) -> String {
    match visit.key.occurrence {
        0 => format!("task {}", visit.key.task),
        again => format!("task {} (visit {})", visit.key.task, again + 1),
    }
}

fn ending(visit: &Visit, took: Option<Duration>, secrets: &[String]) -> String {
    let status = visit.status.unwrap_or(Status::Completed);
    let mut line = format!("{}: {status}", name(visit));
    if let Some(took) = took {
        line.push_str(&format!(" after {:.1} s", took.as_secs_f64()));
    }
    if visit.listed {
        line.push_str(&format!(", {} of {} completed", visit.ended - visit.failed, visit.total));
    }
    if let Some(error) = &visit.error {
        line.push_str(": ");
        line.push_str(&without_text(error, secrets).replace('\n', " "));
    }
    line
}
