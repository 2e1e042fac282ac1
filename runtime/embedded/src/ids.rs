//! Identities: reserved in blocks, handed out from memory.

use std::ops::Range;

/// How many identities one write reserves. A process that is killed wastes at most so many.
const BLOCK: u64 = 10_000;

/// The identities that this process may still hand out. It belongs to the writer, so at most one
/// transaction uses it at a time.
#[derive(Debug)]
pub(crate) struct IdBlock {
    next: u64,
    /// Everything below is reserved durably.
    reserved: u64,
    /// Everything below is reserved if the open transaction commits.
    pending: Option<u64>,
}

impl IdBlock {
    /// Everything below `reserved` was given out by somebody.
    pub(crate) const fn starting_at(reserved: u64) -> Self {
        Self { next: reserved, reserved, pending: None }
    }

    /// Takes `count` identities. `Some` says what must be written in this transaction first.
    pub(crate) fn take(&mut self, count: u32) -> (Range<u64>, Option<u64>) {
        let start = self.next;
        self.next += u64::from(count);
        if self.next <= self.pending.unwrap_or(self.reserved) {
            return (start..self.next, None);
        }
        let reserved = self.next + BLOCK;
        self.pending = Some(reserved);
        (start..self.next, Some(reserved))
    }

    /// The transaction is durable.
    pub(crate) fn committed(&mut self) {
        self.reserved = self.pending.take().unwrap_or(self.reserved);
    }

    /// The transaction is gone. What it took is not given out again by this process.
    pub(crate) fn rolled_back(&mut self) {
        self.pending = None;
    }

    /// In the open transaction it was written that everything from `next` on is free.
    pub(crate) fn settle(&mut self, next: u64) {
        self.reserved = next;
        self.pending = Some(next);
    }

    /// The next identity, to be written when the store is closed in good order.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_reserved_once_and_again_after_a_rollback() {
        let mut ids = IdBlock::starting_at(1);
        assert_eq!(ids.take(3), (1..4, Some(4 + BLOCK)));
        assert_eq!(ids.take(2), (4..6, None));
        ids.rolled_back();
        assert_eq!(ids.take(1), (6..7, Some(7 + BLOCK)), "the reservation was rolled back");
        ids.committed();
        assert_eq!(ids.take(5), (7..12, None));
        assert_eq!(ids.take(u32::MAX).1, Some(12 + u64::from(u32::MAX) + BLOCK));
    }
}
