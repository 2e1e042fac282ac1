//! One seed, from nothing to its outcome.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use madsim::Config;
use madsim::runtime::Runtime;
use steadfast_core::Transport;

use crate::case::missed;
use crate::law::WorldLaw;
use crate::sync::lock;
use crate::watched::{Watched, keep_panics, said};
use crate::{Case, Law, Node, Outcome, SimTime, Subject, World};

/// What bounds a run, and what is planted in it. None of this moves a draw.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Stop after the event with this index.
    pub until: Option<u64>,
    /// A bug to have, by its name in the catalogue.
    pub planted: Option<&'static str>,
    /// How work is carried, wherever a story leaves that to its seed.
    pub transport: Option<Transport>,
    /// Whether every process keeps a journal, by which its decisions are made again at the end.
    pub journal: bool,
    /// What to perform instead of what the seed draws.
    pub case: Option<Arc<Case>>,
    /// The most simulated time that a story may take.
    pub sim_time_max: Duration,
    /// The most events that a run may write.
    pub events_max: u64,
    /// How long the watchdog waits, in wall time, for a run that no longer moves.
    pub wall_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            until: None,
            planted: None,
            transport: None,
            journal: false,
            case: None,
            sim_time_max: Duration::from_secs(3600),
            events_max: 5_000_000,
            wall_max: Duration::from_secs(120),
        }
    }
}

/// How long a run that was given up may take to notice.
const LAST_GRACE: Duration = Duration::from_millis(500);

/// Runs `story` in the world of `seed`, on a thread of its own.
///
/// The thread is fresh because the standard library seeds its maps once for each thread, and
/// would carry that from one seed to the next. A story that panics, never ends or stops moving
/// is a violation like any other.
pub fn run_seed<S, F>(seed: u64, settings: &Settings, story: S) -> Outcome
where
    S: FnOnce(World) -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let begun = wall_clock();
    let world = World::new(seed, settings);
    let (inside, sim_time_max) = (world.clone(), settings.sim_time_max);
    let (report, ended) = channel();
    let thread = thread::Builder::new()
        .name(format!("seed {seed}"))
        .spawn(move || {
            keep_panics();
            let simulation = AssertUnwindSafe(|| simulate(inside, sim_time_max, story));
            // Nobody listens any more when the watchdog gave up; then there is nothing to tell.
            let _ = report.send(catch_unwind(simulation).map_err(|panic| said(&*panic)));
        })
        .expect("the system gives one more thread");
    match ended.recv_timeout(settings.wall_max) {
        Ok(result) => {
            // The thread has nothing left to do but to end.
            let _ = thread.join();
            if let Err(panic) = result {
                accuse(&world, WorldLaw::NoPanic, panic);
            }
        }
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            accuse(&world, WorldLaw::Finishes, stuck(&world, settings.wall_max));
            world.0.given_up.store(true, Ordering::Relaxed);
            let _ = ended.recv_timeout(LAST_GRACE);
        }
    }
    let wall = wall_clock().duration_since(begun);
    world.outcome(wall)
}

/// The whole life of the world, on the current thread.
fn simulate<S, F>(world: World, sim_time_max: Duration, story: S)
where
    S: FnOnce(World) -> F,
    F: Future<Output = ()>,
{
    // First of all on this thread: it also decides how std's maps are seeded.
    let runtime = Runtime::with_seed_and_config(world.seed(), Config::default());
    runtime.block_on(async {
        world.start_chores();
        let story = Watched::new(&world, Node::WORLD, story(world.clone()));
        let story = madsim::time::timeout(sim_time_max, story);
        tokio::select! {
            biased;
            () = world.closed() => {}
            ended = story => match ended {
                Ok(()) => {
                    world.judge_rows();
                    world.change(|record, now| record.end(now));
                }
                Err(_) => world.violate(
                    WorldLaw::Finishes,
                    format!("no end after {sim_time_max:?} of simulated time"),
                ),
            }
        }
        let left = world.tear_down().await;
        if left > 0 {
            let detail = format!("{left} processes are left");
            accuse(&world, WorldLaw::NothingOutlivesTheWorld, detail);
        }
    });
}

/// Notes a fall that the world could not note itself.
fn accuse(world: &World, law: impl Into<Law>, detail: String) {
    let law = law.into();
    let mut record = lock(&world.0.record);
    let at: SimTime = record.last_known_time();
    record.accuse(at, law, detail);
    record.close(at);
}

/// Who keeps a run that no longer moves: whoever was polled last.
fn stuck(world: &World, wall_max: Duration) -> String {
    let node = world.at_work();
    let record = lock(&world.0.record);
    let name = record.log.name(node);
    let last = record.log.events().iter().rev().find(|event| event.node == node);
    let last = last.map_or_else(
        || "it wrote no event".to_owned(),
        |event| format!("its last event is {}, {event}", event.index),
    );
    format!("no end after {wall_max:?} of wall time; {name} was at work last, and {last}")
}

impl World {
    /// Takes out what there is to know.
    fn outcome(&self, wall: Duration) -> Outcome {
        let shared = &self.0;
        let unmatched = lock(&shared.chance).unmatched();
        let held = lock(&shared.record).has_held();
        // When a law fell, what was to come afterwards could not come any more.
        if held && shared.is_whole && !unmatched.is_empty() {
            accuse(self, WorldLaw::CaseMatches, missed(&unmatched));
        }
        let mut outcome = lock(&shared.record).outcome(self.seed(), wall);
        outcome.planted = shared.planted;
        outcome.transport = shared.transport;
        outcome.journal = shared.journals.as_ref().map(|journals| lock(journals).check());
        outcome.is_case = shared.case.is_some();
        outcome.plan = lock(&shared.performed).take();
        outcome.struck = self.struck();
        outcome.unmatched = unmatched;
        outcome.subjects = self.see_rows(|rows| {
            let named = rows.executions.iter().map(|execution| {
                let subject = Subject {
                    action: execution.action.to_string(),
                    queue: execution.queue.to_string(),
                    parent: execution.place.as_ref().map(|place| place.task.run),
                };
                (execution.id, subject)
            });
            named.collect()
        });
        outcome
    }
}

/// The time outside: how long a run took, or how long a person has waited. It steers no run.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks for it")]
pub fn wall_clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
