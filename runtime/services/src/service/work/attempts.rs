//! The attempts that a worker has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::{ExecutionId, FencingToken};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::port::Held;

type Key = (ExecutionId, FencingToken);

/// What a worker is running, and how much more it may run.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    capacity: u32,
    inner: Arc<Mutex<Inner>>,
    idle: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    running: BTreeMap<Key, Running>,
    /// Attempts that the store named at the last beat and that are not here, each with the
    /// questions whose answer might still bring it.
    suspicious: BTreeMap<Key, BTreeSet<u64>>,
    /// Attempts that were named unknown, for as long as the store thinks they are here.
    given_up: BTreeSet<Key>,
    /// Offers that are being accepted.
    accepting: BTreeSet<Key>,
    /// What ran here at the last beat and was not named by the store.
    disowned: BTreeSet<Key>,
    /// Questions for work that have not been answered.
    questions: BTreeSet<u64>,
    next_question: u64,
    /// Nothing begins any more.
    closed: bool,
}

/// A question for work. As long as it is there, its answer may bring attempts.
#[derive(Debug)]
pub(super) struct Question {
    number: u64,
    inner: Arc<Mutex<Inner>>,
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.questions.remove(&self.number);
    }
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    abandoned: bool,
}

impl Inner {
    /// How many more may be begun or taken up.
    fn free_of(&self, capacity: u32) -> u32 {
        let taken = self.running.len() + self.accepting.len();
        capacity.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    fn knows(&self, key: &Key) -> bool {
        self.running.contains_key(key)
            || self.given_up.contains(key)
            || self.accepting.contains(key)
    }
}

impl Attempts {
    pub(super) fn new(capacity: u32) -> Self {
        Self { capacity, inner: Arc::default(), idle: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more may be begun.
    pub(super) fn free(&self) -> u32 {
        self.lock().free_of(self.capacity)
    }

    /// Whether an attempt is here, on its way, or being given up: then it must not be begun again.
    pub(super) fn knows(&self, execution: ExecutionId, token: FencingToken) -> bool {
        self.lock().knows(&(execution, token))
    }

    /// Takes up as many offers as there is room for, of those that are not known. They are being
    /// accepted until [`Attempts::answered`] says that they have begun or were refused.
    pub(super) fn take_up(&self, offers: impl IntoIterator<Item = Key>) -> Vec<Key> {
        let inner = &mut *self.lock();
        let room = inner.free_of(self.capacity) as usize;
        let new = offers.into_iter().filter(|offer| !inner.knows(offer));
        let taken: Vec<Key> = new.take(room).collect();
        inner.accepting.extend(&taken);
        taken
    }

    /// Offers that were taken up were answered, or could not be.
    pub(super) fn answered(&self, offers: &[Key]) {
        let mut inner = self.lock();
        for offer in offers {
            inner.accepting.remove(offer);
        }
    }

    /// Stops what runs here although the store has not named it at two beats in a row: it was taken
    /// away, and its slot may be somebody else's. Once is no sign: it may just have been claimed,
    /// or just have ended.
    pub(super) fn stop_disowned(&self, held: &[Held]) {
        let inner = &mut *self.lock();
        let held: BTreeSet<Key> = held.iter().map(|held| (held.execution, held.token)).collect();
        let missing: BTreeSet<Key> =
            inner.running.keys().filter(|key| !held.contains(key)).copied().collect();
        for key in missing.intersection(&inner.disowned) {
            if let Some(running) = inner.running.get_mut(key) {
                running.abandoned = true;
                running.stop.cancel();
            }
        }
        inner.disowned = missing;
    }

    /// Notes that work is asked for. To be kept until everything that the answer brings has begun.
    pub(super) fn ask(&self) -> Question {
        let mut inner = self.lock();
        inner.next_question += 1;
        let number = inner.next_question;
        inner.questions.insert(number);
        Question { number, inner: Arc::clone(&self.inner) }
    }

    /// Notes an attempt, in the place of one that has ended; the token stops it. `None` once
    /// everything was abandoned: what begins then would be stopped by nobody.
    pub(super) fn begin(
        &self,
        execution: ExecutionId,
        token: FencingToken,
        former: Option<Key>,
    ) -> Option<CancellationToken> {
        let mut inner = self.lock();
        if inner.closed {
            return None;
        }
        if let Some(former) = former {
            inner.running.remove(&former);
        }
        let stop = CancellationToken::new();
        let running = Running { stop: stop.clone(), abandoned: false };
        inner.running.insert((execution, token), running);
        Some(stop)
    }

    /// The attempt is over and reported.
    pub(super) fn end(&self, execution: ExecutionId, token: FencingToken) {
        let mut inner = self.lock();
        inner.running.remove(&(execution, token));
        if inner.running.is_empty() {
            self.idle.notify_waiters();
        }
    }

    /// Whether nobody wants to hear how the attempt ends.
    pub(super) fn is_abandoned(&self, execution: ExecutionId, token: FencingToken) -> bool {
        self.lock().running.get(&(execution, token)).is_none_or(|running| running.abandoned)
    }

    /// Stops one attempt; it reports that it was cancelled.
    pub(super) fn stop(&self, execution: ExecutionId, token: FencingToken) {
        if let Some(running) = self.lock().running.get(&(execution, token)) {
            running.stop.cancel();
        }
    }

    /// Stops everything without a report, for good: the attempts are given back, or belong to
    /// somebody else now.
    pub(super) fn abandon_all(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        for running in inner.running.values_mut() {
            running.abandoned = true;
            running.stop.cancel();
        }
    }

    /// Returns when nothing is running.
    pub(super) async fn wait_until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.lock().running.is_empty() {
                return;
            }
            idle.await;
        }
    }

    /// What the store has thought to be here at two beats in a row, and is not, and which no answer
    /// under way can bring any more. Once is no sign: a claim may just have been committed.
    pub(super) fn unknown_twice(&self, held: &[Held]) -> Vec<Key> {
        let inner = &mut *self.lock();
        let before = std::mem::take(&mut inner.suspicious);
        let mut unknown = Vec::new();
        let still: BTreeSet<Key> = held.iter().map(|held| (held.execution, held.token)).collect();
        inner.given_up.retain(|key| still.contains(key));
        for key in held.iter().map(|held| (held.execution, held.token)) {
            if inner.running.contains_key(&key) || inner.accepting.contains(&key) {
                continue;
            }
            let seen = before.get(&key);
            if seen.is_some_and(|questions| questions.is_disjoint(&inner.questions)) {
                inner.given_up.insert(key);
                unknown.push(key);
            }
            let questions = seen.unwrap_or(&inner.questions).clone();
            inner.suspicious.insert(key, questions);
        }
        unknown
    }
}
