//! One queue of the broker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::decision::Message;
use tokio::sync::Notify;

use crate::SimTime;
use crate::plan::BrokerPlan;

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) message: Message,
    /// Not before this.
    pub(super) due: SimTime,
    /// Since when it has waited here, or its consumer has had it.
    pub(super) since: SimTime,
    pub(super) redelivered: bool,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    pub(super) posted: Arc<Notify>,
}

impl Queue {
    pub(super) fn post(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        self.posted.notify_one();
    }

    /// Takes out what is too many, the oldest first, and what has waited too long.
    pub(super) fn bury(&mut self, plan: &BrokerPlan, now: SimTime) -> Vec<Entry> {
        let mut dead = Vec::new();
        if let Some(ttl) = plan.ttl_ms {
            let ttl = Duration::from_millis(ttl);
            let (kept, late) = std::mem::take(&mut self.entries)
                .into_iter()
                .partition(|entry| now < entry.since.after(ttl));
            self.entries = kept;
            dead.extend::<VecDeque<Entry>>(late);
        }
        while plan.max_length.is_some_and(|max| self.entries.len() > max) {
            dead.extend(self.entries.pop_front());
        }
        dead
    }

    /// What comes again goes to the head, in its old order.
    pub(super) fn put_back(&mut self, entries: impl DoubleEndedIterator<Item = Entry>) {
        for mut entry in entries.rev() {
            entry.redelivered = true;
            self.entries.push_front(entry);
        }
        self.posted.notify_one();
    }

    /// What is due, up to `max`; those that are late are overtaken.
    pub(super) fn take(&mut self, max: usize, now: SimTime) -> Vec<Entry> {
        let mut taken = Vec::new();
        let mut at = 0;
        while at < self.entries.len() && taken.len() < max {
            if self.entries[at].due <= now {
                taken.extend(self.entries.remove(at));
            } else {
                at += 1;
            }
        }
        if self.entries.iter().any(|entry| entry.due <= now) {
            // Somebody else can have the rest.
            self.posted.notify_one();
        }
        taken
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<SimTime> {
        self.entries.iter().map(|entry| entry.due).min()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
