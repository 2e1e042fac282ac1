//! Time and tasks for whoever is asked to keep a contract: tokio's, or those of the simulated world
//! that the test finds itself in.
#![allow(dead_code, reason = "each test program uses its part")]

use std::future::Future;
use std::time::Duration;

use steadfast_sim::stage;
use tokio::sync::mpsc;

/// It took too long.
#[derive(Debug)]
pub(crate) struct Elapsed;

/// Lets time pass.
pub(crate) async fn sleep(span: Duration) {
    if stage::is_here() { stage::sleep(span).await } else { tokio::time::sleep(span).await }
}

/// What a future gives, if it does so in time.
pub(crate) async fn timeout<F: Future>(span: Duration, future: F) -> Result<F::Output, Elapsed> {
    if stage::is_here() {
        stage::timeout(span, future).await.ok_or(Elapsed)
    } else {
        tokio::time::timeout(span, future).await.map_err(|_| Elapsed)
    }
}

/// Runs a task beside the caller.
#[expect(clippy::disallowed_methods, reason = "outside a simulated world tasks are real")]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if stage::is_here() { stage::spawn(task) } else { drop(tokio::spawn(task)) }
}

/// Tasks whose ends are waited for. They go on if nobody does.
pub(crate) struct JoinSet<T> {
    sender: mpsc::UnboundedSender<T>,
    receiver: mpsc::UnboundedReceiver<T>,
    running: usize,
}

impl<T: Send + 'static> JoinSet<T> {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver, running: 0 }
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        let sender = self.sender.clone();
        self.running += 1;
        spawn(async move {
            // Nobody listens any more when the test has failed.
            let _ = sender.send(task.await);
        });
    }

    /// The end of whoever ends next.
    pub(crate) async fn join_next(&mut self) -> Option<T> {
        if self.running == 0 {
            return None;
        }
        let ended = self.receiver.recv().await;
        self.running -= 1;
        ended
    }

    /// What they ended with, in the order in which they did.
    pub(crate) async fn join_all(mut self) -> Vec<T> {
        let (mut all, running) = (Vec::new(), self.running);
        // Without this end of the channel it closes when the last task is gone, panic or not.
        drop(self.sender);
        while let Some(ended) = self.receiver.recv().await {
            all.push(ended);
        }
        assert_eq!(all.len(), running, "a task has panicked");
        all
    }
}
