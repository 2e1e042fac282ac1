//! What can be said about a graph without knowing the actions.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::TaskName;
use steadfast_core::workflow::{Join, Task};

use super::Reader;
use crate::problem::{Position, suggestion};

impl Reader<'_> {
    /// Checks the targets of transitions, joins, and that every task can be reached.
    pub(super) fn check_graph(&mut self, at: Position) {
        let names: BTreeSet<TaskName> = self.spots.keys().cloned().collect();
        let mut unknown = false;
        for (from, target, at) in std::mem::take(&mut self.targets) {
            if names.contains(&target) {
                continue;
            }
            unknown = true;
            let hint = suggestion(target.as_str(), names.iter().map(TaskName::as_str));
            let message = format!("task `{from}` leads to `{target}`, which is not a task{hint}");
            self.findings.error(at, message);
        }
        // With a target that is misspelt, what follows would complain of its consequences.
        if !unknown && !self.graph.tasks.is_empty() {
            let predecessors = self.predecessors();
            self.check_joins(&predecessors);
            self.check_reachable(at, &predecessors);
        }
    }

    /// The tasks that lead to each task. One pass: a file may have very many tasks.
    fn predecessors(&self) -> BTreeMap<TaskName, BTreeSet<TaskName>> {
        let mut leads: BTreeMap<TaskName, BTreeSet<TaskName>> = BTreeMap::new();
        for task in &self.graph.tasks {
            for target in task.next.iter().flat_map(|next| &next.go) {
                leads.entry(target.clone()).or_default().insert(task.name.clone());
            }
        }
        leads
    }

    fn check_joins(&mut self, predecessors: &BTreeMap<TaskName, BTreeSet<TaskName>>) {
        for task in &mut self.graph.tasks {
            let Some(join) = task.join else { continue };
            let name = &task.name;
            let count = predecessors.get(name).map_or(0, BTreeSet::len);
            let at = self.spots.get(name).map_or(Position::NOWHERE, |spot| spot.join);
            match join {
                Join::Count(wanted) if wanted as usize > count => {
                    let message = format!(
                        "task `{name}` joins {wanted} tasks, but only {count} lead to it; \
                         it could never start"
                    );
                    self.findings.error(at, message);
                }
                Join::All if count == 0 => {
                    let message =
                        format!("`join` of task `{name}` has no effect: no task leads to it");
                    self.findings.warning(at, message);
                    task.join = None;
                }
                Join::Count(_) | Join::All => {}
            }
        }
    }

    fn check_reachable(
        &mut self,
        at: Position,
        predecessors: &BTreeMap<TaskName, BTreeSet<TaskName>>,
    ) {
        let tasks: BTreeMap<&TaskName, &Task> =
            self.graph.tasks.iter().map(|task| (&task.name, task)).collect();
        let mut open: Vec<&TaskName> =
            tasks.keys().copied().filter(|name| !predecessors.contains_key(*name)).collect();
        if open.is_empty() {
            let message = "no task can start: another task leads to each; a run begins with the \
                           tasks that nothing leads to";
            self.findings.error(at, message);
            return;
        }
        let mut reached = BTreeSet::new();
        while let Some(name) = open.pop() {
            if reached.insert(name)
                && let Some(task) = tasks.get(name)
            {
                open.extend(task.next.iter().flat_map(|next| &next.go));
            }
        }
        for (name, spot) in self.spots.iter().filter(|(name, _)| !reached.contains(name)) {
            let message = format!(
                "task `{name}` is never reached: only tasks that are never reached lead to it"
            );
            self.findings.warning(spot.at, message);
        }
    }
}
