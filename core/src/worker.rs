//! Workers: who is alive, who may be given work, and which process of a name is the real one.

pub mod select;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{Incarnation, Runtime, Version, WorkerId, WorkerName};
use crate::time::{Span, Timestamp};

/// The row of a worker. One lease covers all its attempts: renewing costs one small write for the
/// worker, not one for each execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The registered name.
    pub name: WorkerName,
    /// Rises with every write.
    pub version: Version,
    /// Which registration of the name is current.
    pub incarnation: Incarnation,
    /// What is known of it.
    pub state: WorkerState,
    /// An operator wants it to take nothing new.
    pub cordoned: bool,
    /// Whether it moved when it was last asked; a worker that beats but hangs is not eligible.
    pub healthy: bool,
    /// What it can run. Shared, since it stays as it is for the life of an incarnation, and every
    /// decision about the fleet reads every worker.
    pub runtimes: Arc<BTreeSet<Runtime>>,
    /// What a task's selector is matched against.
    pub labels: BTreeMap<String, String>,
    /// How many executions it runs at once.
    pub capacity: u32,
    /// Its attempts are its own until then.
    pub lease_until: Timestamp,
    /// When it was last heard of.
    pub last_beat: Timestamp,
    /// When this incarnation registered.
    pub registered_at: Timestamp,
}

/// What is known of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Beating.
    Active,
    /// A beat is overdue; it gets nothing new until it is heard of again.
    Suspect,
    /// Its lease is over: its attempts are lost.
    Dead,
    /// Stopping: it finishes what has started and takes nothing new.
    Draining,
    /// It left in good order.
    Gone,
}

/// What a worker's row is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerInput {
    /// The process announces itself; the name's former process is dead from now on.
    Register {
        /// What it was before it lost its lease. If somebody else has come to serve under the name
        /// meanwhile, it does not come back: the two would take each other's work for ever.
        former: Option<Incarnation>,
        /// What it can run.
        runtimes: BTreeSet<Runtime>,
        /// Its labels.
        labels: BTreeMap<String, String>,
        /// How many executions at once.
        capacity: u32,
        /// How long its lease is.
        lease: Span,
    },
    /// It is alive: renew its lease by this much.
    Beat(Incarnation, Span),
    /// A beat is overdue by at least this much.
    Doubt(Span),
    /// Its lease ended at least this long ago.
    Expire(Span),
    /// It died for sure: the engine that it was part of was restarted, or its witness says so.
    Bury(Incarnation),
    /// It is stopping.
    Drain(Incarnation),
    /// An operator wants it to stop.
    AskToDrain,
    /// It has stopped.
    Leave(Incarnation),
    /// An operator's switch.
    Cordon(bool),
    /// Somebody asked this process whether it moves, and it does, or it does not.
    Probed(Incarnation, bool),
}

impl WorkerInput {
    /// Which incarnation of `worker` says this of itself, or has its witness say it; `None` if
    /// somebody else speaks of it. Whoever registers speaks for the incarnation that it has become.
    #[must_use]
    pub const fn speaker(&self, worker: &Worker) -> Option<Incarnation> {
        match self {
            Self::Register { .. } => Some(worker.incarnation),
            Self::Beat(incarnation, _)
            | Self::Bury(incarnation)
            | Self::Drain(incarnation)
            | Self::Leave(incarnation) => Some(*incarnation),
            Self::Doubt(_)
            | Self::Expire(_)
            | Self::AskToDrain
            | Self::Cordon(_)
            | Self::Probed(..) => None,
        }
    }
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerRefusal {
    /// A newer process has this name: whoever hears this must stop its work and exit.
    #[error("a newer process has registered under this name ({0} is current)")]
    Superseded(Incarnation),
    /// It was declared dead: it must end its attempts and register anew.
    #[error("its lease ended and its attempts were given away")]
    Dead,
    /// It has said goodbye.
    #[error("it has left")]
    Gone,
    /// It is stopping and takes nothing new.
    #[error("it is stopping")]
    Draining,
    /// It is not time yet.
    #[error("it is due at {0}")]
    NotDue(Timestamp),
    /// It has been done already.
    #[error("it has been done already")]
    Done,
}

impl Worker {
    /// A name that no process has registered under.
    #[must_use]
    pub fn new(name: WorkerName) -> Self {
        Self {
            name,
            version: Version(0),
            incarnation: Incarnation(0),
            state: WorkerState::Gone,
            cordoned: false,
            healthy: true,
            runtimes: Arc::default(),
            labels: BTreeMap::new(),
            capacity: 0,
            lease_until: Timestamp::ZERO,
            last_beat: Timestamp::ZERO,
            registered_at: Timestamp::ZERO,
        }
    }

