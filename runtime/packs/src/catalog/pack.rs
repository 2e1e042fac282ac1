//! One pack: its own file, and the drafts of its actions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use steadfast_core::ActionRef;

use super::disk;
use super::draft::Draft;
use crate::definition::{
    Kind, OutputFormat, ParameterDelivery, ParameterFormat, ProcessSpec, RuntimeKind,
};
use crate::fields::Fields;
use crate::metadata::{self, check_ref, read_metadata};
use crate::problem::{Findings, Position, Problem};
use crate::schema::{Schema, check_member, read_schema};
use crate::workflow::{self, WorkflowFile, read_workflow};
use crate::yaml::{Data, Node};

/// The keys of `pack.yaml`. Those that concern neither actions nor workflows are for people and
/// other programs.
const KEYS: &[&str] = &[
    "ref",
    "label",
    "description",
    "version",
    "config",
    "conf_schema",
    "enabled",
    "name",
    "author",
    "email",
    "system",
    "meta",
    "tags",
    "keywords",
    "runtime_deps",
    "dependencies",
    "testing",
    "contributors",
    "license",
    "homepage",
    "repository",
    "documentation",
];
const ACTION_KEYS: &[&str] = &[
    "runner_type",
    "entry_point",
    "workflow_file",
    "parameter_delivery",
    "parameter_format",
    "output_format",
];
/// Parts of an Attune pack that only Attune runs.
const FOREIGN: &[&str] = &["sensors", "triggers", "rules"];

/// A pack that is being read.
pub(super) struct Pack {
    /// Its directory as the user named it.
    shown: PathBuf,
    /// Where that really is.
    dir: PathBuf,
    pub(super) name: String,
    config: Value,
    enabled: bool,
    pub(super) file: String,
    pub(super) findings: Findings,
}

impl Pack {
    /// Reads `dir/pack.yaml`.
    pub(super) fn read(shown: &Path) -> Result<Self, Vec<Problem>> {
        let path = shown.join("pack.yaml");
        let file = path.display().to_string();
        let mut findings = Findings::new(&file);
        let Some(node) = disk::read_yaml(&path, &mut findings) else {
            return Err(findings.into_problems());
        };
        let dir = match disk::real(shown) {
            Ok(dir) if dir.to_str().is_some() => dir,
            _ => {
                findings.error(Position::NOWHERE, "the path of the pack is not UTF-8 text");
                return Err(findings.into_problems());
            }
        };
        let Some(fields) = Fields::of(&node, "the pack", KEYS, &mut findings) else {
            return Err(findings.into_problems());
        };
        let name = read_name(&fields, shown, &mut findings);
        let config = read_config(&fields, &mut findings);
        let enabled = fields.flag("enabled", &mut findings).unwrap_or(true);
        for key in ["label", "description", "version"] {
            fields.words(key, &mut findings);
        }
        for foreign in FOREIGN {
            let count = disk::yaml_files(&shown.join(foreign)).len();
            if count > 0 {
                let files = if count == 1 { "file" } else { "files" };
                let message =
                    format!("{foreign}/ has {count} {files}, which this engine does not run");
                findings.warning(Position::NOWHERE, message);
            }
        }
        Ok(Self { shown: shown.to_path_buf(), dir, name, config, enabled, file, findings })
    }

    /// Reads its actions and workflows.
    pub(super) fn drafts(&self) -> Vec<Draft> {
        let mut drafts = Vec::new();
        let mut graphs = BTreeSet::new();
        for path in disk::yaml_files(&self.shown.join("actions")) {
            drafts.push(self.read_action(&path, &mut graphs));
        }
        for path in disk::yaml_files(&self.shown.join("workflows")) {
            // One that an action names as its graph is no workflow of its own.
            if disk::real(&path).is_ok_and(|real| !graphs.contains(&real)) {
                drafts.push(self.read_standalone(&path));
            }
        }
        for draft in &mut drafts {
            if let Some(definition) = &mut draft.definition {
                definition.enabled &= self.enabled;
            }
        }
        drafts
    }

