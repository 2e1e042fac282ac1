//! Rows that were seen once, and once more later, with any number of commits in between: what a
//! running engine can judge without anybody's journal.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Change, View, attempts, edges, finality, vocabulary};
use crate::catalogue::LawId;
use crate::execution::Execution;
use crate::history::{Commit, RowChange};
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::violation::Violation;

/// The laws that [`check_seen`] judges by. Each holds over several commits as over one, and asks
/// for no row but the execution's own.
pub const SEEN: &[LawId] = &[LawId::S5, LawId::S6, LawId::S7, LawId::S23, LawId::S28];

/// Judges executions as they are `now`, and against what they were `before` where they were seen
/// then. Each law is named once.
#[must_use]
pub fn check_seen(before: &[Execution], now: &[Execution], settings: &Settings) -> Vec<Violation> {
    let before: BTreeMap<_, _> = before.iter().map(|row| (row.id, row)).collect();
    let mut after = Snapshot::new();
    let mut commit = Commit::default();
    for row in now {
        after.executions.put(row.clone());
        if let Some(before) = before.get(&row.id).filter(|before| ***before != *row) {
            let before = Some((*before).clone());
            commit.executions.push(RowChange { before, after: row.clone() });
        }
    }
    let change = Change { commit: &commit, after: &after, settings };
    let view = View::whole(&after);
    let verdicts = [
        finality::ends(&view),
        vocabulary::words(&view),
        attempts::budget(&view),
        finality::absorbing(&change),
        edges::executions(&change),
        attempts::one_effective(&change),
    ];
    let mut violations: Vec<Violation> = verdicts.into_iter().filter_map(Result::err).collect();
    violations.dedup_by_key(|violation| violation.law);
    violations
}
