//! The sweepers of an executor, each a task of its own: one that waits for a lock, or for the
//! store, keeps none of the others from their work.

use steadfast_core::Span;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::port::{Env, StoreError};
use crate::service::advance::Advancer;
use crate::service::{dispatch, effects, retention, schedule, sweep};

/// What one sweeper looks for.
#[derive(Clone, Debug)]
enum Sweeper {
    /// Workers that are silent or dead.
    Workers,
    /// Attempts of workers that are over.
    Orphans,
    /// What hints spoke of that were lost.
    Missed(Advancer),
    /// What waits to be assigned.
    Unassigned,
    /// What has been over for longer than this.
    History(Span),
}

/// The least time between two looks after history: nobody waits for it.
const HISTORY: Span = Span::from_secs(5);

impl Sweeper {
    const fn name(&self) -> &'static str {
        match self {
            Self::Workers => "check workers",
            Self::Orphans => "rescue",
            Self::Missed(_) => "catch up",
            Self::Unassigned => "assign",
            Self::History(_) => "retain",
        }
    }

    async fn sweep<E: Env>(&self, env: &E) -> Result<(), StoreError> {
        match self {
            Self::Workers => sweep::check_workers(env).await,
            Self::Orphans => sweep::rescue(env).await,
            Self::Missed(advancer) => sweep::catch_up(env, advancer).await,
            Self::Unassigned => dispatch::dispatch(env).await,
            Self::History(keep) => retention::retain(env, *keep).await,
        }
    }

    fn interval<E: Env>(&self, env: &E) -> Span {
        let swept = env.settings().sweep_interval;
        if matches!(self, Self::History(_)) { swept.max(HISTORY) } else { swept }
    }
}

/// Starts them all. They run until `stop` is cancelled.
pub(crate) fn start<E: Env>(env: &E, advancer: &Advancer, stop: &CancellationToken) {
    let mut sweepers = vec![Sweeper::Workers, Sweeper::Orphans, Sweeper::Missed(advancer.clone())];
    if env.transport().pushes() {
        sweepers.push(Sweeper::Unassigned);
    }
    sweepers.extend(env.retention().map(Sweeper::History));
    for sweeper in sweepers {
        let (inner, stop) = (env.clone(), stop.clone());
        env.spawn(sweeper.name(), async move { sweep_until(&inner, &sweeper, &stop).await });
    }
    let (inner, until) = (env.clone(), stop.clone());
    env.spawn("fire schedules", async move { fire_until(&inner, &until).await });
    let (inner, until) = (env.clone(), stop.clone());
    env.spawn("effects", async move { effects::deliver_until(&inner, &until).await });
    let (inner, stop) = (env.clone(), stop.clone());
    env.spawn("wake", async move { wake_until(&inner, &stop).await });
}

/// Sweeps at the interval.
async fn sweep_until<E: Env>(env: &E, sweeper: &Sweeper, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweeper.sweep(env).await {
            note(sweeper.name(), &error);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = env.sleep(sweeper.interval(env)) => {}
        }
    }
}

/// Does what is due: as soon as this process knows of it, and at the interval whatever it knows.
async fn wake_until<E: Env>(env: &E, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        env.alarm().heed(env.now());
        if let Err(error) = sweep::wake(env).await {
            note("wake", &error);
            env.sleep(Span::from_millis(200)).await;
        }
        env.alarm().wait(env, stop).await;
    }
}

/// Fires schedules: as soon as the next one that the last look saw is due, and at the interval
/// whatever it saw.
async fn fire_until<E: Env>(env: &E, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let interval = env.settings().sweep_interval;
        let pause = match schedule::fire(env).await {
            Ok(next) => next.map_or(interval, |next| next.min(interval)),
            Err(error) => {
                note("fire schedules", &error);
                interval
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = env.sleep(pause) => {}
        }
    }
}

fn note(sweeper: &str, error: &StoreError) {
    warn!(sweeper, %error, "a sweep did not finish; the next one does its work");
}
