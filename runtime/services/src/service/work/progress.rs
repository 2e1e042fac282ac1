//! Whether a worker moves. Its beats only say that it lives: they are a task of their own, and go on
//! when the ones that ask for work, or that start it, stand still.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::{Span, Timestamp, WorkerId};

/// What a worker is doing itself, and since when. Copies are the same; whoever answers for the worker
/// has one.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Which process it is, as long as it is registered.
    worker: Option<WorkerId>,
    /// When it last came round to looking for work; none while it has no reason to look.
    looked_at: Option<Timestamp>,
    /// What it waits for: what that is, and since when.
    moves: BTreeMap<u64, (&'static str, Timestamp)>,
    next: u64,
}

/// Something under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Move {
    number: u64,
    of: Progress,
}

impl Drop for Move {
    fn drop(&mut self) {
        self.of.lock().moves.remove(&self.number);
    }
}

/// How a worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which process it is; none if it is not registered.
    pub worker: Option<WorkerId>,
    /// What does not move, if anything does not.
    pub hangs: Option<String>,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is this process from now on, and has not begun anything; or it is none.
    pub(super) fn is_now(&self, worker: Option<WorkerId>) {
        let mut inner = self.lock();
        (inner.worker, inner.looked_at) = (worker, None);
    }

    /// It came round to looking for work; or it has no reason to come round again.
    pub(super) fn looks(&self, at: Option<Timestamp>) {
        self.lock().looked_at = at;
    }

    /// It begins something that must not take long.
    pub(super) fn begin(&self, what: &'static str, now: Timestamp) -> Move {
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        inner.moves.insert(number, (what, now));
        Move { number, of: self.clone() }
    }

    /// How it is at `now`, if nothing may take longer than `patience`; `at_it_for` is how long its
    /// runner has been at something ([`at_it_for`](crate::port::Runner::at_it_for)).
    #[must_use]
    pub fn judge(&self, now: Timestamp, patience: Span, at_it_for: Span) -> Condition {
        let inner = self.lock();
        let looks = inner.looked_at.map(|at| ("it has not looked for work for", now.since(at)));
        let runner = Some(("starting an action, or keeping its output, has taken", at_it_for));
        let moves = inner.moves.values().map(|(what, since)| (*what, now.since(*since)));
        let longest = moves.chain(looks).chain(runner).max_by_key(|(_, took)| *took);
        let hangs = longest.filter(|(_, took)| *took > patience);
        let hangs = hangs.map(|(what, took)| {
            format!("{what} {}", Span::from_secs(took.as_micros() / 1_000_000))
        });
        Condition { worker: inner.worker.clone(), hangs }
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::{Incarnation, WorkerName};

    use super::*;

    const PATIENCE: Span = Span::from_secs(15);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    fn hangs(progress: &Progress, secs: u64) -> bool {
        progress.judge(at(secs), PATIENCE, Span::ZERO).hangs.is_some()
    }

    #[test]
    fn what_takes_too_long_is_a_hang_until_it_ends() {
        let progress = Progress::default();
        let asking = progress.begin("asking has taken", at(100));
        assert!(!hangs(&progress, 115), "it may take as long as that");
        assert!(hangs(&progress, 116));
        drop(progress.begin("another", at(116)));
        assert!(hangs(&progress, 116), "another that goes well does not help it");
        drop(asking);
        assert!(!hangs(&progress, 200));
    }

    #[test]
    fn who_does_not_come_round_hangs_unless_there_is_no_reason_to() {
        let progress = Progress::default();
        progress.looks(Some(at(100)));
        assert!(hangs(&progress, 116));
        progress.looks(None);
        assert!(!hangs(&progress, 1_000), "full, or stopping");
        progress.looks(Some(at(1_000)));
        assert!(!hangs(&progress, 1_010));
    }

    #[test]
    fn the_runner_counts_and_the_clock_may_go_back() {
        let progress = Progress::default();
        let hangs = |span| progress.judge(at(9), PATIENCE, span).hangs;
        assert_eq!(hangs(PATIENCE), None);
        assert!(hangs(Span::from_secs(16)).unwrap().contains("starting an action"));
        let _asking = progress.begin("asking has taken", at(100));
        assert_eq!(hangs(Span::ZERO), None);
    }

    #[test]
    fn a_new_process_has_begun_nothing() {
        let progress = Progress::default();
        progress.looks(Some(at(1)));
        let id = WorkerId { name: WorkerName::new("ada"), incarnation: Incarnation(2) };
        progress.is_now(Some(id.clone()));
        let condition = progress.judge(at(100), PATIENCE, Span::ZERO);
        assert_eq!(condition, Condition { worker: Some(id), hangs: None });
    }
}
