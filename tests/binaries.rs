//! What is in the binaries that users get.

mod support;

use std::path::Path;
use std::process::Command;

use support::built;

/// Stands in the symbols, the paths and the messages of every program that links the simulator.
const MARK: &[u8] = b"madsim";

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

/// The functions that are in a binary; what the linker threw away has none.
fn symbols(binary: &Path) -> String {
    let output = Command::new("nm").arg(binary).output().expect("nm is there, as ld is");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Nothing in production can call `Unit::plant`, so it is not even there. The second half proves
/// that the search would find it: `Unit::tell` stands beside it.
#[test]
fn no_bug_can_be_planted_in_production() {
    let symbols = symbols(&built("steadfast"));
    assert!(!symbols.contains("4Unit5plant"), "production code can plant bugs");
    assert!(symbols.contains("4Unit4tell"), "the search does not find what is surely there");
}
