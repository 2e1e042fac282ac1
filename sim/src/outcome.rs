//! What a run leaves behind.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::{ExecutionId, Transport};
use steadfast_services::journal::Findings;

use crate::{Digest, EventLog, Law, Node, Plan, Point, SimTime, Struck};

/// A law that fell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// The index of the event at which it fell.
    pub step: u64,
    /// When it fell.
    pub at: SimTime,
    /// What happened instead, as a sentence.
    pub detail: String,
}

/// What an execution runs, and where it waits: names for its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The action or workflow.
    pub action: String,
    /// Its queue.
    pub queue: String,
    /// The execution whose run it belongs to.
    pub parent: Option<ExecutionId>,
}

/// Everything that is known about one run of one seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Every event.
    pub log: EventLog,
    /// What the seed drew for this world, in order: name and value.
    pub drawn: Vec<(&'static str, String)>,
    /// The bug that was planted.
    pub planted: Option<&'static str>,
    /// How work was carried, if that was not left to the seed.
    pub transport: Option<Transport>,
    /// What came of making every decision again, if journals were kept.
    pub journal: Option<Findings>,
    /// What was performed, if the story performs a plan.
    pub plan: Option<Plan>,
    /// Whether that was a case and not what the seed draws.
    pub is_case: bool,
    /// Every strike at a port, in order.
    pub struck: Vec<Struck>,
    /// The points of the case that were not reached.
    pub unmatched: Vec<Point>,
    /// The executions that there were.
    pub subjects: BTreeMap<ExecutionId, Subject>,
    /// The laws that fell; a run ends at the first.
    pub violations: Vec<Violation>,
    /// Every fault in order: when, what, to whom.
    pub faults: Vec<(SimTime, &'static str, Node)>,
    /// How often each point that a story hopes to reach was reached.
    pub coverage: BTreeMap<&'static str, u64>,
    /// How many events each law judged.
    pub judged: BTreeMap<&'static str, u64>,
    /// How long the world lasted, in its own time.
    pub sim_time: Duration,
    /// How long that took outside.
    pub wall: Duration,
}

impl Outcome {
    /// Whether every law held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.violations.is_empty()
    }

    /// The hash of the whole event log.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.log.digest()
    }

    /// How often each fault struck, by name.
    #[must_use]
    pub fn fault_counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (_, fault, _) in &self.faults {
            *counts.entry(*fault).or_default() += 1;
        }
        counts
    }
}
