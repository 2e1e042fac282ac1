//! What an unquoted word stands for: the core schema of YAML 1.2.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::Number;

/// What a scalar stands for.
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text,
}

/// What `text` stands for.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, String> {
    if let Some(tag) = tag {
        return tagged(text, tag);
    }
    if style == ScalarStyle::Plain { plain(text) } else { Ok(Scalar::Text) }
}

fn tagged(text: &str, tag: &Tag) -> Result<Scalar, String> {
    if !tag.is_yaml_core_schema() {
        return Err(format!("the tag `{tag}` has no meaning here; remove it"));
    }
    let scalar = match tag.suffix.as_str() {
        "str" => return Ok(Scalar::Text),
        "null" | "bool" | "int" | "float" => plain(text)?,
        other => {
            return Err(format!("the tag `!!{other}` has no meaning here; remove it"));
        }
    };
    let fits = match (&scalar, tag.suffix.as_str()) {
        (Scalar::Null, "null") | (Scalar::Bool(_), "bool") | (Scalar::Number(_), "float") => true,
        (Scalar::Number(number), "int") => !number.is_f64(),
        _ => false,
    };
    if fits { Ok(scalar) } else { Err(format!("`{text}` is not of the type `!!{}`", tag.suffix)) }
}

fn plain(text: &str) -> Result<Scalar, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "-.inf" | "-.Inf" | "-.INF"
        | "+.inf" | "+.Inf" | "+.INF" => {
            return Err(format!("`{text}` cannot be written in JSON; use a finite number"));
        }
        _ => number(text).map_or(Scalar::Text, Scalar::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let negative = text.starts_with('-');
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            let value = u64::from_str_radix(digits, radix).ok()?;
            return if negative {
                i64::try_from(value).ok().map(|v| (-v).into())
            } else {
                Some(value.into())
            };
        }
    }
    let digits_only = unsigned.bytes().all(|byte| byte.is_ascii_digit());
    // 0755 is octal to some readers and decimal to others: it stays the text that it is.
    if digits_only && unsigned.len() > 1 && unsigned.starts_with('0') {
        return None;
    }
    if digits_only {
        let signed = text.strip_prefix('+').unwrap_or(text);
        let whole = signed.parse::<i64>().map(Number::from);
        let whole = whole.or_else(|_| signed.parse::<u64>().map(Number::from));
        if let Ok(whole) = whole {
            return Some(whole);
        }
    }
    let floats = unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.bytes().any(|byte| byte.is_ascii_digit());
    if !floats {
        return None;
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}
