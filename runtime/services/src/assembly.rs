//! Putting services together: the binary, the library and the simulator all start them here.

use tokio_util::sync::CancellationToken;
use tracing::warn;

use steadfast_core::Span;

use crate::port::{Broker, Counter, Env, Settle, Subscription, Topic, is_planted};
use crate::service::HandleHints;
use crate::service::admit::Admitter;
use crate::service::advance::Advancer;
use crate::service::dead_letter::DeadLetters;
use crate::service::dispatch::Dispatcher;
use crate::service::probe;
use crate::service::submit::{self, Submitter};
use crate::sweepers;

/// The ways into a running engine.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Takes submissions.
    pub submitter: Submitter,
}

/// Opens the ways in. They close when the last copy is dropped.
pub fn open_doors<E: Env>(env: &E) -> Doors {
    Doors { submitter: submit::start(env) }
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
    // Requests to stop are said to workers over every transport, and can die with the rest.
    start_consumer(env, "dead letters", Topic::Dead, DeadLetters, stop);
    sweepers::start(env, &advancer, stop);
    probe::start(env, stop);
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
