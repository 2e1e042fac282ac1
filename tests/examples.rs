//! The examples do what their README says, through the built binary.

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::Value;

fn run(arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output: Output = support::steadfast()
        .arg("run")
        .args(arguments)
        .args(["-o", "json"])
        .output()
        .expect("the binary can be started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let result = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (output.status.code(), result, said)
}

fn attempts_of(result: &Value, task: &str) -> Vec<u64> {
    let tasks = result["tasks"].as_array().expect("there are tasks");
    tasks
        .iter()
        .filter(|each| each["name"] == task)
        .map(|each| each["attempts"].as_u64().expect("attempts are counted"))
        .collect()
}

/// Files and bytes below `directory`, found without the engine; `.git` and `target` do not count.
fn weigh(directory: &Path) -> (u64, u64) {
    let entries = std::fs::read_dir(directory).expect("it can be listed");
    entries.filter_map(Result::ok).fold((0, 0), |(files, bytes), entry| {
        let kind = entry.file_type().expect("an entry has a type");
        if [".git", "target"].iter().any(|name| entry.file_name() == *name) {
            (files, bytes)
        } else if kind.is_dir() {
            let (more, heavier) = weigh(&entry.path());
            (files + more, bytes + heavier)
        } else if kind.is_file() {
            (files + 1, bytes + entry.metadata().expect("it is there").len())
        } else {
            (files, bytes)
        }
    })
}

#[test]
fn a_census_of_5000_files_counts_each_once() {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let tree = scratch.path().join("tree");
    let made = std::process::Command::new(support::root().join("examples/make-tree"))
        .arg("5000")
        .arg(&tree)
        .status()
        .expect("make-tree can be run");
    assert!(made.success());
    let output = format!("output={}/census.json", scratch.path().display());
    let root = format!("root={}", tree.display());
    let (code, census, said) =
        run(&["census.tree", "--pack", "examples/packs/census", "-p", &root, "-p", &output]);
    assert_eq!(code, Some(0), "{said}");
    let (files, bytes) = weigh(&tree);
    assert_eq!(files, 5000);
    assert_eq!(census["status"], "completed");
    assert_eq!(census["result"]["files"], files);
    assert_eq!(census["result"]["bytes"], bytes);
    assert_eq!(census["result"]["problems"], 0);
    let hashed = attempts_of(&census, "hash");
    assert_eq!((hashed.len(), hashed.iter().sum::<u64>()), (5000, 5000));
    assert_eq!(attempts_of(&census, "report"), [1]);
}

fn deploy(more: &[&str]) -> (Option<i32>, Value, String) {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let target = format!("target={}", scratch.path().join("target").display());
    let mut arguments = vec!["deploy.release", "--pack", "examples/packs/deploy"];
    arguments.extend(["-p", "step_seconds=0", "-p", &target]);
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn a_deployment_retries_its_flaky_step_and_is_released() {
    let (code, result, said) = deploy(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(result["result"]["outcome"], "released");
    assert_eq!(result["result"]["upload_attempts"], 3);
    assert_eq!(attempts_of(&result, "upload"), [3]);
}

#[test]
fn a_deployment_that_fails_in_one_region_is_rolled_back() {
    let (code, result, said) = deploy(&["-p", "fail_region=us"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(result["result"]["outcome"], "rolled_back");
}

#[test]
fn a_deployment_whose_upload_never_succeeds_fails_with_the_reason() {
    let (code, result, said) = deploy(&["-p", "flaky_failures=9"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(result["status"], "failed");
    let error = result["error"].as_str().expect("there is a reason");
    assert!(error.contains("task `upload` failed"), "{error}");
}

#[test]
fn the_core_pack_echoes_sleeps_and_fails() {
    let pack = ["--pack", "examples/packs/core"];
    let core = |action: &str, parameters: &[&str]| {
        let mut arguments = vec![action];
        arguments.extend(pack);
        parameters.iter().for_each(|p| arguments.extend(["-p", p]));
        run(&arguments)
    };
    let (code, result, _) = core("core.echo", &["message=a \"b\"\n ü"]);
    assert_eq!((code, &result["result"]["message"]), (Some(0), &Value::from("a \"b\"\n ü")));
    assert_eq!(core("core.noop", &[]).0, Some(0));
    assert_eq!(core("core.sleep", &["seconds=0.01"]).0, Some(0));
    let (code, result, _) = core("core.fail", &[]);
    assert_eq!((code, &result["status"]), (Some(1), &Value::from("failed")));
}
