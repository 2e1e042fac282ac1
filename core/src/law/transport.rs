//! S26: an execution says for life by which transport it was submitted.

use alloc::format;

use super::{Change, Verdict, demand};
use crate::catalogue::LawId::S26;

/// S26: no change of an execution changes its transport, whoever makes it.
pub(super) fn kept(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        demand(S26, before.transport == after.transport, || {
            format!(
                "{} was submitted by {} and says {}",
                after.id, before.transport, after.transport
            )
        })?;
    }
    Ok(())
}