    fn read_action(&self, path: &Path, graphs: &mut BTreeSet<PathBuf>) -> Draft {
        let mut draft = Draft::new(path);
        let Some(node) = disk::read_yaml(path, &mut draft.findings) else { return draft };
        let known = [metadata::KEYS, ACTION_KEYS].concat();
        let findings = &mut draft.findings;
        let Some(fields) = Fields::of(&node, "the action", &known, findings) else {
            return draft;
        };
        let Some(action) = self.read_ref(&fields, path, findings) else { return draft };
        draft.at = fields.key_position("ref");
        if fields.node("workflow_file").is_some() {
            let kind = Kind::Workflow(crate::definition::WorkflowSpec::default());
            let definition = read_metadata(&fields, action, kind, findings);
            draft.graph = self.read_graph(&fields, path, findings, graphs);
            draft.config = self.config.clone();
            draft.definition = Some(definition);
        } else {
            let process = self.read_process(&fields, path, findings);
            let kind = process.map_or(Kind::Handler, Kind::Process);
            draft.definition = Some(read_metadata(&fields, action, kind, findings));
        }
        draft
    }

    fn read_standalone(&self, path: &Path) -> Draft {
        let mut draft = Draft::new(path);
        let Some(node) = disk::read_yaml(path, &mut draft.findings) else { return draft };
        let read_ref =
            |fields: &Fields<'_>, findings: &mut Findings| self.read_ref(fields, path, findings);
        draft.read_workflow(&node, read_ref);
        draft.config = self.config.clone();
        draft
    }

    /// The ref of an action, which begins with the pack's own.
    fn read_ref(
        &self,
        fields: &Fields<'_>,
        path: &Path,
        findings: &mut Findings,
    ) -> Option<ActionRef> {
        let pack = &self.name;
        let Some(node) = fields.node("ref") else {
            let name = format!("{pack}.{}", stem(path));
            let message = format!("{} has no `ref`; it is taken to be `{name}`", fields.what());
            findings.warning(fields.at, message);
            return Some(ActionRef::from(name));
        };
        let text = fields.text("ref", findings)?;
        match check_ref(text) {
            Ok(action) if text.split('.').next() == Some(pack) => Some(action),
            Ok(_) => {
                let message = format!("`{text}` must begin with the ref of its pack: `{pack}.`");
                findings.error(node.at, message);
                None
            }
            Err(message) => {
                findings.error(node.at, message);
                None
            }
        }
    }

    /// Reads the graph of an action that is a workflow.
    fn read_graph(
        &self,
        fields: &Fields<'_>,
        action_file: &Path,
        findings: &mut Findings,
        graphs: &mut BTreeSet<PathBuf>,
    ) -> Option<(WorkflowFile, Findings)> {
        for key in ACTION_KEYS.iter().filter(|key| **key != "workflow_file") {
            if fields.node(key).is_some() {
                let message = format!("`{key}` has no effect beside `workflow_file`");
                findings.warning(fields.key_position(key), message);
            }
        }
        let name = fields.text("workflow_file", findings)?;
        let at = fields.node("workflow_file").map_or(fields.at, |node| node.at);
        let path = action_file.parent().unwrap_or(&self.shown).join(name);
        match disk::inside(&self.dir, &path) {
            Ok(real) => graphs.insert(real),
            Err(why) => {
                findings.error(at, format!("`workflow_file` names `{name}`, {why}"));
                return None;
            }
        };
        let mut own = Findings::new(&path.display().to_string());
        let graph = disk::read_yaml(&path, &mut own).and_then(|node| {
            let known = [metadata::KEYS, workflow::KEYS].concat();
            let graph = Fields::of(&node, "the workflow", &known, &mut own)?;
            for key in metadata::KEYS.iter().filter(|key| graph.node(key).is_some()) {
                let message =
                    format!("`{key}` has no effect here; it belongs to the action's file");
                own.warning(graph.key_position(key), message);
            }
            Some(read_workflow(&graph, &mut own))
        });
        // Without a graph there still are problems to report.
        Some((graph.unwrap_or_else(WorkflowFile::empty), own))
    }

