//! The templates of a workflow file: their syntax, and the names that they use.

use std::collections::BTreeSet;

use steadfast_core::TaskName;

use super::{Reader, WorkflowFile};
use crate::problem::{Findings, Position, suggestion};
use crate::schema::Schema;
use crate::template::{Compiled, NAMESPACES, function_names, is_function};
use crate::yaml::Node;

/// Where a template is evaluated, which decides what it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// Before any task.
    Start,
    /// Before a task starts.
    Task,
    /// For each item of a task.
    Item,
    /// After a task has ended.
    Next,
    /// After the last task.
    End,
}

/// A template and what it reads.
#[derive(Clone, Debug)]
pub(super) struct Text {
    at: Position,
    site: Site,
    /// What it is the value of.
    what: String,
    names: BTreeSet<String>,
}

impl Reader<'_> {
    /// Notes every template in `node`, the value of `what`.
    pub(super) fn see(&mut self, node: &Node, site: Site, what: &str) {
        let mut found = Vec::new();
        node.each_text(&mut |text, at| found.push((text.to_string(), at)));
        for (text, at) in found {
            if text.contains("<%") && text.contains("%>") {
                let message = format!("`{what}`: `<% %>` is not evaluated; write `{{{{ }}}}`");
                self.findings.warning(at, message);
            }
            let compiled = Compiled::template(&text);
            self.note(compiled, at, site, what);
        }
    }

    /// Notes a condition.
    pub(super) fn see_condition(&mut self, text: &str, at: Position) {
        let compiled = Compiled::condition(text);
        self.note(compiled, at, Site::Next, "when");
    }

    fn note(
        &mut self,
        compiled: Result<Compiled, crate::template::SyntaxError>,
        at: Position,
        site: Site,
        what: &str,
    ) {
        match compiled {
            Ok(Compiled::Literal) => {}
            Ok(compiled) => {
                let names = compiled.names();
                self.texts.push(Text { at, site, what: what.to_string(), names });
            }
            Err(error) => {
                let at = Position { line: at.line + error.line, ..at };
                self.findings.error(at, format!("template of `{what}`: {}", error.message));
            }
        }
    }
}

/// Warns of names that are certain to be undefined.
pub(super) fn check_names(file: &WorkflowFile, parameters: &Schema, findings: &mut Findings) {
    let names = Names::of(file, parameters);
    for text in &file.texts {
        for name in &text.names {
            if let Some(message) = names.complaint(name, text.site) {
                findings.warning(text.at, format!("template of `{}`: {message}", text.what));
            }
        }
    }
}

/// What is defined in a workflow.
struct Names<'a> {
    vars: BTreeSet<&'a str>,
    parameters: BTreeSet<&'a str>,
    tasks: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(file: &'a WorkflowFile, parameters: &'a Schema) -> Self {
        let graph = &file.graph;
        let published = graph.tasks.iter().flat_map(|task| &task.next).flat_map(|n| &n.publish);
        let vars = graph.vars.iter().chain(published).map(|(name, _)| name.as_str()).collect();
        let parameters = parameters.fields.iter().map(|field| field.name.as_str()).collect();
        let tasks = graph.tasks.iter().map(|task| TaskName::as_str(&task.name)).collect();
        Self { vars, parameters, tasks }
    }

    fn complaint(&self, name: &str, site: Site) -> Option<String> {
        let mut parts = name.split('.');
        let (first, second) = (parts.next()?, parts.next());
        let among = |known: &BTreeSet<&str>, what: &str| {
            let second = second.filter(|second| !known.contains(second))?;
            let hint = suggestion(second, known.iter().copied());
            Some(format!("there is no {what} `{second}`{hint}"))
        };
        match first {
            "item" | "index" if site != Site::Item => {
                Some(format!("`{first}` is known only in the input of a task with `with_items`"))
            }
            "succeeded" | "failed" | "timed_out" | "completed" | "cancelled" | "result"
                if site != Site::Next =>
            {
                Some(format!("`{first}()` is known only in `next`"))
            }
            "workflow" | "vars" | "variables" => among(&self.vars, "variable"),
            "task" | "tasks" if site == Site::Start => {
                Some("no task has finished when the variables are set".to_string())
            }
            "task" | "tasks" => among(&self.tasks, "task"),
            "parameters" => among(&self.parameters, "parameter"),
            _ if NAMESPACES.contains(&first) || is_function(first) => None,
            _ if self.vars.contains(first) || self.parameters.contains(first) => None,
            _ => {
                let known = NAMESPACES.iter().copied().chain(function_names());
                Some(format!("`{first}` is not defined{}", suggestion(first, known)))
            }
        }
    }
}
