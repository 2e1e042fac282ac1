//! What tests of the built binaries share.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cargo_metadata::Message;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo as a user would start it. What it tells a test about the test's own package would make it
/// build packages again that look at such things, here and then once more outside.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let is_ours =
            |text: &str| text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Builds a binary as a user would and says where it is.
pub(crate) fn built(name: &str) -> PathBuf {
    let output = cargo()
        .args(["build", "--quiet", "--bin", name, "--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{name} does not build");
    let messages = Message::parse_stream(output.stdout.as_slice());
    let executable = messages.filter_map(Result::ok).find_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == name => artifact.executable,
        _ => None,
    });
    executable.expect("cargo says what it built").into()
}

/// The engine's binary, built once for each test program.
pub(crate) fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("steadfast"))
}

/// A command that starts the engine's binary in the root of the repository.
pub(crate) fn steadfast() -> Command {
    let mut command = Command::new(binary());
    command.current_dir(root()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}
