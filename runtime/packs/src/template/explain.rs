//! What went wrong in a template, in words for its author.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::compile::Compiled;
use super::functions;
use super::scope::{NAMESPACES, World};
use crate::problem::suggestion;

/// Describes `error`, which evaluating `compiled` led to in the scope that is entered.
pub(super) fn error(compiled: &Compiled, error: &Error) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => undefined(compiled).unwrap_or_else(|| plain(error)),
        ErrorKind::OutOfFuel => "the template takes too many steps".to_string(),
        // Writing fails only where the output is bounded.
        ErrorKind::WriteFailure => "the text is longer than 16 MiB".to_string(),
        _ => plain(error),
    }
}

fn plain(error: &Error) -> String {
    let innermost = std::iter::successors(Some(error), |error| {
        std::error::Error::source(*error).and_then(|source| source.downcast_ref::<Error>())
    });
    let error = innermost.last().unwrap_or(error);
    match error.detail() {
        Some(detail) => detail.to_string(),
        None => error.kind().to_string(),
    }
}

/// The first of the names it reads that nothing is behind.
fn undefined(compiled: &Compiled) -> Option<String> {
    compiled.names().iter().find_map(|name| missing_part(name))
}

fn missing_part(name: &str) -> Option<String> {
    let mut so_far = String::new();
    let mut value = Value::from_object(World);
    for part in name.split('.') {
        let next = value.get_attr(part).ok().filter(|next| !next.is_undefined());
        match next {
            Some(next) => value = next,
            None if so_far.is_empty() && functions::is_known(part) => return None,
            None => return Some(describe(&so_far, part, &value)),
        }
        if !so_far.is_empty() {
            so_far.push('.');
        }
        so_far.push_str(part);
    }
    None
}

fn describe(parent: &str, part: &str, value: &Value) -> String {
    match (parent, part) {
        ("", "item" | "index") => {
            format!("`{part}` is known only in the input of a task with `with_items`")
        }
        ("", _) => {
            let known = NAMESPACES.iter().copied().chain(functions::names());
            format!("`{part}` is undefined{}", suggestion(part, known))
        }
        ("task" | "tasks", _) => format!("task `{part}` has not finished, or there is none"),
        _ => {
            let keys: Vec<String> =
                value.try_iter().into_iter().flatten().map(|key| key.to_string()).collect();
            let hint = suggestion(part, keys.iter().map(String::as_str));
            format!("`{parent}.{part}` is undefined{hint}")
        }
    }
}
