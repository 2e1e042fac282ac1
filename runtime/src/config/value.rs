//! One value: where it came from, and whether it is what its key wants.

use std::fmt;

use serde_json::{Map, Value};
use steadfast_runtime::core::effect::Trigger;
use steadfast_services::port::RESERVED_LABELS;

use super::keys::{Key, Kind};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody said anything.
    Default,
    /// The named preset.
    Preset(String),
    /// A line of the configuration file.
    File(String, u32),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given {
    pub(crate) value: Value,
    pub(crate) source: Source,
}

/// The text of a variable, flag or default as the kind of value that `kind` wants; text that does
/// not read as that stays text, and is refused by [`check`].
pub(crate) fn from_text(kind: Kind, text: &str) -> Value {
    let text = text.trim();
    match kind {
        Kind::Text | Kind::Url(_) | Kind::Word(_) | Kind::Address | Kind::Secret => {
            Value::from(text)
        }
        Kind::Paths => paths_from_text(text),
        Kind::Labels => labels_from_text(text),
        Kind::Seconds
        | Kind::SecondsOrNever
        | Kind::Millis
        | Kind::Whole(_)
        | Kind::Flag
        | Kind::Webhooks
        | Kind::Tokens => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    }
}

/// `a:b`, `["a", "b"]`, or `[a, b]` as in the file.
fn paths_from_text(text: &str) -> Value {
    if let Ok(value @ Value::Array(_)) = serde_json::from_str(text) {
        return value;
    }
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parts = inner.split([':', ',']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(Value::from).collect()
}

/// `a=b,c=d` or `{"a": "b"}`.
fn labels_from_text(text: &str) -> Value {
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
        return value;
    }
    let pairs = text.split(',').map(|pair| pair.split_once('='));
    let pairs = pairs.map(|pair| pair.map(|(k, v)| (k.trim().to_owned(), Value::from(v.trim()))));
    pairs.collect::<Option<Map<_, _>>>().map_or_else(|| Value::from(text), Value::Object)
}

/// Checks that a value is what its key wants.
///
/// # Errors
/// With the sentence to show, without the place.
pub(crate) fn check(key: &Key, value: &Value) -> Result<(), String> {
    let fits = match key.kind {
        Kind::Text | Kind::Secret => value.as_str().is_some_and(|text| !text.is_empty()),
        Kind::Url(schemes) => value.as_str().is_some_and(|text| has_scheme(text, schemes)),
        Kind::Seconds => seconds(value).is_some_and(|seconds| seconds > 0.0),
        Kind::SecondsOrNever => seconds(value).is_some(),
        Kind::Millis => value.as_u64().is_some_and(|millis| millis > 0),
        Kind::Whole(least) => value.as_u64().is_some_and(|number| number >= least),
        Kind::Flag => value.is_boolean(),
        Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Address => value.as_str().is_some_and(is_address),
        Kind::Paths => is_list_of_text(value),
        Kind::Labels => {
            if let Some(label) = reserved(value) {
                return Err(format!("`{label}` in `{}` is a label of the engine's own", key.path));
            }
            value.as_object().is_some_and(|labels| labels.values().all(Value::is_string))
        }
        Kind::Tokens => return check_tokens(value),
        Kind::Webhooks => return check_webhooks(value),
    };
    if fits {
        return Ok(());
    }
    let (path, wanted) = (key.path, key.wanted());
    if key.is_private() {
        return Err(format!("`{path}` must be {wanted}"));
    }
    Err(format!("`{path}` must be {wanted}, not {}", shown(value)))
}

/// The first of these labels that the engine keeps for itself.
fn reserved(labels: &Value) -> Option<&str> {
    let mut names = labels.as_object()?.keys();
    names.find(|name| name.starts_with(RESERVED_LABELS)).map(String::as_str)
}

/// A value as an error shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A number of seconds up to a century.
pub(crate) fn seconds(value: &Value) -> Option<f64> {
    value.as_f64().filter(|seconds| (0.0..=3.2e9).contains(seconds))
}

fn has_scheme(text: &str, schemes: &[&str]) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty())
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn is_list_of_text(value: &Value) -> bool {
    let full = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    value.as_array().is_some_and(|list| list.iter().all(full))
}

/// The roles that a token may have.
pub(crate) const ROLES: &[&str] = &["viewer", "operator", "admin"];

fn check_tokens(value: &Value) -> Result<(), String> {
    let Some(tokens) = value.as_array() else {
        return Err("`api.tokens` must be a list of {name, role, sha256}".to_owned());
    };
    let mut names = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        let number = number + 1;
        let text = |name: &str| token.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, role, hash) = (text("name"), text("role"), text("sha256"));
        if name.is_empty() || names.contains(&name) {
            return Err(format!("token {number} of `api.tokens` needs a `name` of its own"));
        }
        if !ROLES.contains(&role) {
            let roles = ROLES.join(", ");
            return Err(format!(
                "`role` of the token `{name}` in `api.tokens` must be one of {roles}"
            ));
        }
        if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "`sha256` of the token `{name}` in `api.tokens` must be 64 hexadecimal digits, \
                 the output of `printf %s TOKEN | sha256sum`"
            ));
        }
        names.push(name);
    }
    Ok(())
}

/// The addresses are checked once it is known which are allowed. They may hold secrets, so none is
/// quoted.
fn check_webhooks(value: &Value) -> Result<(), String> {
    let bad = |number: usize, what: &str| {
        Err(format!("webhook {} of `effects.webhooks`: {what}", number + 1))
    };
    let Some(webhooks) = value.as_array() else {
        return Err("`effects.webhooks` must be a list of {url, on, actions}".to_owned());
    };
    for (number, webhook) in webhooks.iter().enumerate() {
        let Some(members) = webhook.as_object() else {
            return bad(number, "must be a mapping of `url`, `on` and `actions`");
        };
        let known = ["url", "on", "actions"];
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return bad(number, &format!("`{name}` is unknown; there are url, on and actions"));
        }
        if members.get("url").and_then(Value::as_str).is_none_or(str::is_empty) {
            return bad(number, "`url` is missing");
        }
        let word = |on: &Value| on.as_str().is_some_and(|on| on.parse::<Trigger>().is_ok());
        if !members.get("on").is_none_or(word) {
            return bad(number, "`on` must be completed, unsuccessful or ended");
        }
        if !members.get("actions").is_none_or(is_list_of_text) {
            return bad(number, "`actions` must be a list of names");
        }
    }
    Ok(())
}