    fn read_process(
        &self,
        fields: &Fields<'_>,
        action_file: &Path,
        findings: &mut Findings,
    ) -> Option<ProcessSpec> {
        if fields.node("runner_type").is_none() {
            let words = RuntimeKind::WORDS.join(", ");
            let message = format!(
                "the action needs `runner_type`, one of {words}, or \
                                   `workflow_file`"
            );
            findings.error(fields.at, message);
        }
        let runtime = fields
            .word("runner_type", RuntimeKind::WORDS, findings)
            .and_then(RuntimeKind::from_word);
        let entry_point = self.read_entry_point(fields, action_file, runtime, findings);
        let delivery = fields.word("parameter_delivery", ParameterDelivery::WORDS, findings);
        let format = fields.word("parameter_format", ParameterFormat::WORDS, findings);
        let output = fields.word("output_format", OutputFormat::WORDS, findings);
        Some(ProcessSpec {
            runtime: runtime?,
            pack_dir: self.dir.to_str()?.to_string(),
            entry_point: entry_point?,
            parameter_delivery: delivery
                .and_then(ParameterDelivery::from_word)
                .unwrap_or(ParameterDelivery::Stdin),
            parameter_format: format
                .and_then(ParameterFormat::from_word)
                .unwrap_or(ParameterFormat::Json),
            output_format: output.and_then(OutputFormat::from_word).unwrap_or(OutputFormat::Text),
        })
    }

    /// The entry point, relative to the pack.
    fn read_entry_point(
        &self,
        fields: &Fields<'_>,
        action_file: &Path,
        runtime: Option<RuntimeKind>,
        findings: &mut Findings,
    ) -> Option<String> {
        let Some(node) = fields.node("entry_point") else {
            let message = "the action needs `entry_point`, a file beside it";
            findings.error(fields.at, message);
            return None;
        };
        let name = fields.text("entry_point", findings)?;
        let path = action_file.parent().unwrap_or(&self.shown).join(name);
        let real = match disk::inside(&self.dir, &path) {
            Ok(real) => real,
            Err(why) => {
                findings.error(node.at, format!("`entry_point` names `{name}`, {why}"));
                return None;
            }
        };
        if runtime == Some(RuntimeKind::Native) && !disk::is_executable(&real) {
            let message = format!(
                "`entry_point` names `{name}`, which is not executable; \
                                   `chmod +x` it"
            );
            findings.error(node.at, message);
        }
        let relative = real.strip_prefix(&self.dir).ok().and_then(Path::to_str);
        if relative.is_none() {
            findings.error(node.at, format!("the path of `{name}` is not UTF-8 text"));
        }
        relative.map(str::to_string)
    }
}

fn read_name(fields: &Fields<'_>, dir: &Path, findings: &mut Findings) -> String {
    let fallback = dir.file_name().and_then(|name| name.to_str()).unwrap_or("pack").to_string();
    let Some(node) = fields.node("ref") else {
        findings.error(fields.at, "the pack has no `ref`");
        return fallback;
    };
    let Some(name) = fields.text("ref", findings) else { return fallback };
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(good) {
        let message = format!("`{name}` cannot name a pack; use letters, digits, `_` and `-`");
        findings.error(node.at, message);
    }
    name.to_string()
}

/// The configuration: what the pack sets, and the defaults of its schema.
fn read_config(fields: &Fields<'_>, findings: &mut Findings) -> Value {
    let schema = match fields.node("conf_schema") {
        Some(node) => read_schema(node, "setting", findings),
        None => Schema::default(),
    };
    let node = fields.node("config");
    let mut config = match node.map(|node| &node.data) {
        None => Map::new(),
        Some(Data::Map(_)) => match node.map(Node::to_json) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        },
        Some(_) => {
            if let Some(node) = node {
                fields.wrong("config", node, "a mapping", findings);
            }
            Map::new()
        }
    };
    for field in &schema.fields {
        match config.get(&field.name) {
            Some(value) => {
                let member = node.and_then(|node| node.member(&field.name));
                let at = member.map_or(fields.at, |node| node.at);
                for problem in check_member(field, value) {
                    findings.error(at, format!("config: {problem}"));
                }
            }
            None => {
                if let Some(default) = &field.default {
                    config.insert(field.name.clone(), default.clone());
                }
            }
        }
    }
    Value::Object(config)
}

/// The name of a file without `.yaml` and `.workflow`.
pub(super) fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_default();
    let stem = stem.strip_suffix(".workflow").unwrap_or(&stem);
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    stem.chars().map(word).collect()
}
