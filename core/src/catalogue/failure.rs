//! The known mechanisms of failure: ways in which engines of this kind have lost, doubled or
//! wedged work. Each ends in a broken law, and names the rules that leave it no room here.

mod claim;
mod completion;
mod fanout;
mod queue;
mod transport;
mod worker;
mod workflow;

use super::{LawId, Rule, joined};

/// A mechanism of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its code, `F1` to `F67`.
    pub code: &'static str,
    /// Its stable name, in `[a-z0-9_]+`.
    pub name: &'static str,
    /// The part of an engine that it belongs to.
    pub subject: Subject,
    /// Who does what, in the order in which it goes wrong. The steps are numbered when printed.
    pub story: &'static [&'static str],
    /// What is broken in the end.
    pub harm: &'static str,
    /// The laws that it breaks.
    pub breaks: &'static [LawId],
    /// The design rules that make it impossible.
    pub prevented_by: &'static [Rule],
    /// Whether it could happen to this engine, if it were not for the rules.
    pub applies: Applies,
}

impl Failure {
    /// The failure with this code.
    pub fn by_code(code: &str) -> Option<&'static Failure> {
        FAILURES.iter().find(|failure| failure.code == code)
    }

    /// The failure with this name.
    pub fn by_name(name: &str) -> Option<&'static Failure> {
        FAILURES.iter().find(|failure| failure.name == name)
    }
}

/// Whether a mechanism of failure concerns this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// The engine has the parts that it takes, so a scenario must go there.
    Yes,
    /// The engine does not have the parts that it takes, for this reason.
    No(&'static str),
    /// The engine does not have these parts yet, for this reason; the rules are there already.
    Later(&'static str),
}

/// The part of an engine that a failure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// How an end is decided, written down and made known.
    Completion,
    /// Admission, the line of waiters, slots, limits and cancellation.
    Queue,
    /// Successors, joins, lists of items and the end of a run.
    Workflow,
    /// Assignment, liveness, leases, deadlines and shutdown.
    Worker,
    /// Messages, receipts, dead letters and poison.
    Transport,
    /// Claims, guards, leaders and sweeps.
    Claim,
    /// Barriers, continuations and effects on the outside.
    FanOut,
}

impl Subject {
    /// Every subject, in the order in which failures are listed.
    pub const ALL: &'static [Self] = &[
        Self::Completion,
        Self::Queue,
        Self::Workflow,
        Self::Worker,
        Self::Transport,
        Self::Claim,
        Self::FanOut,
    ];

    /// The subject as a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Completion => "Completion and status",
            Self::Queue => "Queues and slots",
            Self::Workflow => "Workflows",
            Self::Worker => "Workers and leases",
            Self::Transport => "Messages and transport",
            Self::Claim => "Claims, guards and sweeps",
            Self::FanOut => "Fan-out and effects",
        }
    }
}

const PARTS: [&[Failure]; 7] = [
    completion::FAILURES,
    queue::FAILURES,
    workflow::FAILURES,
    worker::FAILURES,
    transport::FAILURES,
    claim::FAILURES,
    fanout::FAILURES,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

static TABLE: [Failure; COUNT] = joined(&PARTS);

/// Every known failure, by subject and then by number.
pub const FAILURES: &[Failure] = &TABLE;
