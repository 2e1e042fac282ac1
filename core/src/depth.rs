//! How deep a JSON value may be nested. Values are parsed when they are read from a store, and
//! parsers refuse what is nested without bound; so what is too deep is refused when it comes in,
//! where somebody can be told, and never written.

use alloc::vec::Vec;

use serde_json::Value;

/// The deepest nesting of a value that is accepted: parameters, variables, elements and results.
pub const MAX_DEPTH: usize = 64;

/// Whether `value` is nested deeper than [`MAX_DEPTH`].
#[must_use]
pub fn is_too_deep(value: &Value) -> bool {
    // A loop rather than recursion: the value may be as deep as the stack is not.
    let mut level: Vec<&Value> = alloc::vec![value];
    for _ in 0..MAX_DEPTH {
        level = level.into_iter().flat_map(children).collect();
        if level.is_empty() {
            return false;
        }
    }
    true
}

/// The lists and mappings directly inside a value, and nothing else.
fn children(value: &Value) -> Vec<&Value> {
    let nested = |value: &&Value| value.is_array() || value.is_object();
    match value {
        Value::Array(items) => items.iter().filter(nested).collect(),
        Value::Object(members) => members.values().filter(nested).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn exactly_the_values_beyond_the_limit_are_too_deep() {
        // levels       too deep
        let table = [(0, false), (1, false), (MAX_DEPTH, false), (MAX_DEPTH + 1, true)];
        for (levels, expected) in table {
            assert_eq!(is_too_deep(&nested(levels)), expected, "{levels}");
        }
        assert!(is_too_deep(&json!({ "a": [1, { "b": nested(MAX_DEPTH - 2) }] })));
        assert!(!is_too_deep(&json!({ "a": [1, { "b": nested(MAX_DEPTH - 3) }] })));
    }
}
