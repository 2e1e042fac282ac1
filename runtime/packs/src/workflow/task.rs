//! One task of a workflow file.

use std::collections::BTreeMap;

use serde_json::Value;

use steadfast_core::workflow::{Join, Task, WithItems};
use steadfast_core::{ActionRef, TaskName};

use super::texts::Site;
use super::{Reader, Spot};
use crate::fields::{Fields, describe, read_retry};
use crate::problem::Position;
use crate::template::is_template;
use crate::yaml::{Data, Key, Node};

const KEYS: &[&str] = &[
    "name",
    "action",
    "input",
    "delay",
    "retry",
    "timeout",
    "with_items",
    "batch_size",
    "concurrency",
    "join",
    "next",
    "worker_selector",
    "description",
    "label",
    // Older keys.
    "type",
    "workflow",
    "tasks",
    "publish",
    "on_success",
    "on_failure",
    "on_complete",
    "on_timeout",
    "decision",
    "with",
    // Known, and refused.
    "when",
    "iterate_cache",
    "wait_for",
];

/// Keys of Attune that change what a task does and that this engine does not have. To go on
/// without them would run something else than what is written.
const REFUSED: &[(&str, &str)] = &[
    ("when", "put the condition on the transitions that lead to the task"),
    ("iterate_cache", "use `with_items` with a list"),
    ("wait_for", "this engine has no inquiries"),
];

/// What surrounds a task inside a `parallel` one.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    /// The task that waits for all of them.
    pub(super) gather: TaskName,
    /// The join of the `parallel` task, which each of them takes over.
    pub(super) join: Option<Join>,
}

