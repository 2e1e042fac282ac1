//! A workflow file that belongs to no pack.

use std::path::Path;

use steadfast_core::ActionRef;

use super::draft::Draft;
use super::pack::stem;
use super::{Catalog, disk};
use crate::definition::Definition;
use crate::fields::Fields;
use crate::metadata::check_ref;
use crate::problem::{Findings, Problem};
use crate::workflow::Resolution;
use crate::yaml;

/// Reads a workflow file that belongs to no pack, and needs no ref: without one it is
/// `file.NAME`. The second value are warnings.
///
/// # Errors
/// Every problem of the file, if any is an error.
pub fn load_standalone(
    file: &Path,
    catalog: &Catalog,
) -> Result<(Definition, Vec<Problem>), Vec<Problem>> {
    match disk::read(file) {
        Ok(bytes) => read_standalone(file, &bytes, catalog),
        Err(error) => {
            let message = format!("cannot be read: {}", disk::reason(&error));
            Err(vec![Problem::without_place(&file.display().to_string(), message)])
        }
    }
}

/// The same for a file that was read already; `file` is its name in messages.
///
/// # Errors
/// Every problem of the file, if any is an error.
pub fn read_standalone(
    file: &Path,
    bytes: &[u8],
    catalog: &Catalog,
) -> Result<(Definition, Vec<Problem>), Vec<Problem>> {
    let mut draft = Draft::new(file);
    if let Some(node) = yaml::parse(bytes, &mut draft.findings) {
        draft.read_workflow(&node, |fields, findings| read_ref(fields, file, findings));
    }
    let own = draft.definition.as_ref().map(|definition| definition.action.clone());
    if let (Some(own), Some((graph, findings))) = (&own, &mut draft.graph)
        && let Some((task, at)) = graph.runs(own)
    {
        let message = format!("task `{task}` makes the workflow run itself: {own} -> {own}");
        findings.error(at, message);
    }
    let first = |action: &ActionRef| (own.as_ref() == Some(action)).then_some(Resolution::Reported);
    let linked = catalog.link_draft(&mut draft, first);
    let mut problems = draft.into_problems();
    problems.sort();
    match linked {
        Some(definition) => Ok((definition, problems)),
        None => Err(problems),
    }
}

fn read_ref(fields: &Fields<'_>, file: &Path, findings: &mut Findings) -> Option<ActionRef> {
    let Some(node) = fields.node("ref") else {
        return Some(ActionRef::from(format!("file.{}", stem(file))));
    };
    match check_ref(fields.text("ref", findings)?) {
        Ok(action) => Some(action),
        Err(message) => {
            findings.error(node.at, message);
            None
        }
    }
}
