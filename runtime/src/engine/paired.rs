//! RabbitMQ, and the database's own notifications for as long as RabbitMQ takes nothing: hints that
//! would be lost go by them, if the configuration names a direct way to the database.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::decision::Message;
use steadfast_postgres::Wire;
use steadfast_rabbitmq::{RabbitBroker, RabbitSubscription};
use steadfast_services::port::{
    Broker, Committed, Delivery, Published, Receipt, Settle, StoreError, Subscription, Topic,
};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::notices::{messages, texts};

/// How long a subscription without RabbitMQ lasts before RabbitMQ is tried again.
const WITHOUT: Duration = Duration::from_secs(5);

/// What was heard from the database is settled by hearing it. No delivery of RabbitMQ has this tag.
const HEARD: u64 = 0;

/// Both of them.
#[derive(Clone)]
pub(crate) struct Paired {
    pub(crate) rabbit: RabbitBroker,
    pub(crate) wire: Option<Wire>,
}

/// A consumer of both.
pub(crate) struct PairedSubscription {
    rabbit: Option<RabbitSubscription>,
    wire: Option<Receiver<Arc<str>>>,
    topic: Topic,
    until: Instant,
}

impl Paired {
    async fn say(&self, messages: &[Message]) -> Result<(), StoreError> {
        let Some(wire) = &self.wire else {
            return Err(StoreError::Unavailable(String::from("there is no other way")));
        };
        wire.say_all(&texts("", messages)).await
    }
}

impl Broker for Paired {
    type Subscription = PairedSubscription;

    async fn publish(
        &self,
        after: &Committed,
        messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        if self.wire.is_none() {
            return self.rabbit.publish(after, messages).await;
        }
        match self.rabbit.publish(after, messages.clone()).await {
            Ok(published) => Ok(published),
            Err(error) => match self.say(&messages).await {
                Ok(()) => Ok(Published::by_broker()),
                Err(other) => {
                    debug!(%other, "the database does not take hints either");
                    Err(error)
                }
            },
        }
    }

    async fn subscribe(&self, topic: Topic) -> Result<PairedSubscription, StoreError> {
        let wire = self.wire.as_ref().map(Wire::hear);
        let rabbit = match self.rabbit.subscribe(topic.clone()).await {
            Ok(rabbit) => Some(rabbit),
            Err(error) if wire.is_some() => {
                debug!(%error, ?topic, "hints come by the database alone");
                None
            }
            Err(error) => return Err(error),
        };
        Ok(PairedSubscription { rabbit, wire, topic, until: now() + WITHOUT })
    }
}

impl PairedSubscription {
    /// What the database says next.
    async fn hear(wire: &mut Option<Receiver<Arc<str>>>) -> Arc<str> {
        loop {
            let Some(receiver) = wire else { return std::future::pending().await };
            match receiver.recv().await {
                Ok(text) => return text,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => *wire = None,
            }
        }
    }
}

impl Subscription for PairedSubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, StoreError> {
        loop {
            let Self { rabbit, wire, topic, until } = self;
            let alone = rabbit.is_none();
            let by_rabbit = async {
                match rabbit {
                    Some(rabbit) => rabbit.receive(max).await,
                    None => std::future::pending().await,
                }
            };
            // Nothing is awaited after something was taken, so a receive that is given up loses
            // nothing of RabbitMQ's.
            let heard = tokio::select! {
                biased;
                received = by_rabbit => return received,
                heard = Self::hear(wire) => heard,
                () = sleep_until(*until), if alone => {
                    return Err(StoreError::Unavailable(String::from("time to try the broker again")));
                }
            };
            let mine = messages(&heard).1.filter(|message| topic.takes(message));
            let delivery = |message| Delivery {
                message,
                receipt: Receipt::by_broker(HEARD),
                redelivered: false,
            };
            let deliveries: Vec<Delivery> = mine.map(delivery).collect();
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }

    async fn settle(&mut self, receipts: Vec<(Receipt, Settle)>) -> Result<(), StoreError> {
        let theirs = receipts.into_iter().filter(|(receipt, _)| receipt.tag() != HEARD);
        let theirs: Vec<_> = theirs.collect();
        match &mut self.rabbit {
            Some(rabbit) if !theirs.is_empty() => rabbit.settle(theirs).await,
            _ => Ok(()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "when to look again is this process's own business")]
fn now() -> Instant {
    Instant::now()
}
