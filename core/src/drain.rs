//! Draining a transport: how a broker is taken out of use without stranding what it carries.
//!
//! An execution is carried by the transport that it was submitted on, for life. A transport that
//! drains takes no new runs; its consumers go on until no non-terminal execution is pinned to it
//! and no message is left, counted from the rows and never kept.
//!
//! Whoever submits reads the drain's row under its lock in the same transaction, so no submission
//! can slip in behind the count that ended the drain.

pub mod laws;
#[cfg(test)]
mod tests;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::definition::Transport;
use crate::execution::Execution;
use crate::id::Version;
use crate::message::{Message, MessageState};
use crate::table::{self, Edge, words};
use crate::time::Timestamp;
use crate::unit::Row;

words! {
    /// Where a transport is in its life.
    DrainState is "drain state" {
        /// In use.
        Open = "open",
        /// It finishes what it carries and takes no new runs.
        Draining = "draining",
        /// It carries nothing; its consumers may stop.
        Drained = "drained",
    }
}

use DrainState::{Drained, Draining, Open};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<DrainState>] = &[
    (Open, Draining, "drain"),
    (Draining, Drained, "nothing is left"),
    (Draining, Open, "resume"),
    (Drained, Open, "resume"),
];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Open, "configure"), DrainState::ALL, TRANSITIONS)
}

/// The row of a transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Which transport.
    pub transport: Transport,
    /// Rises with every write.
    pub version: Version,
    /// Where it is in its life.
    pub state: DrainState,
    /// Since when.
    pub since: Timestamp,
}

/// What a transport still carries, counted from the rows in the transaction that uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Non-terminal executions pinned to it.
    pub executions: u64,
    /// Live messages on it.
    pub messages: u64,
    /// Parked messages on it. They hold nothing up, but are listed: who replays one later needs a
    /// consumer.
    pub parked: u64,
}

impl Left {
    /// Counts rows of any transport.
    #[must_use]
    pub fn count<'a>(
        transport: Transport,
        executions: impl IntoIterator<Item = &'a Execution>,
        messages: impl IntoIterator<Item = &'a Message>,
    ) -> Self {
        let mut left = Self::default();
        for execution in executions {
            let pinned = execution.transport == transport && !execution.status.is_terminal();
            left.executions += u64::from(pinned);
        }
        for message in messages.into_iter().filter(|message| message.transport == transport) {
            left.messages += u64::from(message.state.is_live());
            left.parked += u64::from(message.state == MessageState::Parked);
        }
        left
    }

    /// Whether nothing is under way. Parked messages are not.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.executions == 0 && self.messages == 0
    }
}

/// What a transport is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainInput {
    /// An operator takes it out of use.
    Begin,
    /// This is what it still carries, counted in this transaction.
    Count(Left),
    /// An operator takes it into use again.
    Resume,
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It still carries something.
    #[error("{} executions and {} messages are left", .0.executions, .0.messages)]
    Carrying(Left),
    /// It takes no new runs.
    #[error("the transport is {0}")]
    Closed(DrainState),
    /// It has been done already.
    #[error("it has been done already")]
    Done,
    /// The table has no such arrow.
    #[error("a transport that is {0} cannot do that")]
    Illegal(DrainState),
}

impl Drain {
    /// A transport in use.
    #[must_use]
    pub const fn new(transport: Transport, now: Timestamp) -> Self {
        Self { transport, version: Version(0), state: Open, since: now }
    }

    /// Whether an execution may be submitted on it. A `child` is one of a run that is carried by
    /// it: such a run is itself still counted, and would never end without its children.
    ///
    /// # Errors
    /// If the submission has to go to another transport.
    pub const fn admit(&self, child: bool) -> Result<(), Refusal> {
        match self.state {
            Open => Ok(()),
            Draining if child => Ok(()),
            Draining | Drained => Err(Refusal::Closed(self.state)),
        }
    }

    /// Whether its consumers must go on.
    #[must_use]
    pub const fn needs_consumers(&self) -> bool {
        match self.state {
            Open | Draining => true,
            Drained => false,
        }
    }

    /// Applies `input`.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(&mut self, input: DrainInput, now: Timestamp) -> Result<(), Refusal> {
        match (self.state, input) {
            (Open, DrainInput::Begin) => self.go(Draining, now),
            (Draining, DrainInput::Count(left)) if left.is_nothing() => self.go(Drained, now),
            (Draining, DrainInput::Count(left)) => return Err(Refusal::Carrying(left)),
            (Draining | Drained, DrainInput::Resume) => self.go(Open, now),
            (Draining, DrainInput::Begin)
            | (Drained, DrainInput::Begin | DrainInput::Count(_))
            | (Open, DrainInput::Resume) => return Err(Refusal::Done),
            (Open, DrainInput::Count(_)) => return Err(Refusal::Illegal(Open)),
        }
        Ok(())
    }

    fn go(&mut self, to: DrainState, now: Timestamp) {
        let from = self.state;
        assert!(
            table::may_become(TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
        self.since = now;
    }
}

impl Row for Drain {
    type Key = Transport;

    fn key(&self) -> Transport {
        self.transport
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
