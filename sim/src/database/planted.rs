//! The bugs that a store's adapter can have: what it fails to lock, to compare or to keep together.
//! A sound store has none of them, so each is asked for here and in no path of its own.

use steadfast_core::decision::{Changed, Writes};
use steadfast_core::history::Commit;
use steadfast_core::snapshot::{Conflict, Snapshot};
use steadfast_core::unit::Row;
use steadfast_services::port::Batch;

use super::locks::LockKey;
use super::{State, TxId};

impl State {
    /// Whether this store has the bug.
    pub(super) fn is_planted(&self, mutant: &str) -> bool {
        self.planted == Some(mutant)
    }

    /// Whether a transaction fails to lock what it should.
    pub(super) fn is_unguarded(&self, id: TxId, key: &LockKey) -> bool {
        match key {
            LockKey::SubmitKey(_) => self.is_planted("submit_key_checked_by_reading"),
            LockKey::Worker(_) => false,
            _ => self.advances_blindly(id),
        }
    }

    /// Whether a transaction advances runs without looking whether somebody else does.
    fn advances_blindly(&self, id: TxId) -> bool {
        let advances = |open: &super::Open| open.step == "advance";
        self.is_planted("successor_without_unique_key")
            && self.transactions.get(&id).is_some_and(|open| advances(open))
    }

    /// Whether a write fails to look at what is there.
    pub(super) fn is_unchecked(&self, id: TxId, batch: &Batch<'_>) -> bool {
        match batch {
            Batch::UpdateExecutions(_) | Batch::UpdateExecutionsWith(..)
                if self.is_planted("start_without_compare_and_set") =>
            {
                true
            }
            Batch::UpdateWorkers(_) => self.is_planted("burial_without_compare_and_set"),
            _ => self.advances_blindly(id),
        }
    }

    /// Whether somebody may be given what another transaction has locked.
    pub(super) fn hands_out_twice(&self) -> bool {
        self.is_planted("start_without_compare_and_set")
    }

    /// What a transaction counts on: the rows as they are.
    pub(super) fn counted_on(&self, id: Option<TxId>) -> &Snapshot {
        let open = id.and_then(|id| self.transactions.get(&id));
        open.and_then(|open| open.old_look.as_ref()).unwrap_or(&self.rows)
    }

    /// Whether this store takes what a sound one refuses.
    pub(super) fn is_careless(&self) -> bool {
        self.is_planted("start_without_compare_and_set")
            || self.is_planted("burial_without_compare_and_set")
            || self.is_planted("submit_key_checked_by_reading")
            || self.is_planted("successor_without_unique_key")
    }

    /// What is written, as a store numbers it that compares no versions.
    pub(super) fn renumber(&self, writes: &mut Writes) {
        if self.is_careless() {
            let rows = &self.rows;
            renumber(&mut writes.workers, |key| rows.workers.get(key));
            renumber(&mut writes.queues, |key| rows.queues.get(key));
            renumber(&mut writes.runs, |key| rows.runs.get(key));
            renumber(&mut writes.visits, |key| rows.visits.get(key));
            renumber(&mut writes.schedules, |key| rows.schedules.get(key));
            renumber(&mut writes.executions, |key| rows.execution(*key));
        }
    }

    /// Makes the rows what a commit says; answers with what changed.
    pub(super) fn take(&mut self, writes: Writes) -> Result<Commit, Conflict> {
        if self.is_careless() {
            Ok(self.rows.take_unchecked(writes))
        } else {
            self.rows.take(writes)
        }
    }

    /// The connection is lost in the middle of a commit, of which some is there already.
    pub(super) fn tear(&mut self, id: TxId) -> bool {
        let torn = self.is_planted("commit_torn_between_tables");
        let Some(open) = self.transactions.get_mut(&id).filter(|_| torn) else { return false };
        let executions = std::mem::take(&mut open.writes.executions);
        open.writes = Writes { executions, ..Writes::default() };
        true
    }
}

/// Lets each row follow the one that it overwrites.
fn renumber<'a, R: Row + 'a>(changed: &mut Changed<R>, stored: impl Fn(&R::Key) -> Option<&'a R>) {
    for row in changed.inserted.iter_mut().chain(&mut changed.updated) {
        if let Some(stored) = stored(&row.key()) {
            let next = stored.version().next();
            *row.version_mut() = next;
        }
    }
}
