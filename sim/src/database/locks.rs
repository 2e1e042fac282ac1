//! Row locks, and who waits for them.

use std::collections::{BTreeMap, VecDeque};

use steadfast_core::effect::EffectKey;
use steadfast_core::schedule::ScheduleName;
use steadfast_core::{ExecutionId, QueueKey, TaskKey, WorkerName};
use tokio::sync::oneshot;

use super::TxId;

/// What can be locked: a row, or a unique key that is being taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LockKey {
    Schedule(ScheduleName),
    Worker(WorkerName),
    Queue(QueueKey),
    Run(ExecutionId),
    Execution(ExecutionId),
    Visit(TaskKey),
    Effect(EffectKey),
    /// The key that a submission is known by.
    SubmitKey(String),
    /// A child's place in its run.
    Place(steadfast_core::ItemKey),
    /// What comes with an execution or a visit, as it is being inserted.
    Parameters(ExecutionId),
    Outcome(ExecutionId),
    Items(TaskKey, u32),
}

#[derive(Debug)]
struct Lock {
    holder: TxId,
    waiters: VecDeque<(TxId, oneshot::Sender<()>)>,
}

/// All locks.
#[derive(Debug, Default)]
pub(super) struct Locks {
    held: BTreeMap<LockKey, Lock>,
    waits: BTreeMap<TxId, LockKey>,
}

/// The answer to a wish for a lock.
#[derive(Debug)]
pub(super) enum Asked {
    /// It was free, and is taken now.
    Taken,
    /// It is held already by who asked.
    Mine,
    /// It is held by this one; the receiver fires when it is passed on.
    Wait(TxId, oneshot::Receiver<()>),
    /// Waiting for it would close a circle.
    Deadlock,
}

impl Locks {
    pub(super) fn is_held_by_other(&self, key: &LockKey, by: TxId) -> bool {
        self.held.get(key).is_some_and(|lock| lock.holder != by)
    }

    pub(super) fn ask(&mut self, key: &LockKey, by: TxId) -> Asked {
        let Some(lock) = self.held.get_mut(key) else {
            self.held.insert(key.clone(), Lock { holder: by, waiters: VecDeque::new() });
            return Asked::Taken;
        };
        if lock.holder == by {
            return Asked::Mine;
        }
        let holder = lock.holder;
        if self.leads_to(holder, by) {
            return Asked::Deadlock;
        }
        let (granted, wait) = oneshot::channel();
        let lock = self.held.get_mut(key).expect("it was just found");
        lock.waiters.push_back((by, granted));
        self.waits.insert(by, key.clone());
        Asked::Wait(holder, wait)
    }

    /// Whether `from` waits, through others, for `to`.
    fn leads_to(&self, from: TxId, to: TxId) -> bool {
        let mut at = from;
        while let Some(next) = self.waits.get(&at).and_then(|key| self.held.get(key)) {
            at = next.holder;
            if at == to {
                return true;
            }
        }
        false
    }

    /// Whoever waited does so no longer, and is told so if it still listens.
    pub(super) fn stop_waiting(&mut self, by: TxId) {
        if let Some(key) = self.waits.remove(&by)
            && let Some(lock) = self.held.get_mut(&key)
        {
            lock.waiters.retain(|(waiter, _)| *waiter != by);
        }
    }

    /// Gives a lock to the first who still waits; answers who that is.
    pub(super) fn pass_on(&mut self, key: &LockKey) -> Option<TxId> {
        let lock = self.held.get_mut(key)?;
        while let Some((next, granted)) = lock.waiters.pop_front() {
            if granted.send(()).is_ok() {
                lock.holder = next;
                self.waits.remove(&next);
                return Some(next);
            }
            self.waits.remove(&next);
        }
        self.held.remove(key);
        None
    }
}
