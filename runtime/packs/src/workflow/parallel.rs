//! `type: parallel`: tasks that start together, and one that waits for all of them.
//!
//! The core's graph has no such node, and needs none: every way into the `parallel` task leads to
//! the tasks inside it instead, and each of those leads to a task of the same name that joins
//! them, runs no process and fails if one of them did.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use steadfast_core::workflow::{Graph, Join, Task, Transition};
use steadfast_core::{ActionRef, TaskName};

use super::task::Inside;
use super::{Reader, Spot};
use crate::definition::{Definition, Kind, WorkflowSpec};
use crate::fields::Fields;
use crate::problem::Position;
use crate::schema::{Field, JsonType, Schema, Shape};
use crate::yaml::Data;

/// The action that waiting for a `parallel` task runs.
pub(crate) const GATHER: &str = "steadfast.gather";

/// Keys that make no sense on a `parallel` task.
const MEANINGLESS: &[&str] = &[
    "action",
    "workflow",
    "input",
    "with_items",
    "with",
    "batch_size",
    "concurrency",
    "retry",
    "timeout",
    "delay",
    "worker_selector",
];

/// Keys that make no sense on a task inside one.
const TRANSITIONS: &[&str] =
    &["next", "join", "on_success", "on_failure", "on_complete", "on_timeout", "decision"];

/// A workflow without tasks, whose result is what it was given, and which fails if some of it
/// failed. It is known by its hash and not listed.
pub(crate) fn gather() -> &'static Definition {
    static GATHERED: OnceLock<Definition> = OnceLock::new();
    GATHERED.get_or_init(|| {
        let results = "{{ parameters.results if not parameters.failed \
                       else fail(parameters.failed | join(', ') ~ ' did not succeed') }}";
        let graph = Graph {
            output_map: vec![("results".to_string(), Value::from(results))],
            max_task_visits: Graph::MAX_TASK_VISITS,
            ..Graph::default()
        };
        let spec = WorkflowSpec { graph, config: json!({}), ..WorkflowSpec::default() };
        let field = |name: &str, one: JsonType| Field {
            name: name.to_string(),
            required: true,
            shape: Shape { types: vec![one], ..Shape::default() },
            ..Field::default()
        };
        let fields = vec![field("results", JsonType::Object), field("failed", JsonType::Array)];
        let mut gather = Definition::new(GATHER, Kind::Workflow(spec));
        gather.parameters = Schema { fields, closed: true };
        gather
    })
}

impl Reader<'_> {
    pub(super) fn read_parallel(
        &mut self,
        fields: &Fields<'_>,
        name: &TaskName,
        at: Position,
        inside: Option<&Inside>,
    ) {
        for key in MEANINGLESS.iter().filter(|key| fields.node(key).is_some()) {
            let message = format!(
                "`{key}` of {} has no meaning with `type: parallel`; put it on a task inside",
                fields.what()
            );
            self.findings.error(fields.key_position(key), message);
        }
        let spot = Spot { at, action: at, join: at, input: None };
        self.spots.insert(name.clone(), spot);
        let (join, next) = match inside {
            None => (self.read_join(fields), self.read_next(fields, name)),
            Some(inside) => (inside.join, self.follow_to_gather(fields, inside)),
        };
        let children = Inside { gather: name.clone(), join };
        let members = self.read_members(fields, &children);
        let task = Task {
            name: name.clone(),
            action: ActionRef::new(GATHER),
            input: gather_input(&members),
            delay: Value::Null,
            retry: None,
            timeout: None,
            with_items: None,
            join: (!members.is_empty()).then_some(Join::All),
            next,
            worker_selector: std::collections::BTreeMap::new(),
        };
        self.graph.tasks.push(task);
        self.parallels.insert(name.clone(), members);
    }

    fn read_members(&mut self, fields: &Fields<'_>, inside: &Inside) -> Vec<TaskName> {
        let before = self.graph.tasks.len();
        match fields.node("tasks").map(|node| (node, &node.data)) {
            Some((_, Data::List(nodes))) if !nodes.is_empty() => {
                nodes.iter().for_each(|node| self.read_task(node, None, Some(inside)));
            }
            Some((_, Data::Map(tasks))) if !tasks.is_empty() => {
                tasks.iter().for_each(|(key, node)| self.read_task(node, Some(key), Some(inside)));
            }
            _ => {
                let message = format!("{} needs `tasks` with at least one task", fields.what());
                self.findings.error(fields.at, message);
            }
        }
        // The direct members are those that lead to this gather.
        let leads_here = |task: &&Task| task.next.iter().any(|n| n.go.contains(&inside.gather));
        let new = self.graph.tasks.iter().skip(before).filter(leads_here);
        new.map(|task| task.name.clone()).collect()
    }

    /// The transition that leads from a task inside a `parallel` one to its end.
    pub(super) fn follow_to_gather(
        &mut self,
        fields: &Fields<'_>,
        inside: &Inside,
    ) -> Vec<Transition> {
        let gather = &inside.gather;
        for key in TRANSITIONS.iter().filter(|key| fields.node(key).is_some()) {
            let message = format!(
                "`{key}` of {} has no meaning inside `type: parallel`; put it on `{gather}`",
                fields.what()
            );
            self.findings.error(fields.key_position(key), message);
        }
        let mut transitions = match fields.node("publish") {
            Some(_) => self.read_next(fields, gather),
            None => Vec::new(),
        };
        transitions.push(Transition { go: vec![gather.clone()], ..Transition::default() });
        transitions
    }

    /// Leads every way into a `parallel` task to the tasks inside it.
    pub(super) fn unfold_parallels(&mut self) {
        let members: std::collections::BTreeSet<TaskName> =
            self.parallels.values().flatten().cloned().collect();
        let parallels = self.parallels.clone();
        let unfold = |target: &TaskName| {
            let mut open = vec![target.clone()];
            let mut found = Vec::new();
            while let Some(name) = open.pop() {
                match parallels.get(&name) {
                    Some(inside) => open.extend(inside.iter().rev().cloned()),
                    None => found.push(name),
                }
            }
            found
        };
        for task in &mut self.graph.tasks {
            let is_member = members.contains(&task.name);
            for transition in &mut task.next {
                // A member's own way out is the one that must stay.
                let out = |go: &TaskName| {
                    is_member && parallels.get(go).is_some_and(|m| m.contains(&task.name))
                };
                let go = std::mem::take(&mut transition.go);
                let unfolded =
                    go.into_iter().flat_map(|go| if out(&go) { vec![go] } else { unfold(&go) });
                transition.go = unfolded.collect();
            }
        }
    }
}

/// What the members left, and which of them did not succeed.
fn gather_input(members: &[TaskName]) -> Value {
    let task = |name: &TaskName| {
        let name = name.as_str();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let plain = name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit());
        if plain { format!("task.{name}") } else { format!("task['{name}']") }
    };
    let results: Map<String, Value> = members
        .iter()
        .map(|name| (name.to_string(), Value::from(format!("{{{{ {}.result }}}}", task(name)))))
        .collect();
    let failed: Vec<String> = members
        .iter()
        .map(|name| format!("(['{name}'] if {}.status != 'completed' else [])", task(name)))
        .collect();
    let failed = format!("{{{{ {} }}}}", failed.join(" + "));
    json!({ "results": results, "failed": failed })
}
