//! What is said about packs and action files.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;

use steadfast_core::{ActionRef, DefinitionHash};
use steadfast_packs::{Catalog, Definition, Sources};

const PACK: &str = "ref: p\n";

/// A directory with a pack `p` that holds these files.
fn pack(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().expect("a temporary directory");
    let all = [("pack.yaml", PACK), ("actions/run.sh", "exit 0\n")];
    for (name, text) in all.iter().chain(files) {
        let path = dir.path().join("p").join(name);
        fs::create_dir_all(path.parent().expect("inside the pack")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    dir
}

fn load(dir: &TempDir) -> (Catalog, Vec<String>) {
    let sources = Sources { search: vec![dir.path().to_path_buf()], packs: Vec::new() };
    let (catalog, problems) = Catalog::load(&sources);
    let prefix = format!("{}/", dir.path().display());
    let shown = |problem: &steadfast_packs::Problem| problem.to_string().replace(&prefix, "");
    (catalog, problems.iter().map(shown).collect())
}

fn check(files: &[(&str, &str)], expected: &[&str]) {
    let (_, found) = load(&pack(files));
    assert_eq!(found, expected, "{files:?}");
}

#[test]
fn every_rule_says_what_is_wrong_and_where() {
    for case in common::cases("action.txt") {
        let (_, found) = load(&pack(&[("actions/a.yaml", &case.file)]));
        let found: Vec<&str> =
            found.iter().map(|line| line.trim_start_matches("p/actions/a.yaml:")).collect();
        assert_eq!(found, case.says, "{}\n{}", case.title, case.file);
    }
}

#[test]
fn entry_points_are_files_of_the_pack() {
    let action = |runner: &str, entry: &str| {
        format!("ref: p.a\nrunner_type: {runner}\nentry_point: {entry}\n")
    };
    for outside in ["/bin/sh", "../../outside.sh", "link.sh", "dir/outside.sh"] {
        let dir = pack(&[("actions/a.yaml", &action("shell", outside))]);
        fs::write(dir.path().join("outside.sh"), "exit 0\n").expect("a file");
        symlink("../../outside.sh", dir.path().join("p/actions/link.sh")).expect("a link");
        symlink("../..", dir.path().join("p/actions/dir")).expect("a link");
        let expected = format!(
            "p/actions/a.yaml:3: `entry_point` names `{outside}`, which is outside of the pack"
        );
        assert_eq!(load(&dir).1, [expected]);
    }
    // A link that stays inside is fine, and so is an executable.
    let dir = pack(&[("actions/a.yaml", &action("native", "link"))]);
    let script = dir.path().join("p/actions/run.sh");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("permissions");
    symlink("run.sh", dir.path().join("p/actions/link")).expect("a link");
    assert_eq!(load(&dir).1, [""; 0]);
}

#[test]
fn a_workflow_file_is_part_of_the_pack() {
    let action = "ref: p.a\nworkflow_file: workflows/a.workflow.yaml\n";
    check(
        &[("actions/a.yaml", action)],
        &["p/actions/a.yaml:2: `workflow_file` names `workflows/a.workflow.yaml`, which \
             does not exist"],
    );
    check(
        &[
            ("actions/a.yaml", &format!("{action}runner_type: shell\n")),
            ("actions/workflows/a.workflow.yaml", "label: x\ntasks: [{name: t, action: p.z}]\n"),
        ],
        &[
            "p/actions/a.yaml:3: warning: `runner_type` has no effect beside `workflow_file`",
            "p/actions/workflows/a.workflow.yaml:1: warning: `label` has no effect here; it \
             belongs to the action's file",
            "p/actions/workflows/a.workflow.yaml:2: task `t` runs `p.z`, which is not known",
        ],
    );
    // A graph under workflows/ that an action names is not a workflow of its own.
    let run = "ref: p.run\nrunner_type: shell\nentry_point: run.sh\n";
    let files = [
        ("actions/run.yaml", run),
        ("actions/a.yaml", "ref: p.a\nworkflow_file: ../workflows/a.yaml\n"),
        ("workflows/a.yaml", "tasks: [{name: t, action: p.run}]\n"),
        ("workflows/b.yaml", "tasks: [{name: t, action: p.a}]\n"),
    ];
    let (catalog, found) = load(&pack(&files));
    assert_eq!(
        found,
        ["p/workflows/b.yaml:1: warning: the workflow has no `ref`; it is taken to be `p.b`",]
    );
    let names: Vec<&str> = catalog.iter().map(|d| d.action.as_str()).collect();
    assert_eq!(names, ["p.a", "p.b", "p.run"]);
}

#[test]
fn workflows_that_run_each_other_are_refused() {
    let flow =
        |name: &str, runs: &str| format!("ref: p.{name}\ntasks:\n- name: t\n  action: p.{runs}\n");
    let files = [
        ("workflows/a.yaml", flow("a", "b")),
        ("workflows/b.yaml", format!("{}concurrency_limit: 1\n", flow("b", "c"))),
        ("workflows/c.yaml", flow("c", "a")),
        ("workflows/d.yaml", flow("d", "a")),
        ("workflows/e.yaml", flow("e", "e")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, text)| (*n, text.as_str())).collect();
    check(
        &files,
        &[
            "p/workflows/a.yaml:4: task `t` makes the workflow run itself: \
             p.a -> p.b -> p.c -> p.a",
            "p/workflows/b.yaml:4: task `t` makes the workflow run itself: \
             p.b -> p.c -> p.a -> p.b; \
         with concurrency_limit 1 it would wait for its own slot",
            "p/workflows/c.yaml:4: task `t` makes the workflow run itself: \
             p.c -> p.a -> p.b -> p.c",
            "p/workflows/d.yaml:4: task `t` runs `p.a`, which has errors itself",
            "p/workflows/e.yaml:4: task `t` makes the workflow run itself: p.e -> p.e",
        ],
    );
}

#[test]
fn names_are_taken_once() {
    let run = "ref: p.run\nrunner_type: shell\nentry_point: run.sh\n";
    let dir = pack(&[("actions/x.yaml", run), ("actions/y.yaml", run)]);
    let other = dir.path().join("q");
    fs::create_dir_all(other.join("actions")).expect("a directory");
    fs::write(other.join("pack.yaml"), PACK).expect("a file");
    let (_, found) = load(&dir);
    assert_eq!(
        found,
        [
            "p/actions/y.yaml:1: `p.run` is defined in p/actions/x.yaml as well".to_string(),
            "q/pack.yaml: the pack `p` is defined in p/pack.yaml as well; rename one or leave \
                 one out"
                .to_string(),
        ]
    );

    let mut catalog = Catalog::new();
    let handler = Definition::handler("p.run");
    let hash: DefinitionHash = catalog.register_handler(handler.clone()).expect("the first");
    assert_eq!(hash, handler.hash());
    let again = catalog.register_handler(handler).expect_err("the second");
    assert_eq!(again.to_string(), "the program: `p.run` is defined in the program as well");
    let sources = Sources { search: Vec::new(), packs: vec![dir.path().join("p")] };
    let problems = catalog.extend(&sources);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].message.ends_with("is defined in the program as well"));
    assert!(catalog.get(&ActionRef::new("p.run")).is_some());
}

