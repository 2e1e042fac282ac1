//! What an action inherits from the worker, and the interpreters found there.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::invocation::Interpreter;

/// The only variables that an action inherits.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// Where programs are looked for when the worker has no PATH at all.
const FALLBACK_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The part of the worker's environment that its actions get to see.
#[derive(Clone, Debug)]
pub struct Environment {
    variables: Vec<(&'static str, OsString)>,
}

impl Environment {
    /// Takes `PATH HOME LANG TZ TMPDIR` from this process.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "not configuration: the five variables that the process contract hands on"
    )]
    pub fn inherit() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Takes the same five from wherever `lookup` finds them.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut variables: Vec<_> =
            INHERITED.iter().filter_map(|&name| Some((name, lookup(name)?))).collect();
        if !variables.iter().any(|(name, _)| *name == "PATH") {
            variables.push(("PATH", FALLBACK_PATH.into()));
        }
        Self { variables }
    }

    /// The inherited variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_os_str()))
    }

    /// The program that runs entry points of `runtime`, or nothing when the worker has none.
    #[must_use]
    pub fn interpreter(&self, runtime: Interpreter) -> Option<PathBuf> {
        runtime.programs().iter().find_map(|program| self.find(program))
    }

    /// Relative entries of PATH are skipped: an action runs in its pack's directory, where they
    /// would mean something else.
    fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.get("PATH")?;
        std::env::split_paths(path)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(program))
            .find(|candidate| is_executable(candidate))
    }

    /// The directory for temporary files.
    pub(crate) fn temporary(&self) -> &Path {
        self.get("TMPDIR").map_or(Path::new("/tmp"), Path::new)
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// Whether `path` is a file with an execute bit.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
