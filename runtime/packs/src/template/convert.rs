//! From minijinja's values back to JSON, and to text.

use std::fmt;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, Output, State};
use serde_json::{Map, Number, Value as Json};

use super::scope::Borrowed;

/// Values may be nested this deep.
const MAX_DEPTH: usize = 128;
/// What a template builds, as opposed to passes on, may have this many parts.
const MAX_PARTS: usize = 1_000_000;

/// The same as JSON.
pub(super) fn to_json(value: &Value) -> Result<Json, Error> {
    convert(value, 0, &mut 0)
}

fn convert(value: &Value, depth: usize, parts: &mut usize) -> Result<Json, Error> {
    *parts += 1;
    if depth > MAX_DEPTH || *parts > MAX_PARTS {
        return Err(Error::new(ErrorKind::InvalidOperation, "the value is too large"));
    }
    if let Some(borrowed) = value.downcast_object_ref::<Borrowed>() {
        return borrowed.to_json().ok_or_else(|| Error::from(ErrorKind::UndefinedError));
    }
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value).map(Json::Number),
        ValueKind::String => Ok(Json::from(value.as_str().unwrap_or_default())),
        ValueKind::Seq | ValueKind::Iterable => {
            let elements = value.try_iter()?.map(|element| convert(&element, depth + 1, parts));
            elements.collect::<Result<Vec<_>, _>>().map(Json::Array)
        }
        ValueKind::Map => {
            let mut members = Map::new();
            for key in value.try_iter()? {
                let member = value.get_item(&key)?;
                members.insert(key.to_string(), convert(&member, depth + 1, parts)?);
            }
            Ok(Json::Object(members))
        }
        ValueKind::Invalid => match value.try_iter() {
            Err(error) => Err(error),
            Ok(_) => Err(no_json(value)),
        },
        _ => Err(no_json(value)),
    }
}

fn no_json(value: &Value) -> Error {
    let kind = value.kind();
    let hint = if kind == ValueKind::Plain { "; a function is called with `()`" } else { "" };
    Error::new(ErrorKind::InvalidOperation, format!("{value} cannot be written as JSON{hint}"))
}

fn number(value: &Value) -> Result<Number, Error> {
    if value.is_integer() {
        let whole = i64::try_from(value.clone()).map(Number::from);
        let whole = whole.or_else(|_| u64::try_from(value.clone()).map(Number::from));
        return whole.map_err(|_| {
            Error::new(ErrorKind::InvalidOperation, format!("{value} is too large a number"))
        });
    }
    let float = f64::try_from(value.clone()).ok().and_then(Number::from_f64);
    float.ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("{value} is not a finite number"))
    })
}

/// How a value is written into a text: text as it is, everything else as JSON.
pub(super) fn write(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    let failed = |_: fmt::Error| Error::from(ErrorKind::WriteFailure);
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::String => out.write_str(value.as_str().unwrap_or_default()).map_err(failed),
        _ => out.write_str(&to_json(value)?.to_string()).map_err(failed),
    }
}