#[test]
fn packs_and_where_they_are() {
    check(
        &[("pack.yaml", "label: x\nautor: me\n")],
        &[
            "p/pack.yaml:1: the pack has no `ref`",
            "p/pack.yaml:2: warning: unknown key `autor` in the pack has no effect; did you mean \
         `author`?",
        ],
    );
    check(
        &[
            ("pack.yaml", "ref: p\nconf_schema: {n: {type: integer}}\nconfig: {n: x}\n"),
            ("sensors/s.yaml", "ref: p.s\n"),
        ],
        &[
            "p/pack.yaml: warning: sensors/ has 1 file, which this engine does not run",
            "p/pack.yaml:3: config: parameter `n` must be an integer, not a string (\"x\")",
        ],
    );
    let gone = Path::new("/nowhere/at/all").to_path_buf();
    let sources = Sources { search: vec![gone.clone()], packs: vec![gone] };
    let (_, problems) = Catalog::load(&sources);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "/nowhere/at/all: is not a pack: it has no pack.yaml",
            "/nowhere/at/all: the directory of packs: it does not exist",
        ]
    );
}

#[test]
fn actions_of_a_pack_with_errors_are_checked_and_not_used() {
    let run = "ref: p.run\nrunner_type: shell\nentry_point: gone.sh\n";
    let (catalog, found) = load(&pack(&[("pack.yaml", "label: x\n"), ("actions/a.yaml", run)]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(catalog.iter().count(), 0);
}
