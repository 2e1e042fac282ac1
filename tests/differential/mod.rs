//! The same random history, with several clients at once, on the simulated store and on a real one.
//!
//! It is drawn on the simulated store, where a seed says who does what next; there every call is
//! answered or has to wait, and the end of a transaction lets others go on. A store with locks of
//! its own is then given the same calls in the same order, and has to answer the same, to let the
//! same callers wait, and to let them go on at the same time. A store that lets writers in one by
//! one gets whole transactions in the order in which they ended, and has to take or refuse the same
//! writes; alone, it has to give the same answers too. In the end all rows are the same.
#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod clients;
pub(crate) mod doctor;
mod draw;
pub(crate) mod op;
mod record;
pub(crate) mod replay;

pub(crate) use record::{History, Step, record};

/// How many calls to compare: as many as the test wants, or as the user does.
pub(crate) fn operations(usual: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "the user says how long it may take")]
    let wanted = std::env::var("STEADFAST_OPERATIONS").ok();
    wanted.map_or(usual, |text| text.parse().expect("STEADFAST_OPERATIONS is a number"))
}
