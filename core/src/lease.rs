//! The leader lease: which process saves the others the effort.
//!
//! Nothing rests on there being one leader: every sweep and every firing is a compare-and-set that
//! any number of processes may try. What the lease adds is an epoch that rises with every
//! acquisition. A row that a leader writes remembers the epoch ([`check_epoch`]), so a leader that
//! was paused beyond its lease is recognised at its first write.

pub mod laws;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::id::{Version, WorkerId};
use crate::table::{self, Edge, words};
use crate::time::{Span, Timestamp};
use crate::unit::Row;

/// Which acquisition of a lease; rises by one with each.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch-{}", self.0)
    }
}

words! {
    /// What a lease is for.
    Duty is "duty" {
        /// Firing schedules.
        Schedules = "schedules",
        /// Looking for due rows.
        Sweeps = "sweeps",
        /// Removing what has outlived its retention.
        Retention = "retention",
    }
}

words! {
    /// Whether somebody leads. Whether the lease is still valid is a question of time.
    LeaseState is "lease state" {
        /// Nobody leads.
        Vacant = "vacant",
        /// Somebody leads while the lease lasts.
        Led = "led",
    }
}

use LeaseState::{Led, Vacant};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<LeaseState>] =
    &[(Vacant, Led, "acquire"), (Led, Led, "take over"), (Led, Vacant, "resign")];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Vacant, "create"), LeaseState::ALL, TRANSITIONS)
}

/// The row of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What it is for.
    pub duty: Duty,
    /// Rises with every write.
    pub version: Version,
    /// The newest acquisition.
    pub epoch: Epoch,
    /// Who leads.
    pub leader: Option<WorkerId>,
    /// For how long, unless renewed.
    pub until: Timestamp,
}

/// What a lease is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseInput {
    /// This process would lead for this long, if nobody does.
    Acquire(WorkerId, Span),
    /// The leader of this epoch goes on for this long.
    Renew(Epoch, Span),
    /// The leader of this epoch stops.
    Resign(Epoch),
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody leads until then, or longer.
    #[error("somebody leads until {0}")]
    Led(Timestamp),
    /// Another epoch is current: whoever hears this leads no more.
    #[error("{presented} is not the current epoch, {current} is")]
    Outdated {
        /// Of the writer.
        presented: Epoch,
        /// What is current.
        current: Epoch,
    },
    /// The epoch is current, and its lease was given back.
    #[error("nobody leads")]
    Vacant,
    /// The lease lasts as long already.
    #[error("it has been done already")]
    Done,
}

impl Lease {
    /// A lease that nobody has had.
    #[must_use]
    pub const fn new(duty: Duty) -> Self {
        Self { duty, version: Version(0), epoch: Epoch(0), leader: None, until: Timestamp::ZERO }
    }

    /// Whether somebody leads.
    #[must_use]
    pub const fn state(&self) -> LeaseState {
        if self.leader.is_some() { Led } else { Vacant }
    }

    /// Applies `input`. `drift` is how far two clocks may be apart: a lease is taken over only
    /// that long after its end.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(
        &mut self,
        input: &LeaseInput,
        drift: Span,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match input {
            // A process that asks again while it leads is refused like any other: it would not
            // know whether the epoch that it has is the one that it gets.
            LeaseInput::Acquire(..) if self.state() == Led && now < self.until + drift => {
                Err(Refusal::Led(self.until))
            }
            LeaseInput::Acquire(process, lease) => {
                self.epoch = Epoch(self.epoch.0 + 1);
                self.leader = Some(process.clone());
                self.until = now + *lease;
                Ok(())
            }
            LeaseInput::Renew(epoch, lease) => {
                self.check(*epoch)?;
                let until = now + *lease;
                if until <= self.until {
                    return Err(Refusal::Done);
                }
                self.until = until;
                Ok(())
            }
            LeaseInput::Resign(epoch) => {
                self.check(*epoch)?;
                self.leader = None;
                self.until = self.until.min(now);
                Ok(())
            }
        }
    }

    fn check(&self, presented: Epoch) -> Result<(), Refusal> {
        check_epoch(self.epoch, presented)?;
        match self.state() {
            Led if presented == self.epoch => Ok(()),
            Led => Err(Refusal::Outdated { presented, current: self.epoch }),
            Vacant => Err(Refusal::Vacant),
        }
    }
}

/// Whether a row last written under the epoch `written` may be written under `presented`.
///
/// # Errors
/// If the writer's epoch is older: it leads no more.
pub const fn check_epoch(written: Epoch, presented: Epoch) -> Result<(), Refusal> {
    if presented.0 < written.0 {
        return Err(Refusal::Outdated { presented, current: written });
    }
    Ok(())
}

impl Row for Lease {
    type Key = Duty;

    fn key(&self) -> Duty {
        self.duty
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
