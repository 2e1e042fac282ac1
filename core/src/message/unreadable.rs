//! Messages that could not be read. Nobody knows what they ask for, so they are kept as they came,
//! with the reason, until an operator or a newer version of the program can make something of them.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Message, MessageKey, Parking, Reason};
use crate::definition::Transport;
use crate::id::{MessageId, Version};
use crate::table::{self, Edge, words};
use crate::time::{Span, Timestamp};

words! {
    /// Where an unreadable message is in its life.
    UnreadableState is "state of an unreadable message" {
        /// Put aside.
        Parked = "parked",
        /// It could be read after all, and lives on as a message.
        Replayed = "replayed",
        /// An operator gave it up.
        Discarded = "discarded",
    }
}

use UnreadableState::{Discarded, Parked, Replayed};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<UnreadableState>] =
    &[(Parked, Replayed, "replay"), (Parked, Discarded, "discard")];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Parked, "receive"), UnreadableState::ALL, TRANSITIONS)
}

/// The row of an unreadable message. It is written in the transaction that settles the original
/// with its broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its identity, also as a message if it can be read later.
    pub id: MessageId,
    /// Rises with every write.
    pub version: Version,
    /// Where it is in its life.
    pub state: UnreadableState,
    /// Where it came from, for people.
    pub source: String,
    /// Exactly what came.
    pub bytes: Vec<u8>,
    /// Why it could not be read.
    pub parked: Parking,
    /// The reason that an operator gave for replaying or discarding it.
    pub note: Option<String>,
    /// When it was replayed or discarded.
    pub ended_at: Option<Timestamp>,
}

/// What an unreadable message is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableInput {
    /// It was read as this after all, and why it was tried again.
    Replay(MessageKey, Transport, String),
    /// An operator gives it up, and why.
    Discard(String),
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableRefusal {
    /// It has been replayed or discarded.
    #[error("it has been {0}")]
    Over(UnreadableState),
}

impl Unreadable {
    /// Puts `bytes` aside, because of `why`.
    #[must_use]
    pub fn park(id: MessageId, source: &str, bytes: &[u8], why: &str, now: Timestamp) -> Self {
        Self {
            id,
            version: Version(0),
            state: Parked,
            source: source.into(),
            bytes: bytes.into(),
            parked: Parking { reason: Reason::Unreadable, detail: why.into(), at: now },
            note: None,
            ended_at: None,
        }
    }

    /// Applies `input`. A replay answers with the message to insert in the same decision; if one
    /// with its key exists already, there is nothing to insert and the store says so.
    ///
    /// # Errors
    /// If it was replayed or discarded before; the row is untouched then.
    pub fn handle(
        &mut self,
        input: &UnreadableInput,
        now: Timestamp,
    ) -> Result<Option<Message>, UnreadableRefusal> {
        if self.state != Parked {
            return Err(UnreadableRefusal::Over(self.state));
        }
        let (to, why, message) = match input {
            UnreadableInput::Replay(key, transport, why) => {
                (Replayed, why, Some(Message::new(self.id, *key, *transport, now)))
            }
            UnreadableInput::Discard(why) => (Discarded, why, None),
        };
        self.state = to;
        self.note = Some(why.clone());
        self.ended_at = Some(now);
        Ok(message)
    }

    /// Whether its row may be removed: nothing refers to it, so its age alone decides.
    #[must_use]
    pub fn may_be_purged(&self, retention: Span, now: Timestamp) -> bool {
        self.parked.at + retention <= now
    }
}
