//! What is in the binaries that users get.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use cargo_metadata::Message;

/// Stands in the symbols, the paths and the messages of every program that links the simulator.
const MARK: &[u8] = b"madsim";

/// Builds a binary as a user would and says where it is.
fn built(name: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--bin", name, "--message-format", "json-render-diagnostics"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
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

fn contains_mark(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|window| window == MARK)
}

/// The simulator overrides libc's clock and entropy in whatever it is linked into. The second half
/// proves that the search would find it.
#[test]
fn the_simulator_is_in_its_own_binary_only() {
    let holds = |name| contains_mark(&std::fs::read(built(name)).expect("a built file is there"));
    assert!(!holds("steadfast"), "the production binary links the simulator");
    assert!(holds("steadfast-sim"), "the search does not find what is surely there");
}
