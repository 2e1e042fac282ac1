//! The only place that touches files.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::problem::{Findings, Position};
use crate::yaml::{self, MAX_BYTES, Node};

/// Reads the YAML file `path`.
pub(super) fn read_yaml(path: &Path, findings: &mut Findings) -> Option<Node> {
    match read(path) {
        Ok(bytes) => yaml::parse(&bytes, findings),
        Err(error) => {
            findings.error(Position::NOWHERE, format!("cannot be read: {}", reason(&error)));
            None
        }
    }
}

/// Reads no more than it takes to see that the file is too large.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)?.take(bound).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The entries of `dir`, sorted, so that every machine reads them in the same order.
pub(super) fn entries(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: Result<Vec<PathBuf>, _> =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect();
    entries.map(|mut entries| {
        entries.sort();
        entries
    })
}

/// The YAML files in `dir`; none if there is no such directory.
pub(super) fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let is_yaml = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml")) && path.is_file()
    };
    entries(dir).unwrap_or_default().into_iter().filter(is_yaml).collect()
}

/// Where `path` really is.
pub(super) fn real(path: &Path) -> std::io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Why something failed, in a few words.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "it does not exist".to_string(),
        ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    }
}

/// A file that must be inside of `pack`, whatever symlinks and `..` stand in its path.
pub(super) fn inside(pack: &Path, path: &Path) -> Result<PathBuf, String> {
    let real_path = real(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "which does not exist".to_string(),
        _ => format!("which cannot be read: {}", reason(&error)),
    })?;
    if !real_path.starts_with(pack) {
        return Err("which is outside of the pack".to_string());
    }
    if !real_path.is_file() {
        return Err("which is not a file".to_string());
    }
    Ok(real_path)
}

/// Whether somebody may execute the file.
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}