impl Reader<'_> {
    pub(super) fn read_task(&mut self, node: &Node, key: Option<&Key>, inside: Option<&Inside>) {
        let known_name = key.map(|key| key.name.as_str());
        let name = known_name.or_else(|| node.member("name").and_then(Node::as_text));
        let what = name.map_or_else(|| "a task".to_string(), |name| format!("task `{name}`"));
        let Some(fields) = Fields::of(node, what, KEYS, self.findings) else { return };
        for (refused, instead) in REFUSED.iter().filter(|(key, _)| fields.node(key).is_some()) {
            let message = format!("`{refused}` of {} is not supported; {instead}", fields.what());
            self.findings.error(fields.key_position(refused), message);
        }
        let at = key.map_or(fields.at, |key| key.at);
        let Some(name) = self.read_name(&fields, known_name, at) else { return };
        let kind = fields.word("type", &["action", "parallel", "workflow"], self.findings);
        if kind == Some("parallel") {
            self.read_parallel(&fields, &name, at, inside);
            return;
        }
        if fields.node("tasks").is_some() {
            let message = format!("`tasks` of {} needs `type: parallel`", fields.what());
            self.findings.error(fields.key_position("tasks"), message);
        }
        let task = self.read_action_task(&fields, name, at, inside);
        self.graph.tasks.push(task);
    }

    fn read_name(
        &mut self,
        fields: &Fields<'_>,
        known: Option<&str>,
        at: Position,
    ) -> Option<TaskName> {
        let name = match known {
            Some(name) => name,
            None => match fields.words("name", self.findings) {
                Some(name) => return self.accept_name(&name, at),
                None => {
                    if fields.node("name").is_none() {
                        self.findings.error(at, "a task needs a `name`");
                    }
                    return None;
                }
            },
        };
        self.accept_name(name, at)
    }

    fn accept_name(&mut self, name: &str, at: Position) -> Option<TaskName> {
        let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        if name.is_empty() || name.len() > 255 || !name.chars().all(good) {
            let message = format!("`{name}` cannot name a task; use letters, digits and `_`");
            self.findings.error(at, message);
            return None;
        }
        let name = TaskName::new(name);
        if let Some(first) = self.spots.get(&name) {
            let line = first.at.line;
            let message = format!("a second task is named `{name}`; the first is in line {line}");
            self.findings.error(at, message);
            return None;
        }
        Some(name)
    }

    fn read_action_task(
        &mut self,
        fields: &Fields<'_>,
        name: TaskName,
        at: Position,
        inside: Option<&Inside>,
    ) -> Task {
        let with_items = self.read_with_items(fields);
        let site = if with_items.is_some() { Site::Item } else { Site::Task };
        let input = self.read_input(fields, site);
        let (join, next) = match inside {
            None => (self.read_join(fields), self.read_next(fields, &name)),
            Some(inside) => (inside.join, self.follow_to_gather(fields, inside)),
        };
        let action = self.read_action(fields);
        let spot = Spot {
            at,
            action: action.as_ref().map_or(at, |_| action_position(fields)),
            join: fields.node("join").map_or(at, |node| node.at),
            input: fields.node("input").cloned(),
        };
        self.spots.insert(name.clone(), spot);
        Task {
            name,
            action: action.unwrap_or_else(|| ActionRef::new("")),
            input,
            delay: self.read_delay(fields),
            retry: read_retry(fields, self.findings),
            timeout: fields.seconds("timeout", true, self.findings),
            with_items,
            join,
            next,
            worker_selector: self.read_selector(fields),
        }
    }

    fn read_action(&mut self, fields: &Fields<'_>) -> Option<ActionRef> {
        // `type: workflow` has the workflow under a key of its own or, as any task, under `action`.
        let key = if fields.node("action").is_none() { "workflow" } else { "action" };
        let Some(node) = fields.node(key) else {
            let message = format!("{} needs an `action`", fields.what());
            self.findings.error(fields.at, message);
            return None;
        };
        match node.as_text() {
            Some(text) if is_template(text) => {
                let message = format!("`{key}` of {} cannot be a template", fields.what());
                self.findings.error(node.at, message);
                None
            }
            Some(text) => Some(ActionRef::new(text)),
            None => {
                fields.wrong(key, node, "the ref of an action", self.findings);
                None
            }
        }
    }

    fn read_input(&mut self, fields: &Fields<'_>, site: Site) -> Value {
        let Some(node) = fields.node("input") else { return Value::Null };
        match &node.data {
            Data::Map(members) => {
                members.iter().for_each(|(key, node)| self.see(node, site, &key.name));
            }
            Data::Text(text) if is_template(text) => self.see(node, site, "input"),
            _ => fields.wrong("input", node, "a mapping", self.findings),
        }
        node.to_json()
    }

    fn read_delay(&mut self, fields: &Fields<'_>) -> Value {
        let Some(node) = fields.node("delay") else { return Value::Null };
        match &node.data {
            Data::Text(text) if is_template(text) => self.see(node, Site::Task, "delay"),
            _ => {
                fields.seconds("delay", false, self.findings);
            }
        }
        node.to_json()
    }

    fn read_with_items(&mut self, fields: &Fields<'_>) -> Option<Box<WithItems>> {
        let batch_size = fields.whole("batch_size", 1, self.findings);
        let mut concurrency = fields.whole("concurrency", 1, self.findings);
        let mut items = fields.node("with_items");
        let with = fields.node("with");
        if let Some(with @ Node { data: Data::Map(_), .. }) = with {
            let what = format!("`with` of {}", fields.what());
            let with = Fields::of(with, what, &["items", "concurrency"], self.findings)?;
            concurrency = concurrency.or(with.whole("concurrency", 1, self.findings));
            items = items.or(with.node("items"));
        } else {
            items = items.or(with);
        }
        let Some(node) = items else {
            for key in ["batch_size", "concurrency"] {
                if fields.node(key).is_some() {
                    let what = fields.what();
                    let message = format!("`{key}` of {what} has no effect without `with_items`");
                    self.findings.warning(fields.key_position(key), message);
                }
            }
            return None;
        };
        let is_list = match &node.data {
            Data::List(_) => true,
            Data::Text(text) => is_template(text),
            _ => false,
        };
        if !is_list {
            let (what, found) = (fields.what(), describe(node));
            let message =
                format!("`with_items` of {what} must be a list or a template for one, not {found}");
            self.findings.error(node.at, message);
        }
        self.see(node, Site::Task, "with_items");
        Some(Box::new(WithItems {
            items: node.to_json(),
            batch_size: batch_size.unwrap_or(1),
            concurrency: concurrency.unwrap_or(1),
        }))
    }

    pub(super) fn read_join(&mut self, fields: &Fields<'_>) -> Option<Join> {
        let node = fields.node("join")?;
        if node.as_text() == Some("all") {
            return Some(Join::All);
        }
        if let Data::Number(_) = node.data {
            return fields.whole("join", 1, self.findings).map(Join::Count);
        }
        fields.wrong("join", node, "`all` or a number of tasks", self.findings);
        None
    }

    fn read_selector(&mut self, fields: &Fields<'_>) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let Some(node) = fields.node("worker_selector") else { return labels };
        let Data::Map(members) = &node.data else {
            fields.wrong("worker_selector", node, "a mapping of labels", self.findings);
            return labels;
        };
        for (key, node) in members {
            let value = match &node.data {
                Data::Text(text) if !is_template(text) => text.clone(),
                Data::Number(_) | Data::Bool(_) => node.to_json().to_string(),
                _ => {
                    let (label, what) = (&key.name, fields.what());
                    let message = format!("label `{label}` of {what} must be plain text");
                    self.findings.error(node.at, message);
                    continue;
                }
            };
            labels.insert(key.name.clone(), value);
        }
        labels
    }
}

fn action_position(fields: &Fields<'_>) -> Position {
    let node = fields.node("action").or_else(|| fields.node("workflow"));
    node.map_or(fields.at, |node| node.at)
}
