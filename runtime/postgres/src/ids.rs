//! Identities: a block at a time from a sequence of the database, handed out from memory.
//!
//! A sequence gives every value once, whatever becomes of the transaction that asked, so nothing
//! has to be written down and nobody waits. Several processes hand out from several blocks at the
//! same time: identities say nothing about order, and what is listed by identity is in order only
//! but for a block.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// How many identities a value of the sequence stands for; the migration says the same.
pub(crate) const BLOCK: u64 = 256;

/// How many values of the sequence are drawn for `count` identities.
pub(crate) const fn blocks(count: u32) -> u64 {
    (count as u64).div_ceil(BLOCK)
}

/// What is left of this process's block.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<Range<u64>>);

impl Ids {
    /// Takes `count` identities, if the block has so many left.
    pub(crate) fn take(&self, count: u32) -> Option<Range<u64>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = left.start.checked_add(count.into())?;
        if end > left.end {
            return None;
        }
        let taken = left.start..end;
        left.start = end;
        Some(taken)
    }

    /// Takes `count` identities of the blocks that begin at `starts`, and keeps the rest for the
    /// next ones. `None` if the blocks do not follow each other: somebody else drew one between.
    pub(crate) fn refill(&self, starts: &[u64], count: u32) -> Option<Range<u64>> {
        let first = *starts.first()?;
        let in_a_row = starts.iter().zip(0..).all(|(start, place)| *start == first + place * BLOCK);
        let end = first + starts.len() as u64 * BLOCK;
        let taken = first..first.checked_add(count.into())?;
        if !in_a_row || taken.end > end {
            return None;
        }
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two who refill at the same time, the one with more left to give wins.
        if end - taken.end > left.end - left.start {
            *left = taken.end..end;
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_up_before_the_next() {
        let ids = Ids::default();
        assert_eq!(ids.take(1), None);
        assert_eq!(ids.refill(&[1], 200), Some(1..201));
        assert_eq!(ids.take(50), Some(201..251));
        assert_eq!(ids.take(7), None, "only six are left");
        assert_eq!(ids.take(6), Some(251..257));
        assert_eq!(ids.take(0), Some(257..257));
    }

    #[test]
    fn many_need_blocks_that_follow_each_other() {
        let ids = Ids::default();
        assert_eq!(blocks(600), 3);
        assert_eq!(ids.refill(&[1, 257, 769], 600), None);
        assert_eq!(ids.refill(&[1025, 1281, 1537], 600), Some(1025..1625));
        assert_eq!(ids.take(168), Some(1625..1793));
    }
}
