//! S23: one vocabulary, and one answer to what is over.

use alloc::format;

use super::{Verdict, View, demand};
use crate::catalogue::LawId::S23;

/// S23: each status reads back as itself, and the rows agree with it on what is over.
pub(super) fn words(view: &View<'_>) -> Verdict {
    for execution in view.executions() {
        let (id, status) = (execution.id, execution.status);
        demand(S23, status.as_str().parse() == Ok(status), || format!("{id}: `{status}`"))?;
        demand(S23, execution.ended_at.is_some() == status.is_terminal(), || {
            format!("{id} is {status} and its row says that it ended at {:?}", execution.ended_at)
        })?;
        demand(S23, !execution.folded || status.is_terminal(), || {
            format!("{id} is {status} and its run takes it for ended")
        })?;
    }
    for visit in view.visits() {
        let over = visit.status.is_none_or(crate::status::Status::is_terminal);
        demand(S23, over, || format!("{} ended as {:?}", visit.key, visit.status))?;
    }
    Ok(())
}
