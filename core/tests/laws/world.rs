//! One store and a clock. Every commit is judged by every law before anything else happens.

use std::collections::BTreeSet;

use steadfast_core::decision::{Decision, Message};
use steadfast_core::definition::Transport;
use steadfast_core::history::History;
use steadfast_core::law::{self, Change};
use steadfast_core::settings::Settings;
use steadfast_core::snapshot::{Snapshot, Terms, Wanted};
use steadfast_core::unit::Unit;
use steadfast_core::workflow::Need;
use steadfast_core::{ExecutionId, QueueKey, Timestamp};

use super::op::{Op, Reply};
use super::toy::Toy;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) history: History,
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    pub(crate) transport: Transport,
    pub(crate) toy: Toy,
    /// Published and not yet delivered or lost.
    pub(crate) mail: Vec<Message>,
    /// Queues of which more can be let through than was loaded.
    pub(crate) pending: BTreeSet<QueueKey>,
    /// How much a transaction loads.
    pub(crate) heads: usize,
    pub(crate) children: usize,
    pub(crate) block: u64,
    pub(crate) everything: bool,
    /// The bug that is planted.
    pub(crate) planted: Option<&'static str>,
}

impl World {
    pub(crate) fn new(toy: Toy) -> Self {
        Self {
            snapshot: Snapshot::new(),
            history: History::new(),
            now: Timestamp::from_micros(1_000_000_000),
            settings: Settings::DEFAULT,
            transport: Transport::Embedded,
            toy,
            mail: Vec::new(),
            pending: BTreeSet::new(),
            heads: 2,
            children: usize::MAX,
            block: 1_000,
            everything: false,
            planted: None,
        }
    }

    /// Does all of `ops` in one transaction.
    pub(crate) fn transact(&mut self, ops: &[Op]) -> (Decision, Vec<Reply>) {
        let mut needs = Vec::new();
        loop {
            match self.decide(ops, &needs) {
                Ok((unit, replies)) => return (self.commit(unit), replies),
                Err(need) => {
                    assert!(!needs.contains(&need), "asked twice for {need:?}");
                    needs.push(need);
                }
            }
        }
    }

    fn decide(&self, ops: &[Op], needs: &[Need]) -> Result<(Unit, Vec<Reply>), Need> {
        let wanted = self.wanted(ops, needs);
        let mut unit = self.snapshot.load(&self.terms(), &wanted);
        if let Some(name) = self.planted {
            unit.plant(name);
        }
        let replies: Result<Vec<Reply>, Need> =
            ops.iter().map(|op| op.perform(self, &mut unit, needs)).collect();
        Ok((unit, replies?))
    }

    fn terms(&self) -> Terms {
        let next = self.snapshot.next_id();
        Terms {
            now: self.now,
            settings: self.settings,
            transport: self.transport,
            fresh_ids: next..next + self.block,
            entropy: next ^ self.now.as_micros(),
        }
    }

    fn wanted(&self, ops: &[Op], needs: &[Need]) -> Wanted {
        let base = Wanted { heads: self.heads, children: self.children, ..Wanted::default() };
        let mut wanted = base.clone();
        for op in ops {
            op.want(self, &mut wanted);
        }
        needs.iter().for_each(|need| wanted.add(need));
        if self.everything {
            wanted.heads = usize::MAX;
            wanted.count_unlimited = true;
            wanted.executions.extend(self.snapshot.executions.iter().map(|e| e.id));
            wanted.queues.extend(self.snapshot.queues.keys().cloned());
        }
        wanted
    }

    fn commit(&mut self, unit: Unit) -> Decision {
        let decision = unit.into_decision();
        if !decision.writes.is_empty() {
            let voices = Some(decision.voices.clone());
            self.history
                .commit(&mut self.snapshot, self.now, voices, &decision.writes)
                .expect("nobody else writes");
            self.judge();
        }
        for message in &decision.messages {
            if let Message::Admit(queue) = message {
                self.pending.insert(queue.clone());
            }
            if !self.mail.contains(message) {
                self.mail.push(message.clone());
            }
        }
        self.pending.retain(|key| self.snapshot.idle_queues().any(|queue| queue.key == *key));
        holds(law::work_conserved(&self.snapshot, &self.pending));
        decision
    }

    fn judge(&self) {
        let commit = self.history.commits().last().expect("a commit was just made");
        let change = Change { commit, after: &self.snapshot, settings: &self.settings };
        holds(law::check_change(&change));
        let whole = law::check_snapshot(&self.snapshot);
        let law = |verdict: &law::Verdict| verdict.as_ref().err().map(|violation| violation.law);
        assert_eq!(law(&law::check_touched(&change)), law(&whole), "what it touched, and all rows");
        holds(whole);
    }

    /// The executions that satisfy `wanted`.
    pub(crate) fn all(
        &self,
        wanted: impl Fn(&steadfast_core::execution::Execution) -> bool,
    ) -> Vec<ExecutionId> {
        self.snapshot.executions.iter().filter(|e| wanted(e)).map(|e| e.id).collect()
    }
}

/// Panics with the violation, if there is one.
pub(crate) fn holds(verdict: law::Verdict) {
    if let Err(violation) = verdict {
        panic!("{violation}");
    }
}
