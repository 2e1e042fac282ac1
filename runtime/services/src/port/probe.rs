//! Asking a worker whether it moves: what is asked, how often, and what comes back.

use steadfast_core::{Span, WorkerId};

/// How workers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// How often each worker is asked.
    pub interval: Span,
    /// How long something that a worker does itself may take, and how long one that has answered may
    /// be silent, before it is taken for hung.
    pub staleness: Span,
}

impl Probing {
    /// The defaults of the configuration.
    pub const DEFAULT: Self = Self { interval: Span::from_secs(5), staleness: Span::from_secs(15) };
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, or nothing that a worker says.
    Silence,
    /// This worker process moves.
    Moves(WorkerId),
    /// This worker process does not, and why it thinks so.
    Hangs(WorkerId, String),
}

/// The label under which a worker publishes where it can be asked. Labels that begin like this one are
/// the engine's own.
pub const PROBE_LABEL: &str = "steadfast.io/probe";

/// How labels begin that are the engine's own.
pub const RESERVED_LABELS: &str = "steadfast.io/";
