//! The outbox: messages for the broker, written with the change that they announce.
//!
//! An outbox row is a message whose consumer is a relay: it claims the row, publishes it and
//! settles the row when the broker has confirmed. A relay that dies in between is taken over when
//! its claim ends, so a message is published at least once and its row is done at most once.
//!
//! The messages about one execution are published in order: only the first that is not yet done
//! may be taken, so a second one is not sent before the first is confirmed. A repeated publication
//! may still come late; receivers know it by the message's identity. A parked message stands aside,
//! holds nothing up and, when it is replayed, comes after those that were let past.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::claim::take_of;
use super::{Fault, Hold, Message, MessageInput, MessageState, Receipt, Route, Taken};
use crate::id::{ExecutionId, MessageId, Order};
use crate::table::words;
use crate::time::Timestamp;
use crate::unit::Rows;

words! {
    /// How far the publication of an outbox row has come.
    Publication is "publication" {
        /// Not confirmed yet.
        Pending = "pending",
        /// The broker has confirmed it.
        Published = "published",
        /// Put aside, or given up by an operator.
        Withheld = "withheld",
    }
}

impl Message {
    /// The same message, for the broker, in this place among those about its execution.
    #[must_use]
    pub fn for_relay(self, order: Order) -> Self {
        Self { route: Route::Relay, order, ..self }
    }

    /// How far its publication has come; `None` if it is not for the broker.
    #[must_use]
    pub fn publication(&self) -> Option<Publication> {
        let publication = match self.state {
            MessageState::Done if self.parked.is_none() => Publication::Published,
            MessageState::Done | MessageState::Parked => Publication::Withheld,
            MessageState::Ready
            | MessageState::Delayed
            | MessageState::Claimed
            | MessageState::Working => Publication::Pending,
        };
        (self.route == Route::Relay).then_some(publication)
    }
}

/// What the broker said to a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has it.
    Confirmed,
    /// It refused it, could not route it or was away. That costs the message nothing: it is tried
    /// again for as long as it takes.
    Refused {
        /// Any number; decides the jitter of the delay.
        entropy: u64,
    },
}

/// What a relay tells the row after the broker has answered.
#[must_use]
pub const fn settlement(receipt: Receipt, answer: Answer) -> MessageInput {
    match answer {
        Answer::Confirmed => MessageInput::Ack(receipt),
        Answer::Refused { entropy } => {
            MessageInput::Nack { receipt, fault: Fault::Backend, entropy }
        }
    }
}

/// Takes up to `quantity` outbox rows for publication, at most one about each execution.
///
/// The rows about an execution must be loaded from its first pending one on.
pub fn take(messages: &mut Rows<Message>, quantity: u32, hold: Hold, now: Timestamp) -> Taken {
    let mut heads: BTreeMap<ExecutionId, &Message> = BTreeMap::new();
    let pending = |message: &&Message| message.publication() == Some(Publication::Pending);
    for message in messages.iter().filter(pending) {
        let head = heads.entry(message.key.execution).or_insert(message);
        if (message.order, message.id) < (head.order, head.id) {
            *head = message;
        }
    }
    let mut due: Vec<(Timestamp, MessageId)> = heads
        .into_values()
        .filter(|head| head.is_due(now))
        .map(|head| (head.created_at, head.id))
        .collect();
    due.sort_unstable();
    take_of(messages, due.into_iter().map(|(_, id)| id), quantity, hold, now)
}
