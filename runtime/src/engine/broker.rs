//! The broker that a process was configured to have.

use steadfast_core::WorkerId;
use steadfast_core::decision::Message;
use steadfast_embedded::{InprocBroker, InprocSubscription, ParkedHint};
use steadfast_rabbitmq::{RabbitBroker, Verdict};
use steadfast_services::port::{
    Broker, Committed, Delivery, Parked, Published, Receipt, Settle, StoreError, Subscription,
    Topic,
};

use super::notified::Notified;
use super::paired::{Paired, PairedSubscription};

/// The broker of an engine.
#[derive(Clone)]
pub(crate) enum AnyBroker {
    /// In this process.
    Inproc(InprocBroker),
    /// Between processes, by RabbitMQ.
    Rabbit(Paired),
    /// Between processes, by the database.
    Notified(Notified),
}

/// A consumer of an [`AnyBroker`].
pub(crate) enum AnySubscription {
    /// Of the one in this process.
    Inproc(InprocSubscription),
    /// Of the one between processes. Boxed, being larger, and made once for a consumer's life.
    Rabbit(Box<PairedSubscription>),
}

/// Where what is put aside is kept, and what waits for workers.
enum By<'a> {
    Process(&'a InprocBroker),
    Rabbit(&'a RabbitBroker),
}

impl AnyBroker {
    /// How many messages are put aside.
    pub(crate) async fn count_parked(&self) -> Result<u64, StoreError> {
        match self.by() {
            By::Process(broker) => Ok(u64::try_from(broker.parked().len()).unwrap_or(u64::MAX)),
            By::Rabbit(rabbit) => rabbit.count_parked().await,
        }
    }

    /// Whether no process hears of what another does.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Notified(broker) if !broker.has_wire())
    }

    fn by(&self) -> By<'_> {
        match self {
            Self::Inproc(broker) => By::Process(broker),
            Self::Notified(broker) => By::Process(broker.local()),
            Self::Rabbit(both) => By::Rabbit(&both.rabbit),
        }
    }

    /// What is put aside, the oldest first.
    pub(crate) async fn parked(&self) -> Result<Vec<Parked>, StoreError> {
        match self.by() {
            By::Process(broker) => Ok(broker.parked().into_iter().map(seen).collect()),
            By::Rabbit(rabbit) => rabbit.parked().await,
        }
    }

    /// Hands a message in again or gives it up, and says what it was.
    pub(crate) async fn settle_parked(
        &self,
        id: &str,
        verdict: Verdict,
    ) -> Result<Option<Parked>, StoreError> {
        match self.by() {
            By::Process(broker) => {
                let replay = verdict == Verdict::Replay;
                let settled = id.parse().ok().and_then(|id| broker.settle_parked(id, replay));
                Ok(settled.map(seen))
            }
            By::Rabbit(rabbit) => rabbit.settle_parked(id, verdict).await,
        }
    }

    /// How many messages wait for each worker process that listens.
    pub(crate) async fn waiting_for(
        &self,
        workers: &[WorkerId],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        match self.by() {
            By::Process(broker) => {
                let waiting = |worker| broker.waiting_for(worker).map(|count| count as u64);
                Ok(workers.iter().map(waiting).collect())
            }
            By::Rabbit(rabbit) => rabbit.waiting_for(workers).await,
        }
    }

    /// Whether it can be used now, or why not.
    pub(crate) fn ready(&self) -> Result<(), String> {
        match self.by() {
            By::Process(_) => Ok(()),
            By::Rabbit(rabbit) => rabbit.ready().map_err(|problem| problem.to_string()),
        }
    }
}

/// A hint of this process as all parked messages are shown.
fn seen(hint: ParkedHint) -> Parked {
    Parked {
        id: hint.id.to_string(),
        reason: hint.reason,
        exchange: String::new(),
        key: String::new(),
        made_at: None,
        content_type: Some(String::from("application/json")),
        // A hint is plain data.
        body: serde_json::to_vec(&hint.message).unwrap_or_default(),
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
            Self::Notified(broker) => broker.publish(after, messages).await,
        }
    }

    async fn subscribe(&self, topic: Topic) -> Result<AnySubscription, StoreError> {
        Ok(match self {
            Self::Inproc(broker) => AnySubscription::Inproc(broker.subscribe(topic).await?),
            Self::Notified(broker) => AnySubscription::Inproc(broker.subscribe(topic).await?),
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
