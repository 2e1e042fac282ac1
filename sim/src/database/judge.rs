//! What happens at a commit: the rows change, the log tells how, and every law is asked.

use std::collections::BTreeSet;

use steadfast_core::Timestamp;
use steadfast_core::history::Commit;
use steadfast_core::law::{self, Change};
use steadfast_services::port::StoreError;

use super::{State, TxId};
use crate::law::WorldLaw;
use crate::process::Process;
use crate::promises::{Promise, idle_queues, promise_of, queues_of};
use crate::sync::lock;
use crate::{Node, World, kinds};

/// A commit that was made.
pub(crate) struct Landed {
    pub(crate) at: Timestamp,
    pub(crate) promises: BTreeSet<Promise>,
}

impl World {
    /// Makes a transaction durable. Answers with the time at which it was decided, and with what whoever
    /// hears of it has to say.
    pub(crate) fn commit(&self, me: &Process, id: TxId) -> Result<Landed, StoreError> {
        let mut state = lock(&self.0.database);
        let gone = || StoreError::Unavailable("the server closed the connection".into());
        if state.is_down {
            return Err(gone());
        }
        let mut open = state.end(id).ok_or_else(gone)?;
        state.renumber(&mut open.writes);
        let step = kinds::step(open.step);
        let at = if state.is_planted("journal_records_another_time") {
            state.clock(self.epoch_micros())
        } else {
            open.decided
        };
        if open.writes.is_empty() {
            drop(state);
            me.log(&kinds::COMMITTED, &[id.0, step, 0]);
            return Ok(Landed { at, promises: BTreeSet::new() });
        }
        if state.is_unjudged {
            let _ = state.rows.take_unchecked(open.writes);
            drop(state);
            me.log(&kinds::COMMITTED, &[id.0, step, 1]);
            return Ok(Landed { at, promises: BTreeSet::new() });
        }
        let queues = queues_of(&open.writes);
        let idle = idle_queues(&state.rows, &queues);
        let commit = match state.take(open.writes) {
            Ok(changes) => Commit { at, voices: Some(open.voices), ..changes },
            Err(conflict) => {
                drop(state);
                self.violate(WorldLaw::RowsAreSound, conflict.to_string());
                return Err(StoreError::Corrupt(conflict.to_string()));
            }
        };
        state.changes += commit.executions.len();
        let verdict = judge(&state, &commit);
        let left = idle_queues(&state.rows, &queues).into_iter().filter(|q| !idle.contains(q));
        let through = commit.executions.iter();
        let through = through.filter_map(|row| promise_of(row.before.as_ref(), &row.after));
        let promises = left.map(Promise::Admit).chain(through).collect();
        let rows = commit.executions.len() + commit.workers.len() + commit.queues.len();
        drop(state);
        me.log(&kinds::COMMITTED, &[id.0, step, rows as u64]);
        self.tell(me, &commit);
        lock(&self.0.record).judged_commit();
        let violated = verdict.err();
        lock(&self.0.database).history.push(commit);
        if let Some(violation) = violated {
            self.violate(violation.law, violation.what);
        }
        Ok(Landed { at, promises })
    }

    /// Judges every row, at the end.
    pub(crate) fn judge_rows(&self) {
        if lock(&self.0.database).is_unjudged {
            return;
        }
        if let Err(violation) = self.see_rows(law::check_snapshot) {
            self.violate(violation.law, violation.what);
        }
    }

    /// Logs what a commit changed, each row in the lane of whom it concerns.
    fn tell(&self, me: &Process, commit: &Commit) {
        for change in &commit.executions {
            let row = &change.after;
            if change.before.as_ref().map(|b| (b.status, b.attempt))
                == Some((row.status, row.attempt))
            {
                continue;
            }
            let holder = row.worker.as_ref().and_then(|worker| self.named(worker.name.as_str()));
            let words = [row.id.0, row.status as u64, u64::from(row.attempt.0)];
            self.log(holder.unwrap_or(me.node()), &kinds::EXECUTION, &words);
        }
        for change in &commit.workers {
            let row = &change.after;
            let node = self.named(row.name.as_str()).unwrap_or(Node::WORLD);
            let words = [row.incarnation.0, row.state as u64, row.lease_until.as_micros()];
            self.log(node, &kinds::WORKER, &words);
        }
        for change in &commit.visits {
            let row = &change.after;
            let words = [row.key.run.0, u64::from(row.ended), u64::from(row.total)];
            self.log(me.node(), &kinds::VISIT, &words);
        }
    }
}

/// After so many commits every row is judged, and not only what the last one can have made wrong.
const WHOLE_EVERY: usize = 100;

/// Asks every law that a commit and the rows after it can answer.
fn judge(state: &State, commit: &Commit) -> law::Verdict {
    let change = Change { commit, after: &state.rows, settings: &state.settings };
    law::check_change(&change)?;
    law::check_touched(&change)?;
    let is_whole = state.history.commits().len().is_multiple_of(WHOLE_EVERY);
    if is_whole { law::check_snapshot(&state.rows) } else { Ok(()) }
}
