//! One queue of the broker.

use std::collections::VecDeque;
use std::sync::Arc;

use steadfast_core::decision::Message;
use tokio::sync::Notify;

use crate::SimTime;

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) message: Message,
    /// Not before this.
    pub(super) due: SimTime,
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
