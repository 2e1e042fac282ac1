//! What this process sees of broken laws: the newest executions, looked at again and again and
//! judged by the core's own predicates.

use std::collections::BTreeMap;

use steadfast_core::execution::Execution;
use steadfast_core::law::{SEEN, check_seen};
use steadfast_core::{Span, Timestamp};
use steadfast_services::port::{Env, ExecutionFilter, Query, StoreError};
use tracing::error;

use crate::engine::Engine;

/// How many executions are looked at.
const SAMPLE: u32 = 50;

/// How often, at the most: each look reads their parameters and results too.
const EVERY: Span = Span::from_secs(5);

/// What was seen the last time, and how often each law was seen broken.
#[derive(Debug, Default)]
pub(super) struct Audit {
    looked_at: Option<Timestamp>,
    seen: Vec<Execution>,
    violations: BTreeMap<&'static str, u64>,
}

impl Audit {
    /// Looks, if it is time. A row that stays wrong is counted at each look.
    pub(super) async fn look(&mut self, engine: &Engine, now: Timestamp) -> Result<(), StoreError> {
        if self.looked_at.is_some_and(|at| now.since(at) < EVERY) {
            return Ok(());
        }
        let filter = ExecutionFilter { limit: SAMPLE, ..ExecutionFilter::default() };
        let rows = engine.query().executions(&filter).await?;
        let rows: Vec<Execution> = rows.into_iter().map(|view| view.execution).collect();
        for violation in check_seen(&self.seen, &rows, &engine.env().settings()) {
            error!(%violation, "a law does not hold; see docs/catalogue.md");
            *self.violations.entry(violation.law.code()).or_default() += 1;
        }
        self.seen = rows;
        self.looked_at = Some(now);
        Ok(())
    }

    /// How often each law that is judged was seen broken.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let count = |code| self.violations.get(code).copied().unwrap_or(0);
        SEEN.iter().map(|law| (law.code(), count(law.code()))).collect()
    }
}
