//! A world without a deployment, for tests that ask the simulated ports what they ask real ones.
//!
//! What a test needs of time and tasks is here under the names that tokio has for it, so that it
//! can be told on either. Nobody judges the rows by the laws: a test of a store writes rows that no
//! service would.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::runtime::Handle;
use tokio::sync::Notify;

use crate::sync::lock;
use crate::{Outcome, Process, Settings, World, run_seed, time};

/// Performs `play` as the program of one node, in the world of `seed`, and answers with what there
/// is to know of it. A panic of the play is a violation.
pub fn perform<S, F>(seed: u64, settings: &Settings, play: S) -> Outcome
where
    S: FnOnce(Process) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    run_seed(seed, settings, move |world: World| async move {
        world.leave_rows_unjudged();
        let (play, is_over) = (Mutex::new(Some(play)), Arc::new(Notify::new()));
        let over = Arc::clone(&is_over);
        world.node("play", move |me| {
            let play = lock(&play).take();
            let over = Arc::clone(&over);
            async move {
                if let Some(play) = play {
                    play(me).await;
                }
                over.notify_one();
            }
        });
        is_over.notified().await;
    })
}

/// Whether this thread is in a simulated world.
#[must_use]
pub fn is_here() -> bool {
    Handle::try_current().is_ok()
}

/// Lets simulated time pass.
pub async fn sleep(span: Duration) {
    time::sleep(span).await;
}

/// What a future gives, unless it takes longer than this; `None` then.
pub async fn timeout<F: Future>(span: Duration, future: F) -> Option<F::Output> {
    madsim::time::timeout(span, future).await.ok()
}

/// Runs a task beside the caller, on the same node.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(madsim::task::spawn(task));
}
