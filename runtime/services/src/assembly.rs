//! Putting services together: the binary, the library and the simulator all start them here.

use tokio_util::sync::CancellationToken;
use tracing::warn;

use steadfast_core::Span;

use crate::port::{Broker, Counter, Env, Settle, StoreError, Subscription, Topic, is_planted};
use crate::service::admit::Admitter;
use crate::service::advance::Advancer;
use crate::service::complete::{self, Completer};
use crate::service::dispatch::{self, Dispatcher};
use crate::service::submit::{self, Submitter};
use crate::service::{HandleHints, sweep};

/// The ways into a running engine.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Takes submissions.
    pub submitter: Submitter,
    /// Takes reports.
    pub completer: Completer,
}

/// Opens the ways in. They close when the last copy is dropped.
pub fn open_doors<E: Env>(env: &E) -> Doors {
    Doors { submitter: submit::start(env), completer: complete::start(env) }
}

/// Starts everything that decides: admission, workflow advance, sweeps, and dispatch if the
/// transport assigns work. It runs until `stop` is cancelled.
pub fn start_executor<E: Env>(env: &E, stop: &CancellationToken) {
    start_consumer(env, "admit", Topic::Admit, Admitter, stop);
    let advancer = Advancer::default();
    start_consumer(env, "advance", Topic::Advance, advancer.clone(), stop);
    if env.transport().pushes() {
        start_consumer(env, "dispatch", Topic::Dispatch, Dispatcher, stop);
    }
    let (inner, stop_sweep) = (env.clone(), stop.clone());
    env.spawn("sweep", async move { sweep_until(&inner, &advancer, &stop_sweep).await });
}

fn start_consumer<E: Env>(
    env: &E,
    name: &'static str,
    topic: Topic,
    service: impl HandleHints + 'static,
    stop: &CancellationToken,
) {
    let (inner, stop) = (env.clone(), stop.clone());
    env.spawn(name, async move { consume(&inner, topic, &stop, &service).await });
}

/// Sweeps at its interval, and does what is due as soon as it is.
async fn sweep_until<E: Env>(env: &E, advancer: &Advancer, stop: &CancellationToken) {
    let interval = env.settings().sweep_interval;
    let mut next_sweep = env.now();
    while !stop.is_cancelled() {
        let now = env.now();
        let due = env.alarm().peek() <= now;
        if due {
            env.alarm().take();
        }
        let result = if now >= next_sweep {
            next_sweep = now + interval;
            sweep_and_dispatch(env, advancer).await
        } else if due {
            sweep::wake(env).await
        } else {
            Ok(())
        };
        if let Err(error) = result {
            warn!(%error, "a sweep did not finish; the next one does its work");
            env.sleep(Span::from_millis(200)).await;
        }
        let until = env.alarm().peek().min(next_sweep).since(env.now());
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = env.alarm().earlier() => {}
            () = env.sleep(until + Span::from_millis(1)) => {}
        }
    }
}

async fn sweep_and_dispatch<E: Env>(env: &E, advancer: &Advancer) -> Result<(), StoreError> {
    sweep::sweep(env, advancer).await?;
    if env.transport().pushes() {
        dispatch::dispatch(env).await?;
    }
    Ok(())
}

/// Consumes a topic: takes what is there, handles it as one batch, settles it. A batch that cannot
/// be handled comes again; the sweep would find its work as well.
async fn consume<E: Env>(
    env: &E,
    topic: Topic,
    stop: &CancellationToken,
    service: &impl HandleHints,
) {
    while !stop.is_cancelled() {
        let mut subscription = match env.broker().subscribe(topic.clone()).await {
            Ok(subscription) => subscription,
            Err(error) => {
                warn!(%error, ?topic, "cannot subscribe; trying again");
                env.sleep(Span::from_millis(500)).await;
                continue;
            }
        };
        loop {
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                received = subscription.receive(env.batch_size()) => received,
            };
            let deliveries = match received {
                Ok(deliveries) => deliveries,
                Err(error) => {
                    warn!(%error, ?topic, "nothing is received; subscribing again");
                    break;
                }
            };
            let again = deliveries.iter().filter(|delivery| delivery.redelivered).count();
            env.count(Counter::MessagesRedelivered, again as u64);
            let settle = match service.handle(env, &deliveries).await {
                Ok(()) => Settle::Ack,
                Err(_) if is_planted(env, "ack_before_work") => Settle::Ack,
                Err(error) => {
                    warn!(%error, ?topic, "hints are put off");
                    Settle::Delay(Span::from_millis(500))
                }
            };
            let receipts = deliveries.into_iter().map(|d| (d.receipt, settle.clone())).collect();
            if let Err(error) = subscription.settle(receipts).await {
                warn!(%error, ?topic, "hints were not settled; they come again");
                break;
            }
        }
    }
}
