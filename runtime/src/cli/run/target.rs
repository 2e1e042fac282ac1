//! What `run` runs, and with which parameters.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use steadfast_runner::{Environment, Interpreter};
use steadfast_runtime::core::ActionRef;
use steadfast_runtime::packs::{
    Catalog, Definition, Kind, convert_argument, load_standalone, suggestion,
};

use crate::cli::arguments::Parameters;
use crate::cli::failure::Failure;
use crate::cli::setup;

/// What is run.
pub(crate) struct Target {
    /// The action, or the workflow of a file.
    pub(crate) definition: Arc<Definition>,
    /// The file, if it is one of its own.
    pub(crate) file: Option<String>,
}

impl Target {
    /// Finds what `text` names: a file if it looks like one, otherwise an action.
    ///
    /// # Errors
    /// If there is nothing of that name, or the file has errors.
    pub(crate) fn find(text: &str, catalog: &Catalog) -> Result<Self, Failure> {
        if looks_like_a_file(text) {
            let loaded = load_standalone(Path::new(text), catalog);
            let (definition, warnings) = loaded.map_err(|problems| Failure::problems(&problems))?;
            setup::report(warnings)?;
            return Ok(Self { definition: Arc::new(definition), file: Some(text.to_owned()) });
        }
        match catalog.get(&ActionRef::new(text)) {
            Some(definition) => Ok(Self { definition: Arc::clone(definition), file: None }),
            None => Err(Failure::usage(unknown(text, catalog))),
        }
    }

    /// One warning for each interpreter that is needed and missing.
    pub(crate) fn missing_interpreters(&self, catalog: &Catalog) -> Vec<String> {
        let environment = Environment::inherit();
        let mut needed = BTreeSet::new();
        collect(&self.definition, catalog, &mut needed, &mut BTreeSet::new());
        let missing = |(runtime, action): &(&'static str, String)| {
            let interpreter = Interpreter::named(runtime)?;
            let found = interpreter == Interpreter::Native
                || environment.interpreter(interpreter).is_some();
            (!found).then(|| lacks(action, interpreter))
        };
        needed.iter().filter_map(missing).collect()
    }
}

/// A file ends in .yaml or .yml or contains a slash.
pub(crate) fn looks_like_a_file(text: &str) -> bool {
    text.contains('/') || text.ends_with(".yaml") || text.ends_with(".yml")
}

fn lacks(action: &str, interpreter: Interpreter) -> String {
    let programs = interpreter.programs().join("` or `");
    let name = interpreter.name();
    format!("`{action}` has the runner_type {name}, and there is no `{programs}` on the PATH")
}

/// The runtimes of everything that a definition may run.
fn collect(
    definition: &Definition,
    catalog: &Catalog,
    needed: &mut BTreeSet<(&'static str, String)>,
    seen: &mut BTreeSet<String>,
) {
    if !seen.insert(definition.action.to_string()) {
        return;
    }
    match &definition.kind {
        Kind::Process(spec) => {
            needed.insert((spec.runtime.as_str(), definition.action.to_string()));
        }
        Kind::Workflow(workflow) => {
            for hash in workflow.actions.values() {
                if let Some(action) = catalog.by_hash(hash) {
                    collect(action, catalog, needed, seen);
                }
            }
        }
        Kind::Handler => {}
    }
}

fn unknown(text: &str, catalog: &Catalog) -> String {
    let names: Vec<&str> = catalog.iter().map(|definition| definition.action.as_str()).collect();
    let hint = suggestion(text, names.iter().copied());
    if names.is_empty() {
        return format!(
            "there is no action `{text}`: no packs are loaded; name one with --pack DIR"
        );
    }
    if hint.is_empty() {
        return format!(
            "there is no action `{text}` in the packs that are loaded; name its pack with --pack DIR, \
             or a workflow file by a path that ends in .yaml"
        );
    }
    format!("there is no action `{text}`{hint}")
}

/// The parameters of the command line, converted to what `definition` declares.
///
/// # Errors
/// If they cannot be read or converted.
pub(crate) fn parameters(asked: &Parameters, definition: &Definition) -> Result<Value, Failure> {
    let mut members = whole(asked)?;
    for pair in &asked.param {
        let (name, text) = split(pair)?;
        let value = convert_argument(definition, name, text)
            .map_err(|problem| Failure::usage(problem.to_string()))?;
        members.insert(name.to_owned(), value);
    }
    Ok(Value::Object(members))
}

/// `KEY=VALUE` in two.
///
/// # Errors
/// If there is no `=`, or nothing before it.
pub(crate) fn split(pair: &str) -> Result<(&str, &str), Failure> {
    match pair.split_once('=') {
        Some((name, text)) if !name.is_empty() => Ok((name, text)),
        // What was given may be a secret without its name.
        _ => Err(Failure::usage("a parameter is given as -p KEY=VALUE; one has no key or no `=`")),
    }
}

/// The object that `--params` gives.
///
/// # Errors
/// If it cannot be read, or is no JSON object.
pub(crate) fn whole(asked: &Parameters) -> Result<Map<String, Value>, Failure> {
    let Some(given) = &asked.params else { return Ok(Map::new()) };
    let (what, text) = match given.strip_prefix('@') {
        None => ("--params".to_owned(), given.clone()),
        Some("-") => ("standard input".to_owned(), read_standard_input()?),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("--params: the file {file} cannot be read: {error}"))
            })?;
            (file.to_owned(), text)
        }
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Failure::usage(format!(
            "{what} must be a JSON object, such as {{\"name\": \"value\"}}"
        ))),
        Err(error) => Err(Failure::usage(format!("{what} is not JSON: {error}"))),
    }
}

fn read_standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}
