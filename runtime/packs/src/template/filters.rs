//! The filters that a template names. minijinja looks them up when they are reached, which may be
//! never in a test and at night in production.

use super::compile::SyntaxError;
use super::functions::environment;
use crate::problem::suggestion;

/// Filters that people use, to suggest one for a misspelt word.
const COMMON: &[&str] = &[
    "abs",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Finds the first filter in `text` that there is not. `bare` text is one expression; in other
/// text, only what stands in `{{ }}` and `{% %}` is looked at.
pub(super) fn check(text: &str, bare: bool) -> Result<(), SyntaxError> {
    // What stands in a raw block only looks like a template.
    if !bare && text.contains("endraw") {
        return Ok(());
    }
    let mut line = 0;
    let mut inside = bare;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '\n' {
            line += 1;
        }
        let step = if !inside {
            inside = rest.starts_with("{{") || rest.starts_with("{%");
            comment(rest).unwrap_or(first.len_utf8())
        } else if first == '"' || first == '\'' {
            quoted(rest, first)
        } else {
            inside = bare || !(rest.starts_with("}}") || rest.starts_with("%}"));
            if first == '|' {
                check_name(rest.get(1..).unwrap_or_default(), line)?;
            }
            first.len_utf8()
        };
        let skipped = rest.get(..step).unwrap_or(rest);
        line += u32::from(step > 1) * count_lines(skipped);
        rest = rest.get(step..).unwrap_or_default();
    }
    Ok(())
}

fn count_lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(0)
}

/// The length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    text.starts_with("{#").then(|| text.find("#}").map_or(text.len(), |end| end + 2))
}

/// The length of the quoted word that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return index + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn check_name(after: &str, line: u32) -> Result<(), SyntaxError> {
    let after = after.trim_start();
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
    let name = after.get(..end).unwrap_or_default();
    if name.is_empty() || exists(name) {
        return Ok(());
    }
    let hint = suggestion(name, COMMON.iter().copied());
    Err(SyntaxError { message: format!("there is no filter `{name}`{hint}"), line })
}

fn exists(name: &str) -> bool {
    COMMON.contains(&name) || {
        let asked = environment().compile_expression_owned(format!("'{name}' is filter"));
        asked.and_then(|asked| asked.eval(())).is_ok_and(|answer| answer.is_true())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_filters_exist() {
        for name in COMMON {
            let asked = environment().compile_expression_owned(format!("'{name}' is filter"));
            let answer = asked.and_then(|asked| asked.eval(())).expect("an answer");
            assert!(answer.is_true(), "{name}");
        }
    }

    #[test]
    fn filters_are_found_only_where_there_are_any() {
        let table = [
            ("a | nope {{ b | upper }} | nope", false, None),
            ("{{ 'x|nope' | upper | d }} {# | nope #} {{ \"\\\"|nope\" }}", false, None),
            ("a or (b|uper)", true, Some((0, "there is no filter `uper`; did you mean `upper`?"))),
            ("x\n{% if a\n|nope %}{% endif %}", false, Some((2, "there is no filter `nope`"))),
            ("{{ '\n\n' }}\n{{ é|nope }}", false, Some((3, "there is no filter `nope`"))),
            ("{{ a |", false, None),
            ("{% raw %}{{ a | nope }}{% endraw %}", false, None),
        ];
        for (text, bare, expected) in table {
            let found = check(text, bare).err();
            let found = found.as_ref().map(|error| (error.line, error.message.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
