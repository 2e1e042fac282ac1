//! The functions that expressions may call, and the environment that they live in.

use std::sync::OnceLock;

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};

use steadfast_core::{Status, Timestamp};

use super::{convert, scope};

/// How many instructions one template may execute.
const FUEL: u64 = 2_000_000;
/// How deep macros and the like may call each other.
const RECURSION: usize = 64;

/// Functions that are filters too: `lower(x)` is `x | lower`.
const FILTERS: &[(&str, &str)] = &[
    ("abs", "abs"),
    ("bool", "bool"),
    ("float", "float"),
    ("int", "int"),
    ("join", "join"),
    ("lower", "lower"),
    ("number", "float"),
    ("replace", "replace"),
    ("reversed", "reverse"),
    ("round", "round"),
    ("sort", "sort"),
    ("split", "split"),
    ("string", "string"),
    ("sum", "sum"),
    ("trim", "trim"),
    ("unique", "unique"),
    ("upper", "upper"),
];

/// The functions that are not mere filters.
const FUNCTIONS: &[&str] = &[
    "cancelled",
    "ceil",
    "completed",
    "contains",
    "debug",
    "dict",
    "ends_with",
    "fail",
    "failed",
    "floor",
    "keys",
    "length",
    "max",
    "min",
    "namespace",
    "now",
    "range",
    "result",
    "starts_with",
    "succeeded",
    "timed_out",
    "type_of",
    "values",
];

/// Whether there is a function of that name.
pub(crate) fn is_known(name: &str) -> bool {
    FUNCTIONS.contains(&name) || FILTERS.iter().any(|(function, _)| *function == name)
}

/// The name of every function.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().copied().chain(FILTERS.iter().map(|(function, _)| *function))
}

/// The environment that all templates share.
pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(build)
}

fn build() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(convert::write);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.add_function("succeeded", || ended(|status| status == Status::Completed));
    environment.add_function("timed_out", || ended(|status| status == Status::TimedOut));
    // Exactly one of succeeded(), failed() and timed_out() holds.
    environment.add_function("failed", || {
        ended(|status| !matches!(status, Status::Completed | Status::TimedOut))
    });
    environment.add_function("cancelled", || ended(|status| status == Status::Cancelled));
    environment.add_function("completed", || ended(Status::is_terminal));
    environment.add_function("result", || scope::finished_result().ok_or_else(no_task));
    environment.add_function("now", || {
        let now = scope::now().ok_or_else(|| invalid("now() is not known here"))?;
        Ok::<_, Error>(rfc3339(now))
    });
    environment.add_function("length", |value: Value| {
        value.len().ok_or_else(|| invalid(format!("{} has no length", value.kind())))
    });
    environment.add_function("fail", |message: String| Err::<Value, _>(invalid(message)));
    for (function, filter) in FILTERS {
        environment.add_function(*function, |state: &mut State<'_, '_>, args: Rest<Value>| {
            state.apply_filter(filter, &args)
        });
    }
    add_collection_functions(&mut environment);
    environment
}

fn add_collection_functions(environment: &mut Environment<'static>) {
    environment.add_function("type_of", |value: Value| match value.kind() {
        ValueKind::None => "null",
        ValueKind::Bool => "bool",
        ValueKind::Number => "number",
        ValueKind::String => "string",
        ValueKind::Seq | ValueKind::Iterable => "array",
        ValueKind::Map => "object",
        _ => "undefined",
    });
    environment.add_function("keys", |value: Value| match value.kind() {
        ValueKind::Map => Ok(value.try_iter()?.collect::<Vec<Value>>()),
        kind => Err(invalid(format!("keys() needs a mapping, not a {kind}"))),
    });
    environment.add_function("values", |value: Value| match value.kind() {
        ValueKind::Map => value.try_iter()?.map(|key| value.get_item(&key)).collect(),
        kind => Err::<Vec<Value>, _>(invalid(format!("values() needs a mapping, not a {kind}"))),
    });
    environment.add_function("contains", |whole: Value, part: Value| match whole.as_str() {
        Some(text) => Ok(part.as_str().is_some_and(|part| text.contains(part))),
        None => Ok::<_, Error>(whole.try_iter()?.any(|element| element == part)),
    });
    environment.add_function("starts_with", |text: String, part: String| text.starts_with(&part));
    environment.add_function("ends_with", |text: String, part: String| text.ends_with(&part));
    environment.add_function("floor", |number: f64| number.floor() as i64);
    environment.add_function("ceil", |number: f64| number.ceil() as i64);
    for name in ["min", "max"] {
        environment.add_function(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            match args.as_slice() {
                [list] => state.apply_filter(name, std::slice::from_ref(list)),
                several => state.apply_filter(name, &[Value::from(several.to_vec())]),
            }
        });
    }
}

fn ended(holds: impl Fn(Status) -> bool) -> Result<bool, Error> {
    scope::finished_status().map(holds).ok_or_else(no_task)
}

fn no_task() -> Error {
    invalid("succeeded(), failed(), timed_out(), completed() and result() are known only in `next`")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// A moment as people and programs write it: `2026-01-31T23:59:59.000001Z`.
fn rfc3339(moment: Timestamp) -> String {
    let (seconds, micros) = (moment.as_micros() / 1_000_000, moment.as_micros() % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Eras of 400 years, counted from the first of March: the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        let table = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (1_795_262_400_000_001, "2026-11-21T12:00:00.000001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ];
        for (micros, text) in table {
            assert_eq!(rfc3339(Timestamp::from_micros(micros)), text);
        }
    }
}
