//! Workflow files: from YAML, in the present dialect or with older keys, to the core's graph.

mod check;
mod link;
mod next;
mod parallel;
mod task;
mod texts;

use std::collections::BTreeMap;

use steadfast_core::workflow::{CancellationPolicy, Graph};
use steadfast_core::{ActionRef, TaskName};

use crate::fields::{Fields, json_pairs, pairs};
use crate::problem::{Findings, Position};
use crate::yaml::{Data, Node};

pub(crate) use link::{Resolution, link};
pub(crate) use parallel::{GATHER, gather};
use texts::{Site, Text};

/// The keys of a graph.
pub(crate) const KEYS: &[&str] =
    &["version", "vars", "tasks", "output_map", "cancellation_policy", "max_task_visits"];

/// A workflow as its file has it, not yet checked against the actions that it runs.
#[derive(Clone, Debug)]
pub(crate) struct WorkflowFile {
    pub(crate) graph: Graph,
    spots: BTreeMap<TaskName, Spot>,
    texts: Vec<Text>,
}

/// Where the parts of a task are.
#[derive(Clone, Debug)]
struct Spot {
    at: Position,
    action: Position,
    join: Position,
    input: Option<Node>,
}

impl WorkflowFile {
    /// What is left of a file that could not be read.
    pub(crate) fn empty() -> Self {
        Self { graph: Graph::default(), spots: BTreeMap::new(), texts: Vec::new() }
    }

    /// Where the first task is that runs `action`, and its name.
    pub(crate) fn runs(&self, action: &ActionRef) -> Option<(TaskName, Position)> {
        let task = self.graph.tasks.iter().find(|task| task.action == *action)?;
        Some((task.name.clone(), self.spots.get(&task.name)?.action))
    }
}

/// What is gathered while the tasks are read.
struct Reader<'f> {
    findings: &'f mut Findings,
    graph: Graph,
    spots: BTreeMap<TaskName, Spot>,
    texts: Vec<Text>,
    /// The tasks that transitions name, with the place where they do.
    targets: Vec<(TaskName, TaskName, Position)>,
    /// What stands in place of a `parallel` task: the tasks inside it.
    parallels: BTreeMap<TaskName, Vec<TaskName>>,
}

/// Reads the graph of `fields`. Whatever is wrong goes to `findings`.
pub(crate) fn read_workflow(fields: &Fields<'_>, findings: &mut Findings) -> WorkflowFile {
    let mut reader = Reader {
        findings,
        graph: Graph { max_task_visits: Graph::MAX_TASK_VISITS, ..Graph::default() },
        spots: BTreeMap::new(),
        texts: Vec::new(),
        targets: Vec::new(),
        parallels: BTreeMap::new(),
    };
    reader.read_settings(fields);
    reader.read_tasks(fields);
    reader.unfold_parallels();
    reader.check_graph(fields.at);
    let Reader { graph, spots, texts, .. } = reader;
    WorkflowFile { graph, spots, texts }
}

impl Reader<'_> {
    fn read_settings(&mut self, fields: &Fields<'_>) {
        if let Some(node) = fields.node("vars") {
            let vars = pairs(node, "`vars`", self.findings);
            vars.iter().for_each(|(name, node)| self.see(node, Site::Start, name));
            self.graph.vars = json_pairs(&vars);
        }
        if let Some(node) = fields.node("output_map") {
            let outputs = pairs(node, "`output_map`", self.findings);
            outputs.iter().for_each(|(name, node)| self.see(node, Site::End, name));
            self.graph.output_map = json_pairs(&outputs);
        }
        let policies = ["allow_finish", "cancel_running"];
        if fields.word("cancellation_policy", &policies, self.findings) == Some("allow_finish") {
            self.graph.cancellation = CancellationPolicy::AllowFinish;
        }
        if let Some(visits) = fields.whole("max_task_visits", 1, self.findings) {
            self.graph.max_task_visits = visits;
        }
    }

    fn read_tasks(&mut self, fields: &Fields<'_>) {
        let Some(node) = fields.node("tasks") else {
            let message = format!("{} has no tasks; it needs at least one", fields.what());
            self.findings.error(fields.at, message);
            return;
        };
        match &node.data {
            Data::List(tasks) if !tasks.is_empty() => {
                tasks.iter().for_each(|node| self.read_task(node, None, None));
            }
            // StackStorm's form: a mapping from names to tasks.
            Data::Map(tasks) if !tasks.is_empty() => {
                tasks.iter().for_each(|(key, node)| self.read_task(node, Some(key), None));
            }
            _ => fields.wrong("tasks", node, "a list with at least one task", self.findings),
        }
    }
}
