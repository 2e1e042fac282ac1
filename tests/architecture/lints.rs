//! A package's own clippy.toml replaces the root's, so it has to repeat it.

use toml::{Table, Value};

/// What the root's file demands and core's file does not.
pub(crate) fn missing_in_core(root: &str, core: &str) -> Vec<String> {
    let (root, core) = (parse(root), parse(core));
    root.iter().flat_map(|(key, wanted)| missing(key, wanted, core.get(key))).collect()
}

fn parse(text: &str) -> Table {
    text.parse().expect("clippy.toml is TOML")
}

fn missing(key: &str, wanted: &Value, given: Option<&Value>) -> Vec<String> {
    let complaint = |what: &str| vec![format!("core/clippy.toml: {key}: {what}")];
    match (wanted, given) {
        (_, None) => complaint("missing"),
        (Value::Array(wanted), Some(Value::Array(given))) => {
            let banned = |value: &Value| given.iter().any(|entry| path(entry) == path(value));
            let absent = wanted.iter().filter(|value| !banned(value));
            absent.flat_map(|value| complaint(path(value))).collect()
        }
        // A lower threshold is a stricter one.
        (Value::Integer(wanted), Some(Value::Integer(given))) if given <= wanted => Vec::new(),
        (wanted, Some(given)) if wanted == given => Vec::new(),
        (_, Some(_)) => complaint("less strict than the root's"),
    }
}

/// What an entry bans; an entry is a path, or a table with one.
fn path(entry: &Value) -> &str {
    entry.get("path").unwrap_or(entry).as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "lines = 70\nok-in-tests = true\nban = ['a::b', { path = 'c::d' }]";

    #[test]
    fn a_superset_passes() {
        let core = "lines = 50\nok-in-tests = true\nban = ['e::f', 'c::d', { path = 'a::b' }]";
        assert_eq!(missing_in_core(ROOT, core), Vec::<String>::new());
        assert_eq!(missing_in_core(ROOT, ROOT), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_seen() {
        let cases = [
            ("lines = 70\nok-in-tests = true\nban = ['a::b']", "a ban"),
            ("lines = 71\nok-in-tests = true\nban = ['a::b', 'c::d']", "a threshold"),
            ("lines = 70\nok-in-tests = false\nban = ['a::b', 'c::d']", "a switch"),
            ("lines = 70\nok-in-tests = true", "a list"),
        ];
        for (core, what) in cases {
            assert_eq!(missing_in_core(ROOT, core).len(), 1, "{what}");
        }
    }
}
