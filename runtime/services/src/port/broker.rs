//! The broker: carries hints. All of them may be lost, doubled or late without harm.

use std::future::Future;

use steadfast_core::decision::Message;
pub use steadfast_core::decision::Settle;
use steadfast_core::{Runtime, Timestamp, WorkerId};

use super::store::{Committed, StoreError};

/// Carries messages from whoever decided something to whoever can act on it.
pub trait Broker: Clone + Send + Sync + 'static {
    /// A consumer.
    type Subscription: Subscription;

    /// Publishes what a commit gave rise to. Without the proof of a commit nothing can be
    /// published, so no message ever speaks of something that may still be rolled back.
    fn publish(
        &self,
        after: &Committed,
        messages: Vec<Message>,
    ) -> impl Future<Output = Result<Published, StoreError>> + Send;

    /// Begins to consume a topic.
    fn subscribe(
        &self,
        topic: Topic,
    ) -> impl Future<Output = Result<Self::Subscription, StoreError>> + Send;
}

/// Proof that the broker has taken the messages of a commit.
#[derive(Debug)]
pub struct Published(());

impl Published {
    /// For brokers alone: the messages are taken.
    #[must_use]
    pub const fn by_broker() -> Self {
        Self(())
    }
}

/// What a consumer consumes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// [`Message::Ready`] for these runtimes, to every subscriber: workers who claim.
    Ready(Vec<Runtime>),
    /// [`Message::Ready`] where work is assigned, each to one subscriber.
    Dispatch,
    /// [`Message::Offer`] and [`Message::Stop`] for one worker process.
    Worker(WorkerId),
    /// What was said to a worker and not taken in time, each to one subscriber. Nothing is
    /// published to it; brokers that keep nothing for long have nothing there either.
    Dead,
    /// [`Message::Admit`], each to one subscriber.
    Admit,
    /// [`Message::Advance`], each to one subscriber.
    Advance,
    /// [`Message::Ended`], to every subscriber.
    Ended,
}

impl Topic {
    /// Whether every subscriber gets every message, or one subscriber each.
    #[must_use]
    pub const fn is_broadcast(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Ended)
    }

    /// Whether `message` belongs to this topic.
    #[must_use]
    pub fn takes(&self, message: &Message) -> bool {
        match (self, message) {
            (Self::Ready(runtimes), Message::Ready { runtime, transport }) => {
                !transport.pushes() && runtimes.contains(runtime)
            }
            (Self::Dispatch, Message::Ready { transport, .. }) => transport.pushes(),
            (Self::Worker(me), Message::Offer { worker, .. } | Message::Stop { worker, .. }) => {
                me == worker
            }
            (Self::Admit, Message::Admit(_))
            | (Self::Advance, Message::Advance(_))
            | (Self::Ended, Message::Ended { .. }) => true,
            _ => false,
        }
    }
}

/// A consumer of one topic.
pub trait Subscription: Send {
    /// Waits for at least one message, then takes what is there, up to `max`. Safe to cancel: a
    /// message that was not returned is not lost.
    fn receive(
        &mut self,
        max: usize,
    ) -> impl Future<Output = Result<Vec<Delivery>, StoreError>> + Send;

    /// Says what became of deliveries. An unsettled one comes again when the consumer is gone.
    fn settle(
        &mut self,
        receipts: Vec<(Receipt, Settle)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A message as a consumer got it.
#[derive(Debug)]
pub struct Delivery {
    /// What it says.
    pub message: Message,
    /// What it is settled with.
    pub receipt: Receipt,
    /// Whether somebody may have had it before.
    pub redelivered: bool,
}

/// The right to settle one delivery, once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(u64);

impl Receipt {
    /// For brokers alone: a tag of their own.
    #[must_use]
    pub const fn by_broker(tag: u64) -> Self {
        Self(tag)
    }

    /// The broker's tag.
    #[must_use]
    pub const fn tag(&self) -> u64 {
        self.0
    }
}

/// A message that was put aside because it could not be read or carried out, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// By which it is asked for.
    pub id: String,
    /// Why it was put aside.
    pub reason: String,
    /// The exchange that it came by.
    pub exchange: String,
    /// Its routing key there.
    pub key: String,
    /// When it was made, if it says so.
    pub made_at: Option<Timestamp>,
    /// What it says that its body is.
    pub content_type: Option<String>,
    /// Its body, as it is.
    pub body: Vec<u8>,
}
