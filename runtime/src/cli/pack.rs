//! `pack check`: everything that is wrong with packs.

use std::path::{Path, PathBuf};

use serde_json::json;
use steadfast_runtime::packs::{Catalog, Problem, Sources};

use super::Setting;
use super::arguments::Pack;
use super::failure::{Code, Failure};
use crate::output::show;

/// Does what `verb` says.
pub(crate) fn pack(verb: Pack, setting: &Setting) -> Result<Code, Failure> {
    let Pack::Check { directories } = verb;
    let (catalog, problems) = Catalog::load(&sources(&directories));
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    let actions = catalog.iter().count();
    let value = json!({
        "actions": actions,
        "errors": errors,
        "warnings": warnings,
        "problems": problems,
    });
    let text = setting.format.render(&value, || lines(&problems));
    show(&text).map_err(|error| Failure::cannot_write(&error))?;
    if errors > 0 {
        let advice = "correct the files at the lines given";
        return Err(Failure::usage(format!("{}; {advice}", counted(errors, warnings))));
    }
    eprintln!("{}, {}", plural(actions, "action"), counted(errors, warnings));
    Ok(Code::Done)
}

/// A directory with a `pack.yaml` is a pack, another one may hold some.
fn sources(directories: &[PathBuf]) -> Sources {
    let holds_packs = |directory: &Path| {
        let mut inside = std::fs::read_dir(directory).into_iter().flatten().flatten();
        !directory.join("pack.yaml").exists()
            && inside.any(|entry| entry.path().join("pack.yaml").exists())
    };
    let (search, packs) =
        directories.iter().cloned().partition(|directory| holds_packs(directory.as_path()));
    Sources { search, packs }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn counted(errors: usize, warnings: usize) -> String {
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

fn plural(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
