//! Durable messages: rows that must be acted upon, and the outbox.
//!
//! A message row is work in itself, other than the hints in [`crate::decision`], which may be lost.
//! It is claimed for a while, renewed, and settled under the receipt of that claim alone, so a slow
//! consumer cannot settle what another has taken over (law `a_message_has_one_holder`). What cannot
//! be processed is parked with a reason and can be replayed; in the same decision its owner is told
//! ([`Verdict`]), so nobody waits for a message that will never be done.
//!
//! An outbox row lives the same life with a relay as its consumer; see [`outbox`].

mod claim;
pub mod laws;
mod machine;
pub mod outbox;
#[cfg(test)]
mod tests;
pub mod unreadable;

use core::fmt;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::definition::Transport;
use crate::id::{ExecutionId, FencingToken, Generation, MessageId, Order, Version};
use crate::policy::RetryPolicy;
use crate::table::{self, Edge, words};
use crate::time::{Span, Timestamp};
use crate::unit::Row;

pub use claim::{Taken, take, tell};
pub use machine::{Fault, Hold, MessageInput, Refusal};

words! {
    /// What a message asks for.
    Kind is "message kind" {
        /// Plan and fan out a run.
        Orchestrate = "orchestrate",
        /// Carry out one member of a barrier.
        Member = "member",
        /// Go on behind a barrier, with the results of its members.
        Continue = "continue",
        /// Send a planned effect.
        Effect = "effect",
        /// Tell whoever listens that an execution is over.
        Ended = "ended",
    }
}

words! {
    /// Where a message is in its life.
    MessageState is "message state" {
        /// Anyone may claim it.
        Ready = "ready",
        /// Nobody may claim it yet.
        Delayed = "delayed",
        /// Somebody holds it and has not begun.
        Claimed = "claimed",
        /// Its holder has begun.
        Working = "working",
        /// Over. The row is kept as a tombstone while its retention lasts.
        Done = "done",
        /// Put aside with a reason.
        Parked = "parked",
    }
}

words! {
    /// Who consumes a message.
    Route is "route" {
        /// A service of the engine, from the table itself.
        Queue = "queue",
        /// A relay, which publishes it to the broker.
        Relay = "relay",
    }
}

words! {
    /// Why a message was put aside.
    Reason is "parking reason" {
        /// Its starts are spent: it failed again and again.
        Spent = "spent",
        /// Its consumer says that it can never be carried out.
        Rejected = "rejected",
        /// It could not be read, so nobody knows what it asks for.
        Unreadable = "unreadable",
    }
}

use MessageState::{Claimed, Delayed, Done, Parked, Ready, Working};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<MessageState>] = &[
    (Ready, Claimed, "claim"),
    (Claimed, Working, "start"),
    (Claimed, Done, "ack"),
    (Claimed, Delayed, "nack or delay"),
    (Claimed, Ready, "rearm or give back"),
    (Claimed, Parked, "reject"),
    (Working, Done, "ack"),
    (Working, Delayed, "nack or delay"),
    (Working, Ready, "rearm or give back"),
    (Working, Parked, "reject or spend the last start"),
    (Delayed, Ready, "rearm"),
    (Parked, Ready, "replay"),
    (Parked, Done, "discard"),
];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Ready, "insert"), MessageState::ALL, TRANSITIONS)
}

impl MessageState {
    /// Whether somebody holds a receipt for it.
    #[must_use]
    pub const fn is_held(self) -> bool {
        match self {
            Claimed | Working => true,
            Ready | Delayed | Done | Parked => false,
        }
    }

    /// Whether it will be done without anyone's help.
    #[must_use]
    pub const fn is_live(self) -> bool {
        match self {
            Ready | Delayed | Claimed | Working => true,
            Done | Parked => false,
        }
    }
}

/// What a message is about: at most one message has each key, and the store refuses a second. So
/// a producer whose commit was lost in doubt simply inserts again.
///
/// It stands in columns, never in the payload alone: whoever parks a message must know its owner
/// without reading what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageKey {
    /// What is asked for.
    pub kind: Kind,
    /// For which execution.
    pub execution: ExecutionId,
    /// For which run of it.
    pub generation: Generation,
    /// The place among the messages of that kind; 0 where there is only one.
    pub index: u32,
}

impl MessageKey {
    /// The key of a kind that an execution has once in each generation.
    #[must_use]
    pub const fn single(kind: Kind, execution: ExecutionId, generation: Generation) -> Self {
        Self { kind, execution, generation, index: 0 }
    }

    /// The work of a barrier's member.
    #[must_use]
    pub const fn member(execution: ExecutionId, generation: Generation, index: u32) -> Self {
        Self { kind: Kind::Member, execution, generation, index }
    }

    /// The sending of an effect, by its place in the plan.
    #[must_use]
    pub const fn effect(execution: ExecutionId, generation: Generation, index: u32) -> Self {
        Self { kind: Kind::Effect, execution, generation, index }
    }