    /// Name and incarnation.
    #[must_use]
    pub fn id(&self) -> WorkerId {
        WorkerId { name: self.name.clone(), incarnation: self.incarnation }
    }

    /// Whether attempts of `holder` still belong to it at `now`.
    #[must_use]
    pub fn keeps_attempts_of(&self, holder: Incarnation, now: Timestamp) -> bool {
        self.incarnation == holder && !self.is_over() && now < self.lease_until
    }

    /// Whether it will never be heard of again under this incarnation.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, WorkerState::Dead | WorkerState::Gone)
    }

    /// Applies `input`.
    ///
    /// # Errors
    /// With a [`WorkerRefusal`] if the input does not fit; the row is untouched then.
    pub fn handle(&mut self, input: &WorkerInput, now: Timestamp) -> Result<(), WorkerRefusal> {
        match input {
            WorkerInput::Register { former, runtimes, labels, capacity, lease } => {
                if former.is_some_and(|former| former < self.incarnation) {
                    return Err(WorkerRefusal::Superseded(self.incarnation));
                }
                self.incarnation = Incarnation(self.incarnation.0 + 1);
                self.state = WorkerState::Active;
                self.healthy = true;
                self.runtimes = Arc::new(runtimes.clone());
                self.labels = labels.clone();
                self.capacity = *capacity;
                self.registered_at = now;
                self.renew(*lease, now);
                Ok(())
            }
            WorkerInput::Beat(incarnation, lease) => {
                self.check(*incarnation)?;
                if self.state == WorkerState::Suspect {
                    self.state = WorkerState::Active;
                }
                self.renew(*lease, now);
                Ok(())
            }
            WorkerInput::Doubt(overdue) => self.doubt(*overdue, now),
            WorkerInput::Expire(drift) => self.expire(*drift, now),
            WorkerInput::Bury(incarnation) => {
                self.check(*incarnation)?;
                self.state = WorkerState::Dead;
                self.lease_until = self.lease_until.min(now);
                Ok(())
            }
            WorkerInput::Drain(incarnation) => {
                self.check(*incarnation)?;
                self.drain()
            }
            WorkerInput::AskToDrain if self.is_over() => Err(WorkerRefusal::Gone),
            WorkerInput::AskToDrain => self.drain(),
            WorkerInput::Leave(incarnation) => {
                self.check(*incarnation)?;
                self.state = WorkerState::Gone;
                Ok(())
            }
            WorkerInput::Cordon(cordoned) => Self::switch(&mut self.cordoned, *cordoned),
            WorkerInput::Probed(incarnation, moves) => {
                self.check(*incarnation)?;
                Self::switch(&mut self.healthy, *moves)
            }
        }
    }

    fn drain(&mut self) -> Result<(), WorkerRefusal> {
        if self.state == WorkerState::Draining {
            return Err(WorkerRefusal::Done);
        }
        self.state = WorkerState::Draining;
        Ok(())
    }

    fn doubt(&mut self, overdue: Span, now: Timestamp) -> Result<(), WorkerRefusal> {
        if self.state != WorkerState::Active {
            return Err(WorkerRefusal::Done);
        }
        let due = self.last_beat + overdue;
        if now < due {
            return Err(WorkerRefusal::NotDue(due));
        }
        self.state = WorkerState::Suspect;
        Ok(())
    }

    fn expire(&mut self, drift: Span, now: Timestamp) -> Result<(), WorkerRefusal> {
        if self.is_over() {
            return Err(WorkerRefusal::Done);
        }
        let due = self.lease_until + drift;
        if now < due {
            return Err(WorkerRefusal::NotDue(due));
        }
        self.state = WorkerState::Dead;
        Ok(())
    }

    fn renew(&mut self, lease: Span, now: Timestamp) {
        // The clock may have been set back.
        self.last_beat = self.last_beat.max(now);
        self.lease_until = self.lease_until.max(now + lease);
    }

    fn check(&self, incarnation: Incarnation) -> Result<(), WorkerRefusal> {
        if incarnation != self.incarnation {
            return Err(WorkerRefusal::Superseded(self.incarnation));
        }
        match self.state {
            WorkerState::Dead => Err(WorkerRefusal::Dead),
            WorkerState::Gone => Err(WorkerRefusal::Gone),
            WorkerState::Active | WorkerState::Suspect | WorkerState::Draining => Ok(()),
        }
    }

    fn switch(place: &mut bool, value: bool) -> Result<(), WorkerRefusal> {
        if *place == value {
            return Err(WorkerRefusal::Done);
        }
        *place = value;
        Ok(())
    }
}
