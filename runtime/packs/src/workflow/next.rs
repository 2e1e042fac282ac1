//! What follows a task: `next`, and the older keys that mean the same.

use serde_json::Value;

use steadfast_core::TaskName;
use steadfast_core::workflow::Transition;

use super::Reader;
use super::texts::Site;
use crate::fields::{Fields, json_pairs, pairs};
use crate::yaml::{Data, Node};

/// The older keys for a transition, in the order in which they are evaluated, with the condition
/// that each stands for.
const OLDER: &[(&str, Option<&str>)] = &[
    ("on_success", Some("succeeded()")),
    ("on_failure", Some("failed()")),
    ("on_complete", None),
    ("on_timeout", Some("timed_out()")),
];

impl Reader<'_> {
    /// Reads what follows the task `name`.
    pub(super) fn read_next(&mut self, fields: &Fields<'_>, name: &TaskName) -> Vec<Transition> {
        let mut transitions = Vec::new();
        // Of the task as a whole: set before anything that follows is looked at.
        if let Some(node) = fields.node("publish") {
            let publish = self.read_publish(node, fields.what());
            let when = Some("succeeded()".to_string());
            transitions.push(Transition { when, publish, go: Vec::new() });
        }
        if let Some(node) = fields.node("next") {
            self.refuse_older(fields);
            self.read_transitions(node, name, &mut transitions);
            return transitions;
        }
        for (key, condition) in OLDER {
            if let Some(node) = fields.node(key) {
                self.read_older(key, node, *condition, name, &mut transitions);
            }
        }
        if let Some(node) = fields.node("decision") {
            self.read_decision(node, fields, name, &mut transitions);
        }
        transitions
    }

    fn refuse_older(&mut self, fields: &Fields<'_>) {
        let older = OLDER.iter().map(|(key, _)| *key).chain(["decision"]);
        for key in older.filter(|key| fields.node(key).is_some()) {
            let message = format!("`{key}` of {} has no effect beside `next`", fields.what());
            self.findings.warning(fields.key_position(key), message);
        }
    }

    fn read_transitions(&mut self, node: &Node, name: &TaskName, into: &mut Vec<Transition>) {
        match &node.data {
            Data::List(nodes) => {
                nodes.iter().for_each(|node| into.extend(self.read_transition(node, name, None)));
            }
            Data::Map(_) => into.extend(self.read_transition(node, name, None)),
            _ => {
                let message = format!(
                    "`next` of task `{name}` must be a list of transitions such as \
                     `- do: [other]`, not {}",
                    node.kind()
                );
                self.findings.error(node.at, message);
            }
        }
    }

    /// One transition; `also` is a condition that holds in addition to its own.
    fn read_transition(
        &mut self,
        node: &Node,
        name: &TaskName,
        also: Option<&str>,
    ) -> Option<Transition> {
        let what = format!("a transition of task `{name}`");
        let keys: &[&str] = match also {
            None => &["when", "publish", "do"],
            Some(_) => &["when", "publish", "do", "next"],
        };
        let fields = Fields::of(node, what, keys, self.findings)?;
        let when = self.read_when(&fields);
        let when = match (also.filter(|also| !also.is_empty()), when) {
            (Some(also), Some(when)) => Some(format!("{also} and ({})", bare(&when))),
            (also, when) => when.or_else(|| also.map(str::to_string)),
        };
        let publish = match fields.node("publish") {
            Some(node) => self.read_publish(node, fields.what()),
            None => Vec::new(),
        };
        let mut go = Vec::new();
        for key in ["do", "next"] {
            if let Some(node) = fields.node(key) {
                self.read_targets(key, node, name, &mut go);
            }
        }
        Some(Transition { when, publish, go })
    }

    fn read_when(&mut self, fields: &Fields<'_>) -> Option<String> {
        let node = fields.node("when")?;
        match &node.data {
            Data::Text(text) => {
                self.see_condition(text, node.at);
                Some(text.trim().to_string())
            }
            Data::Bool(flag) => Some(flag.to_string()),
            _ => {
                fields.wrong("when", node, "an expression", self.findings);
                None
            }
        }
    }

    /// A mapping, a list of mappings, or in that list a bare name, which gets the whole result.
    fn read_publish(&mut self, node: &Node, what: &str) -> Vec<(String, Value)> {
        let mut published = Vec::new();
        let nodes = match &node.data {
            Data::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for node in nodes {
            if let Some(name) = node.as_text() {
                published.push((name.to_string(), Value::from("{{ result() }}")));
                continue;
            }
            let found = pairs(node, &format!("`publish` of {what}"), self.findings);
            found.iter().for_each(|(name, node)| self.see(node, Site::Next, name));
            published.extend(json_pairs(&found));
        }
        published
    }

    /// The names of tasks: one, several with commas between them, or a list.
    fn read_targets(&mut self, key: &str, node: &Node, from: &TaskName, go: &mut Vec<TaskName>) {
        let nodes = match &node.data {
            Data::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for node in nodes {
            let Some(text) = node.as_text() else {
                let message = format!(
                    "`{key}` of task `{from}` must name a task, or be a list of names, not {}",
                    node.kind()
                );
                self.findings.error(node.at, message);
                continue;
            };
            for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let target = TaskName::new(name);
                if go.contains(&target) {
                    let message = format!("`{key}` of task `{from}` names `{name}` twice");
                    self.findings.warning(node.at, message);
                }
                self.targets.push((from.clone(), target.clone(), node.at));
                go.push(target);
            }
        }
    }

    /// `on_success: other`, or a list of names or of transitions.
    fn read_older(
        &mut self,
        key: &str,
        node: &Node,
        condition: Option<&str>,
        name: &TaskName,
        into: &mut Vec<Transition>,
    ) {
        let nodes = match &node.data {
            Data::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut go = Vec::new();
        for node in nodes {
            if let Data::Map(_) = node.data {
                let also = Some(condition.unwrap_or_default());
                into.extend(self.read_transition(node, name, also).map(without_empty_condition));
            } else {
                self.read_targets(key, node, name, &mut go);
            }
        }
        if !go.is_empty() {
            let when = condition.map(str::to_string);
            into.push(Transition { when, publish: Vec::new(), go });
        }
    }

    /// Branches with a condition each, and a default for when none of them holds.
    fn read_decision(
        &mut self,
        node: &Node,
        fields: &Fields<'_>,
        name: &TaskName,
        into: &mut Vec<Transition>,
    ) {
        let Data::List(branches) = &node.data else {
            fields.wrong("decision", node, "a list of branches", self.findings);
            return;
        };
        let what = format!("a branch of task `{name}`");
        let mut conditions: Vec<String> = Vec::new();
        let mut default = Vec::new();
        for node in branches {
            let keys = &["when", "next", "default"];
            let Some(branch) = Fields::of(node, what.as_str(), keys, self.findings) else {
                continue;
            };
            let when = self.read_when(&branch);
            let mut go = Vec::new();
            if let Some(node) = branch.node("next") {
                self.read_targets("next", node, name, &mut go);
            }
            // Either a flag beside `next`, or the task itself.
            if let Some(node @ Node { data: Data::Text(_), .. }) = branch.node("default") {
                self.read_targets("default", node, name, &mut go);
            } else {
                branch.flag("default", self.findings);
            }
            if go.is_empty() {
                self.findings.error(branch.at, format!("{what} leads nowhere; it needs `next`"));
            }
            match when {
                Some(when) => {
                    conditions.push(format!("({})", bare(&when)));
                    into.push(Transition { when: Some(when), publish: Vec::new(), go });
                }
                None => default.extend(go),
            }
        }
        if !default.is_empty() {
            let none = format!("not ({})", conditions.join(" or "));
            let when = (!conditions.is_empty()).then_some(none);
            into.push(Transition { when, publish: Vec::new(), go: default });
        }
    }
}

fn without_empty_condition(mut transition: Transition) -> Transition {
    transition.when = transition.when.filter(|when| !when.is_empty());
    transition
}

/// A condition without its braces.
fn bare(condition: &str) -> &str {
    let inside = condition.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inside.map_or(condition, str::trim)
}
