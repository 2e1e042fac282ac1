//! An action that was read and is not yet known to be good.

use std::path::Path;

use serde_json::{Map, Value};

use steadfast_core::ActionRef;

use crate::definition::{Definition, Kind, WorkflowSpec};
use crate::fields::Fields;
use crate::metadata::{self, read_metadata};
use crate::problem::{Findings, Position, Problem};
use crate::workflow::{self, WorkflowFile, read_workflow};
use crate::yaml::Node;

/// An action, or a workflow whose tasks were not looked up yet, with what is wrong with it.
pub(super) struct Draft {
    pub(super) file: String,
    /// Where it says its name.
    pub(super) at: Position,
    /// Nothing if the file does not even say what it is.
    pub(super) definition: Option<Definition>,
    /// The graph, and the findings of the file that it stands in.
    pub(super) graph: Option<(WorkflowFile, Findings)>,
    pub(super) config: Value,
    pub(super) findings: Findings,
    /// Something that it is part of has errors: it is checked, and not used.
    pub(super) spoiled: bool,
}

impl Draft {
    pub(super) fn new(path: &Path) -> Self {
        let file = path.display().to_string();
        Self {
            findings: Findings::new(&file),
            file,
            at: Position::NOWHERE,
            definition: None,
            graph: None,
            config: Value::Object(Map::new()),
            spoiled: false,
        }
    }

    /// Reads a workflow that has its metadata and its graph in one file.
    pub(super) fn read_workflow(
        &mut self,
        node: &Node,
        read_ref: impl FnOnce(&Fields<'_>, &mut Findings) -> Option<ActionRef>,
    ) {
        let known = [metadata::KEYS, workflow::KEYS].concat();
        let findings = &mut self.findings;
        let Some(fields) = Fields::of(node, "the workflow", &known, findings) else { return };
        let action = read_ref(&fields, findings);
        self.at = fields.key_position("ref");
        let kind = Kind::Workflow(WorkflowSpec::default());
        // Even without a name, the rest is worth checking.
        let named = action.clone().unwrap_or_else(|| ActionRef::new("file.workflow"));
        let definition = read_metadata(&fields, named, kind, findings);
        let mut own = Findings::new(&self.file);
        let graph = read_workflow(&fields, &mut own);
        self.graph = Some((graph, own));
        self.definition = action.map(|_| definition);
    }

    pub(super) fn has_errors(&self) -> bool {
        let graph = self.graph.as_ref().map_or(0, |(_, findings)| findings.errors());
        self.definition.is_none() || self.spoiled || self.findings.errors() + graph > 0
    }

    /// Everything that is wrong with it.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let graph = self.graph.map(|(_, findings)| findings.into_problems());
        let mut problems = self.findings.into_problems();
        problems.extend(graph.unwrap_or_default());
        problems
    }
}
