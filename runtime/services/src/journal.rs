//! The journal: what the core was asked and what it decided, written down so that the pure core can
//! be asked again and has to decide the same.
//!
//! A record holds the rows as they were loaded, the question, and digests of what was decided. Each
//! can be checked alone, so a journal may begin anywhere and lose its end. Rows carry versions, so
//! the journals of many processes are checked against each other as well: what one has loaded is
//! what one has written.
//!
//! A record is written before its commit and another says what became of it; a process that is
//! killed between the two leaves the outcome open.
//!
//! Bytes: a frame is a length in four bytes, least significant first, and MessagePack of that
//! length: a head, and for a decision the unit of work, the step and the digests.

mod check;
mod digest;
mod steps;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use steadfast_core::decision::Decision;
use steadfast_core::unit::Unit;
use tracing::warn;

pub use check::{Checker, Fault, Findings, Unreadable};

/// Raised whenever a record means something else than before.
pub const FORMAT: u32 = 2;

/// Where records go. It must neither wait nor fail: work goes on without a journal.
pub trait Sink: Send + Sync {
    /// Takes one record, whole.
    fn append(&self, record: &[u8]);
}

/// The journal of one process.
pub struct Journal {
    sink: Box<dyn Sink>,
    next: AtomicU64,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("next", &self.next).finish_non_exhaustive()
    }
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Head<'a> {
    /// The first record of a file.
    Opened { format: u32 },
    /// A decision: unit, step and digests follow.
    Decided { number: u64, step: &'a str },
    /// What became of the decision of this number.
    Settled { number: u64, outcome: Outcome },
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It is durable.
    Committed,
    /// Nothing of it is in the store.
    Failed,
    /// One or the other.
    Unknown,
}

impl Journal {
    /// A journal that writes to `sink`.
    #[must_use]
    pub fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, next: AtomicU64::new(0) }
    }

    /// The first record of every file that a sink writes.
    #[must_use]
    pub fn preamble() -> Vec<u8> {
        frame(&Head::Opened { format: FORMAT })
    }

    /// Writes down what is about to be decided.
    pub(crate) fn ask<S: Serialize>(&self, name: &str, unit: &Unit, step: &S) -> Option<Draft> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut bytes = vec![0; LENGTH];
        let written = put(&mut bytes, &Head::Decided { number, step: name })
            .and_then(|()| put(&mut bytes, unit))
            .and_then(|()| put(&mut bytes, step));
        match written {
            Ok(()) => Some(Draft { number, bytes }),
            Err(error) => {
                warn!(%error, step = name, "a decision is missing in the journal");
                None
            }
        }
    }

    /// Writes down what was decided, before it is committed.
    pub(crate) fn decided(&self, mut draft: Draft, decision: &Decision) -> u64 {
        match put(&mut draft.bytes, &digest::of_decision(decision)) {
            Ok(()) => self.sink.append(&closed(draft.bytes)),
            Err(error) => warn!(%error, "a decision is missing in the journal"),
        }
        draft.number
    }

    /// Writes down what became of a decision.
    pub(crate) fn settled(&self, number: u64, outcome: Outcome) {
        self.sink.append(&frame(&Head::Settled { number, outcome }));
    }
}

/// A record that lacks what was decided.
pub(crate) struct Draft {
    number: u64,
    bytes: Vec<u8>,
}

/// How many bytes the length of a frame takes.
const LENGTH: usize = 4;

fn put<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> Result<(), rmp_serde::encode::Error> {
    rmp_serde::encode::write(bytes, value)
}

fn frame(head: &Head<'_>) -> Vec<u8> {
    let mut bytes = vec![0; LENGTH];
    put(&mut bytes, head).expect("a head can be written");
    closed(bytes)
}

/// The record with its length in its first bytes.
fn closed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(bytes.len() - LENGTH).expect("a record is below 4 GiB");
    bytes[..LENGTH].copy_from_slice(&length.to_le_bytes());
    bytes
}