    /// Who waits for the message.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        let Self { kind, execution, generation, index } = *self;
        match kind {
            Kind::Orchestrate | Kind::Continue => Owner::Execution { execution, generation },
            Kind::Member => Owner::Member { run: execution, generation, index },
            Kind::Effect => Owner::Effect { execution, generation, index },
            Kind::Ended => Owner::Nobody,
        }
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.kind, self.execution, self.generation, self.index)
    }
}

/// Who waits for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// An execution, which fails if the message cannot be carried out.
    Execution {
        /// Which.
        execution: ExecutionId,
        /// Which run of it: a newer one does not care.
        generation: Generation,
    },
    /// A member of a barrier, which fails.
    Member {
        /// The run that the barrier belongs to.
        run: ExecutionId,
        /// Which run of it.
        generation: Generation,
        /// Which member.
        index: u32,
    },
    /// An effect, which is given up.
    Effect {
        /// Whose effect.
        execution: ExecutionId,
        /// Which run of it.
        generation: Generation,
        /// Its place in the plan.
        index: u32,
    },
    /// Nobody in here; parking it harms no one.
    Nobody,
}

/// What the owner of a parked message must be told **in the same decision**: a message that is put
/// aside first, and an owner that is told next, strand the owner when the process dies in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "the owner must be told in the same decision"]
pub struct Verdict {
    /// The parked message.
    pub message: MessageId,
    /// Who must be told.
    pub owner: Owner,
    /// Why it was parked.
    pub reason: Reason,
}

/// Proof of a claim. A settlement names both the row and the token under which it was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Receipt {
    /// Which message.
    pub message: MessageId,
    /// Which claim of it.
    pub token: FencingToken,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.message, self.token)
    }
}

/// Why and since when a message is put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parking {
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub detail: String,
    /// Since when.
    pub at: Timestamp,
}

/// The row of a message. Its payload is stored apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its identity.
    pub id: MessageId,
    /// Rises with every write.
    pub version: Version,
    /// What it is about. Unique.
    pub key: MessageKey,
    /// Who consumes it.
    pub route: Route,
    /// How the execution that it is about is carried; only that transport's consumers take it.
    pub transport: Transport,
    /// Its place among the messages about its execution, given under the lock of that row.
    pub order: Order,
    /// Where it is in its life.
    pub state: MessageState,
    /// How often it was claimed, ever. The number of a claim is its token, so it never falls.
    pub deliveries: u32,
    /// How often work on it began, ever.
    pub starts: u32,
    /// How many of those starts count against the budget.
    pub spent: u32,
    /// The budget (`count` further starts after the first) and the delays between them.
    pub retry: RetryPolicy,
    /// When its delay, or its holder's time, is over.
    pub wake_at: Option<Timestamp>,
    /// Its holder cannot renew beyond this: who hangs and still renews must not keep it for ever.
    pub hold_until: Option<Timestamp>,
    /// Why it was put aside.
    pub parked: Option<Parking>,
    /// The reason that an operator gave for replaying or discarding it.
    pub note: Option<String>,
    /// When it was inserted.
    pub created_at: Timestamp,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
}

impl Message {
    /// A message that anyone may claim.
    #[must_use]
    pub fn new(id: MessageId, key: MessageKey, transport: Transport, now: Timestamp) -> Self {
        Self {
            id,
            version: Version(0),
            key,
            route: Route::Queue,
            transport,
            order: Order(0),
            state: Ready,
            deliveries: 0,
            starts: 0,
            spent: 0,
            retry: Self::RETRY,
            wake_at: None,
            hold_until: None,
            parked: None,
            note: None,
            created_at: now,
            ended_at: None,
        }
    }

    /// Five starts in all, one second apart and longer each time.
    pub const RETRY: RetryPolicy = RetryPolicy {
        count: 4,
        delay: Span::from_secs(1),
        backoff: crate::policy::Backoff::Exponential,
        max_delay: Some(Span::from_secs(60)),
        jitter_permille: 100,
    };

    /// The token of the newest claim.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        FencingToken(u64::from(self.deliveries))
    }

    /// The receipt under which it is held now.
    #[must_use]
    pub fn receipt(&self) -> Option<Receipt> {
        self.state.is_held().then(|| Receipt { message: self.id, token: self.token() })
    }

    /// Whether one more start would exceed its budget.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.spent > self.retry.count
    }

    /// Whether its row may be removed: it is over or parked, its retention has ended, and nothing
    /// live refers to it. `owner_is_live` says whether the execution of its key can still produce
    /// it: its row is what keeps a repeated insert out.
    #[must_use]
    pub fn may_be_purged(&self, retention: Span, owner_is_live: bool, now: Timestamp) -> bool {
        let since = match self.state {
            Done => self.ended_at,
            Parked => self.parked.as_ref().map(|parked| parked.at),
            Ready | Delayed | Claimed | Working => None,
        };
        !owner_is_live && since.is_some_and(|since| since + retention <= now)
    }
}

impl Row for Message {
    type Key = MessageId;

    fn key(&self) -> MessageId {
        self.id
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
