//! What is in the binaries that users get.

mod support;

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
