//! What an action file and a standalone workflow file have in common.

use steadfast_core::{ActionRef, OnLost, RetryPolicy};

use crate::definition::{Definition, Kind};
use crate::fields::{Fields, read_retry};
use crate::problem::{Findings, Position};
use crate::schema::{Schema, read_schema};
use crate::template::Compiled;

/// The keys that [`read_metadata`] reads.
pub(crate) const KEYS: &[&str] = &[
    "ref",
    "label",
    "description",
    "enabled",
    "parameters",
    "output",
    "tags",
    "timeout",
    "timeout_seconds",
    "max_retries",
    "retry",
    "on_lost",
    "concurrency_limit",
    "concurrency_key",
];

/// Reads everything about an action but how it is carried out.
pub(crate) fn read_metadata(
    fields: &Fields<'_>,
    action: ActionRef,
    kind: Kind,
    findings: &mut Findings,
) -> Definition {
    let mut definition = Definition::new(action, kind);
    definition.label = fields.words("label", findings);
    definition.description = fields.words("description", findings);
    definition.enabled = fields.flag("enabled", findings).unwrap_or(true);
    definition.tags = fields.word_list("tags", findings);
    definition.parameters = match fields.node("parameters") {
        Some(node) => read_schema(node, "parameter", findings),
        None => Schema::default(),
    };
    definition.output = fields.node("output").map(|node| read_schema(node, "output", findings));
    definition.timeout = fields.seconds("timeout", true, findings);
    if fields.node("timeout_seconds").is_some() {
        if definition.timeout.is_some() {
            let message = "`timeout_seconds` has no effect beside `timeout`; keep one of them";
            findings.warning(fields.key_position("timeout_seconds"), message);
        }
        let seconds = fields.seconds("timeout_seconds", true, findings);
        definition.timeout = definition.timeout.or(seconds);
    }
    definition.retry = read_retries(fields, findings);
    definition.on_lost = match fields.word("on_lost", &["retry", "abandon"], findings) {
        Some("abandon") => OnLost::Abandon,
        _ => OnLost::Retry,
    };
    definition.concurrency_limit = fields.whole("concurrency_limit", 1, findings);
    definition.concurrency_key = read_concurrency_key(fields, &definition, findings);
    definition
}

fn read_retries(fields: &Fields<'_>, findings: &mut Findings) -> RetryPolicy {
    let retry = read_retry(fields, findings);
    let count = fields.whole("max_retries", 0, findings);
    match (retry, count) {
        (Some(retry), None) => retry,
        (None, count) => RetryPolicy { count: count.unwrap_or(0), ..RetryPolicy::default() },
        (Some(retry), Some(_)) => {
            let message = "`max_retries` has no effect beside `retry`; keep one of them";
            findings.warning(fields.key_position("max_retries"), message);
            retry
        }
    }
}

fn read_concurrency_key(
    fields: &Fields<'_>,
    definition: &Definition,
    findings: &mut Findings,
) -> Option<String> {
    let key = fields.text("concurrency_key", findings)?;
    let at = fields.node("concurrency_key").map_or(fields.at, |node| node.at);
    if definition.concurrency_limit.is_none() && fields.node("concurrency_limit").is_none() {
        findings.warning(at, "`concurrency_key` has no effect without `concurrency_limit`");
    }
    let compiled = match Compiled::template(key) {
        Ok(compiled) => compiled,
        Err(error) => {
            let at = Position { line: at.line + error.line, ..at };
            findings.error(at, format!("`concurrency_key`: {}", error.message));
            return None;
        }
    };
    for name in compiled.names() {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        let parameter = parts.next().unwrap_or_default();
        if definition.parameters.secret_names().any(|secret| secret == parameter) {
            let message =
                format!("`concurrency_key` would show the secret parameter `{parameter}`");
            findings.error(at, message);
        }
        if first != "parameters" && !crate::template::is_function(first) {
            let message = format!("`concurrency_key` may read only `parameters`, not `{first}`");
            findings.error(at, message);
        }
    }
    Some(key.to_string())
}

/// Checks that `text` can name an action: words of letters, digits, `_` and `-`, joined by dots.
pub(crate) fn check_ref(text: &str) -> Result<ActionRef, String> {
    let good = |word: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !word.is_empty() && word.chars().all(letters)
    };
    if text.len() <= 255 && text.contains('.') && text.split('.').all(good) {
        return Ok(ActionRef::new(text));
    }
    Err(format!("`{text}` is not a ref; write `pack.name` in letters, digits, `_` and `-`"))
}
