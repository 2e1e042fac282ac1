//! The shape of the house, checked: who may use whom, what may not be written where.
//!
//! Each guard is a pure function from what it reads to a list of complaints. Below, each is asked
//! about the real tree and must have none; beside each guard, it is asked about a planted
//! violation and must have some. A guard that nothing trips guards nothing.

#[path = "architecture/edges.rs"]
mod edges;
#[path = "architecture/lints.rs"]
mod lints;
#[path = "architecture/planted.rs"]
mod planted;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/tree.rs"]
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

use edges::Edge;

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").into()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every dependency that a package of ours declares.
fn declared() -> Vec<Edge> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    let packages = metadata.packages.iter();
    packages.flat_map(|from| from.dependencies.iter().map(|to| Edge::new(from, to))).collect()
}

/// What cargo would link into a package when that package is built alone.
fn linked(package: &str, edges: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", edges, "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn no_package_uses_another_without_leave() {
    let declared = declared();
    assert!(declared.iter().any(|edge| edge.from == "steadfast-scenarios"), "read too little");
    none(edges::without_leave(&declared));
}

#[test]
fn core_uses_only_what_it_was_allowed() {
    none(edges::foreign_to_core(&declared()));
}

#[test]
fn only_the_simulator_uses_madsim() {
    none(edges::madsim_outside_the_simulator(&declared()));
}

#[test]
fn core_is_pure() {
    let core = source::below(&root(), "core/src");
    assert!(!core.is_empty(), "read too little");
    none(source::impure(&core));
}

#[test]
fn no_file_is_too_long() {
    none(source::too_long(&source::below(&root(), "")));
}

#[test]
fn nothing_is_left_unfinished() {
    none(source::unfinished(&source::below(&root(), "")));
}

#[test]
fn services_replay() {
    let services = source::below(&root(), "runtime/services/src");
    assert!(!services.is_empty(), "read too little");
    none(source::unbiased_selects(&services));
    none(source::replay_hazards(&services));
}

#[test]
fn only_the_simulator_knows_its_flag() {
    none(source::flag_readers(&source::below(&root(), "")));
}

#[test]
fn only_the_simulator_plants_bugs() {
    none(source::planters(&source::below(&root(), "")));
}

#[test]
fn every_planted_bug_is_known_and_stands_somewhere() {
    none(planted::strays(&source::below(&root(), ""), steadfast_core::catalogue::MUTANTS));
}

#[test]
fn the_lints_of_core_are_a_superset() {
    none(lints::missing_in_core(&read("clippy.toml"), &read("core/clippy.toml")));
}

#[test]
fn the_simulator_is_not_in_production() {
    let tree = linked("steadfast-runtime", "normal");
    assert!(tree.contains("steadfast-core"), "read too little");
    none(tree::packages(&tree, &["madsim", "steadfast-sim"]));
}

#[test]
fn services_alone_link_no_adapter_and_no_executor() {
    let tree = linked("steadfast-services", "normal,features");
    assert!(tree.contains("steadfast-core"), "read too little");
    none(tree::packages(&tree, &["sqlx", "sqlx-core", "axum", "lapin", "madsim"]));
    none(tree::features(&tree, "tokio", &["rt", "rt-multi-thread", "net", "time", "process"]));
}
