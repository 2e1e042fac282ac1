//! What the environment says, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables with a fixed name that mean something.
const NAMED: &[&str] =
    &["DATABASE_URL", "AMQP_URL", "STEADFAST_API_URL", "STEADFAST_API_TOKEN", "RUST_LOG"];
/// What every other variable of ours begins with.
pub(crate) const PREFIX: &str = "STEADFAST__";

/// The variables that mean something to this program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    /// Variables of ours that are not text.
    unreadable: Vec<String>,
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        Self::of(std::env::vars_os())
    }

    /// What means something among `variables`. An empty value counts as none.
    pub(crate) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut read = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            if !name.starts_with(PREFIX) && !NAMED.contains(&name.as_str()) {
                continue;
            }
            match value.into_string() {
                Ok(value) if value.is_empty() => {}
                Ok(value) => drop(read.variables.insert(name, value)),
                Err(_) => read.unreadable.push(name),
            }
        }
        read.unreadable.sort();
        read
    }

    /// The variable of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The variables that stand for keys, with the key's path.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.variables.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?.replace("__", ".").to_lowercase();
            Some((name.as_str(), path, value.as_str()))
        })
    }

    /// Variables of ours whose value is not UTF-8.
    pub(crate) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
}
