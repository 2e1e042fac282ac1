//! What may go when its retention has ended.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::Snapshot;
use crate::effect::Effect;
use crate::execution::Execution;
use crate::id::ExecutionId;
use crate::time::Timestamp;

impl Snapshot {
    /// The executions that nothing needs any more: each belongs to no run, or to one that goes with
    /// it; all of the tree are over, none of its runs is open, and its root ended before `before`.
    #[must_use]
    pub fn may_be_dropped(&self, before: Timestamp) -> BTreeSet<ExecutionId> {
        let is_old = |e: &&Execution| e.place.is_none() && e.ended_at.is_some_and(|at| at < before);
        let roots = self.executions.iter().filter(is_old);
        roots.filter_map(|root| self.tree_that_is_over(root.id)).flatten().collect()
    }

    /// An execution with all that belongs to it, if all of that is over.
    fn tree_that_is_over(&self, root: ExecutionId) -> Option<Vec<ExecutionId>> {
        let mut tree = Vec::new();
        let mut next = vec![root];
        while let Some(id) = next.pop() {
            let over = self.execution(id).is_some_and(|e| e.status.is_terminal());
            if !over || self.runs.get(&id).is_some_and(|run| run.open) {
                return None;
            }
            tree.push(id);
            next.extend(self.executions.children(id).map(|child| child.id));
        }
        Some(tree)
    }

    /// Lets go of executions and of everything that belongs to them, whatever still needs it.
    pub fn drop_executions(&mut self, gone: &BTreeSet<ExecutionId>) {
        gone.iter().for_each(|id| self.executions.remove(*id));
        self.parameters.retain(|id, _| !gone.contains(id));
        self.results.retain(|id, _| !gone.contains(id));
        self.runs.retain(|id, _| !gone.contains(id));
        self.visits.retain(|key, _| !gone.contains(&key.run));
        self.items.retain(|(key, _), _| !gone.contains(&key.run));
        // One that is still to be delivered has all that it tells, and goes when that is over.
        let executions = &self.executions;
        let stays = |effect: &Effect| {
            !effect.state.is_over() || executions.get(effect.key.execution).is_some()
        };
        self.effects.retain(|_, effect| stays(effect));
    }
}
