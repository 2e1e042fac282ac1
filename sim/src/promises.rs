//! L2 and L3, stepwise: what a commit makes possible must be said at once. Whoever lets a waiter
//! through says that it is ready; whoever leaves room beside a waiter, because it could not see the
//! whole line, says that somebody should look. The hint may be lost on its way, but not forgotten.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::catalogue::LawId;
use steadfast_core::decision::{Message, Writes};
use steadfast_core::execution::Execution;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::{ExecutionId, QueueKey, Runtime, Status, Work};

use crate::sync::lock;
use crate::{Node, World};

/// A hint that has to be published right after a commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Somebody was let through who needs a worker.
    Ready(ExecutionId, Runtime),
    /// A run was let through.
    Advance(ExecutionId),
    /// There is room, and somebody waits who was not seen.
    Admit(QueueKey),
}

impl Promise {
    fn is_kept_by(&self, message: &Message) -> bool {
        match (self, message) {
            (Self::Ready(_, wanted), Message::Ready { runtime, .. }) => wanted == runtime,
            (Self::Advance(wanted), Message::Advance(run)) => wanted == run,
            (Self::Admit(wanted), Message::Admit(queue)) => wanted == queue,
            _ => false,
        }
    }

    /// The law that falls when it is not kept, and what happened instead.
    fn broken(&self) -> (LawId, String) {
        match self {
            Self::Ready(id, _) | Self::Advance(id) => {
                (LawId::L2, format!("{id} was let through, and nobody was told"))
            }
            Self::Admit(queue) => {
                (LawId::L3, format!("{queue} was left with room and a waiter, and nobody was told"))
            }
        }
    }
}

/// What each process has to say before it does anything else.
pub(crate) type Promises = BTreeMap<Node, BTreeSet<Promise>>;

/// The queues that `writes` can open or shorten.
pub(crate) fn queues_of(writes: &Writes) -> BTreeSet<QueueKey> {
    let executions = writes.executions.inserted.iter().chain(&writes.executions.updated);
    let queues = writes.queues.inserted.iter().chain(&writes.queues.updated);
    executions.map(|e| &e.queue).chain(queues.map(|q| &q.key)).cloned().collect()
}

/// Those of these queues that stand idle in `rows`.
pub(crate) fn idle_queues(rows: &Snapshot, of: &BTreeSet<QueueKey>) -> BTreeSet<QueueKey> {
    let is_idle = |key: &&QueueKey| rows.queues.get(*key).is_some_and(|q| rows.is_idle(q));
    of.iter().filter(is_idle).cloned().collect()
}

/// What has to be said after an execution has moved so.
pub(crate) fn promise_of(before: Option<&Execution>, after: &Execution) -> Option<Promise> {
    let waited = before.is_some_and(|before| before.status == Status::Queued);
    (waited && after.status == Status::Ready).then(|| match &after.work {
        Work::Workflow => Promise::Advance(after.id),
        Work::Runtime(runtime) => Promise::Ready(after.id, runtime.clone()),
    })
}

impl World {
    /// A process has heard that its commit was made, and now has to say this.
    pub(crate) fn promise(&self, node: Node, promises: BTreeSet<Promise>) {
        if !promises.is_empty() {
            lock(&self.0.promises).insert(node, promises);
        }
    }

    /// A process publishes: it keeps what it promised, whatever becomes of the messages.
    pub(crate) fn keep_promises(&self, node: Node, messages: &[Message]) {
        let owed = lock(&self.0.promises).remove(&node).unwrap_or_default();
        let kept = |promise: &Promise| messages.iter().any(|message| promise.is_kept_by(message));
        if let Some(broken) = owed.iter().find(|promise| !kept(promise)) {
            let (law, what) = broken.broken();
            self.violate(law, what);
        }
    }
}
