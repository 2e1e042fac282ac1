//! The broker that a process was configured to have.

use steadfast_core::decision::Message;
use steadfast_embedded::{InprocBroker, InprocSubscription};
use steadfast_rabbitmq::{RabbitBroker, RabbitSubscription};
use steadfast_services::port::{
    Broker, Committed, Delivery, Published, Receipt, Settle, StoreError, Subscription, Topic,
};

/// The broker of an engine.
#[derive(Clone)]
pub(crate) enum AnyBroker {
    /// In this process.
    Inproc(InprocBroker),
    /// Between processes.
    Rabbit(RabbitBroker),
}

/// A consumer of an [`AnyBroker`].
pub(crate) enum AnySubscription {
    /// Of the one in this process.
    Inproc(InprocSubscription),
    /// Of the one between processes. Boxed, being larger, and made once for a consumer's life.
    Rabbit(Box<RabbitSubscription>),
}

impl AnyBroker {
    /// How many messages this process has put aside.
    pub(crate) fn parked(&self) -> u64 {
        match self {
            Self::Inproc(broker) => u64::try_from(broker.parked().len()).unwrap_or(u64::MAX),
            Self::Rabbit(broker) => broker.counted().parked,
        }
    }
}

impl Broker for AnyBroker {
    type Subscription = AnySubscription;

    async fn publish(
        &self,
        after: &Committed,
        messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        match self {
            Self::Inproc(broker) => broker.publish(after, messages).await,
            Self::Rabbit(broker) => broker.publish(after, messages).await,
        }
    }

    async fn subscribe(&self, topic: Topic) -> Result<AnySubscription, StoreError> {
        Ok(match self {
            Self::Inproc(broker) => AnySubscription::Inproc(broker.subscribe(topic).await?),
            Self::Rabbit(broker) => {
                AnySubscription::Rabbit(Box::new(broker.subscribe(topic).await?))
            }
        })
    }
}

impl Subscription for AnySubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, StoreError> {
        match self {
            Self::Inproc(consumer) => consumer.receive(max).await,
            Self::Rabbit(consumer) => consumer.receive(max).await,
        }
    }

    async fn settle(&mut self, receipts: Vec<(Receipt, Settle)>) -> Result<(), StoreError> {
        match self {
            Self::Inproc(consumer) => consumer.settle(receipts).await,
            Self::Rabbit(consumer) => consumer.settle(receipts).await,
        }
    }
}
