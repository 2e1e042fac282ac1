//! Where hints wait for one consumer, or for the first of several.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use steadfast_core::decision::Message;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Waiting hints, each once: a burst that says the same ten thousand times is one hint.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    waiting: VecDeque<(Message, bool)>,
    known: BTreeSet<Message>,
    delayed: BTreeMap<(Instant, u64), Message>,
    /// Somebody should look.
    pub(super) posted: Arc<Notify>,
    /// How many consume it.
    pub(super) subscribers: usize,
}

impl Mailbox {
    /// Adds a hint. `false` if there was no room. One that is waiting already is not added again;
    /// one that a consumer has taken is, for that consumer may have looked too early.
    pub(super) fn post(&mut self, message: Message, capacity: usize) -> bool {
        if self.known.contains(&message) {
            return true;
        }
        if self.waiting.len() + self.delayed.len() >= capacity {
            return false;
        }
        self.known.insert(message.clone());
        self.waiting.push_back((message, false));
        self.posted.notify_one();
        true
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.delayed.len()
    }

    /// Takes up to `max` hints, with whether somebody may have had them before.
    pub(super) fn take(&mut self, max: usize) -> Vec<(Message, bool)> {
        let count = max.min(self.waiting.len());
        let taken: Vec<(Message, bool)> = self.waiting.drain(..count).collect();
        for (message, _) in &taken {
            self.known.remove(message);
        }
        if !taken.is_empty() {
            // One signal may stand for many hints, and whoever would have woken for a delayed one
            // is busy now.
            self.call_another();
        }
        taken
    }

    /// Puts hints that were taken and not settled back to the front, in their order.
    pub(super) fn put_back(&mut self, messages: impl DoubleEndedIterator<Item = Message>) {
        for message in messages.rev() {
            self.known.insert(message.clone());
            self.waiting.retain(|(waiting, _)| *waiting != message);
            self.waiting.push_front((message, true));
        }
        self.call_another();
    }

    /// Lets another consumer look, if there is or will be something to find.
    fn call_another(&self) {
        if !self.is_empty() {
            self.posted.notify_one();
        }
    }

    /// Lets a hint come again later. `number` tells apart what comes at the same time.
    pub(super) fn delay(&mut self, message: Message, until: Instant, number: u64) {
        self.delayed.insert((until, number), message);
        self.posted.notify_one();
    }

    /// Moves the delayed hints whose time has come to those that wait.
    pub(super) fn return_due(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let message = entry.remove();
            if self.known.insert(message.clone()) {
                self.waiting.push_back((message, true));
            }
        }
    }

    /// When the next delayed hint comes again.
    pub(super) fn next_return(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether nothing waits and nothing will.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.delayed.is_empty()
    }
}
