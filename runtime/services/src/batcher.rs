//! Grouping: inputs that arrive while a transaction is under way share the next one. An idle
//! system adds no waiting, since the first input starts its transaction at once.

use std::future::Future;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot};

use crate::port::Env;

/// Sends inputs, one at a time, to a service that takes them in groups.
#[derive(Debug)]
pub struct Batcher<I, O> {
    sender: mpsc::Sender<(I, oneshot::Sender<O>)>,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

/// How often a group that is smaller than the last one lets others run before it goes.
const YIELDS: u32 = 32;

/// Those who got their answers together come back one after the other. Without this the first of them
/// would go alone, the others would wait for it, and every second transaction would be for a few.
/// Nobody waits for the clock: what runs meanwhile is what is ready to run.
async fn fill<T>(receiver: &mut mpsc::Receiver<T>, group: &mut Vec<T>, last: usize) {
    for _ in 0..YIELDS {
        if group.len() >= last {
            return;
        }
        let mut yielded = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        while group.len() < last
            && let Ok(input) = receiver.try_recv()
        {
            group.push(input);
        }
    }
}

/// The service has stopped; the input was not taken, or its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine is shutting down")]
pub struct Stopped;

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Starts a service. `take` gets up to [`Env::batch_size`] inputs and answers each, in order.
    /// It runs until the last sender is gone.
    pub fn start<E, F, Fut>(env: &E, name: &'static str, mut take: F) -> Self
    where
        E: Env,
        F: FnMut(Vec<I>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<O>> + Send,
    {
        let max = env.batch_size();
        let (sender, mut receiver) = mpsc::channel::<(I, oneshot::Sender<O>)>(4 * max);
        env.spawn(name, async move {
            let mut group = Vec::with_capacity(max);
            let mut last = 0;
            while receiver.recv_many(&mut group, max).await > 0 {
                fill(&mut receiver, &mut group, last).await;
                last = group.len();
                let (inputs, replies): (Vec<I>, Vec<_>) = group.drain(..).unzip();
                let outputs = take(inputs).await;
                for (reply, output) in replies.into_iter().zip(outputs) {
                    // Nobody waits for it any more; what was decided is in the store.
                    let _ = reply.send(output);
                }
            }
        });
        Self { sender }
    }

    /// Sends one input and waits for its answer.
    ///
    /// # Errors
    /// If the service has stopped.
    pub async fn send(&self, input: I) -> Result<O, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.sender.send((input, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}
