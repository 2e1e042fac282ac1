//! The command line of `steadfast-sim`, as its users meet it.

use std::process::{Command, Output};

use serde_json::Value;

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steadfast-sim")).args(arguments).output().unwrap()
}

fn code(arguments: &[&str]) -> i32 {
    sim(arguments).status.code().unwrap()
}

fn told(arguments: &[&str]) -> String {
    String::from_utf8(sim(arguments).stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(arguments)).unwrap()
}

#[test]
fn list_names_everything() {
    let list = json(&["list", "-o", "json"]);
    for (kind, known) in [("scenarios", "claim_race"), ("laws", "one_winner_per_token")] {
        let names: Vec<&str> =
            list[kind].as_array().unwrap().iter().map(|x| x["name"].as_str().unwrap()).collect();
        assert!(names.contains(&known), "{kind}: {names:?}");
    }
    assert!(list["scenarios"][0]["story"].is_string());
    assert!(list["laws"][0]["statement"].is_string());
    assert!(list["faults"].as_array().unwrap().contains(&"kill".into()));
    assert!(list["mutants"].as_array().unwrap().contains(&"blind_write".into()));
    assert!(told(&["list"]).contains("claim_race"));
}

#[test]
fn run_adds_up_what_the_seeds_did() {
    let summary = json(&["run", "claim_race", "--seeds", "5..9", "--jobs", "2", "-o", "json"]);
    let row = &summary["scenarios"][0];
    assert_eq!(row["name"], "claim_race");
    assert_eq!(row["seeds"], 4);
    assert_eq!(row["violations"], Value::Array(vec![]));
    assert_eq!(row["faults"]["kill"], 4);
    assert!(row["events"].as_u64().unwrap() > 0);
    assert!(row["sim_seconds"].as_f64().unwrap() > 0.0);
    assert!(row["wall_seconds"].as_f64().unwrap() > 0.0);
    assert!(row["coverage"].is_object());
    assert_eq!(code(&["run", "--seeds", "0..2"]), 0);
}

#[test]
fn jobs_change_nothing_but_the_time() {
    let counts = |jobs| {
        let summary = json(&["run", "claim_race", "--seeds", "0..6", "--jobs", jobs, "-o", "json"]);
        let row = &summary["scenarios"][0];
        (row["events"].clone(), row["sim_seconds"].clone(), row["coverage"].clone())
    };
    assert_eq!(counts("1").0, counts("3").0);
    assert_eq!(counts("1").2, counts("3").2);
}

#[test]
fn replay_ends_in_the_hash() {
    let hash = |arguments: &[&str]| {
        let text = told(arguments);
        let last = text.lines().next_back().unwrap().to_owned();
        let digits = last.strip_prefix("hash ").unwrap().to_owned();
        assert!(digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit()), "{last}");
        digits
    };
    let whole = hash(&["replay", "claim_race", "7"]);
    assert_eq!(whole, hash(&["replay", "claim_race", "0x7", "--log"]));
    assert_ne!(whole, hash(&["replay", "claim_race", "8"]));
    assert_ne!(whole, hash(&["replay", "claim_race", "7", "--until", "9"]));
}

#[test]
fn replay_until_stops_after_that_step() {
    let text = told(&["replay", "claim_race", "7", "--until", "9", "--log"]);
    let steps = text.lines().filter(|line| line.starts_with(' ') && line.contains(" t+"));
    let numbered = steps.filter(|line| line[..6].trim().parse::<u64>().is_ok()).count();
    assert_eq!(numbered, 10, "{text}");
}

#[test]
fn two_processes_agree() {
    let text = told(&["meta", "claim_race", "--seeds", "0..3"]);
    assert!(text.starts_with("same"), "{text}");
    assert_eq!(code(&["meta", "--seeds", "4..5"]), 0);
}

#[test]
fn bad_usage_is_2_and_says_what() {
    let cases: [&[&str]; 12] = [
        &[],
        &["dance"],
        &["run", "nobody_wrote_this"],
        &["run", "--seeds", "9..3"],
        &["run", "--jobs", "0"],
        &["replay", "claim_race"],
        &["replay", "claim_race", "many"],
        &["replay", "--case", "case.json"],
        &["replay", "claim_race", "1", "--html", "timeline.html"],
        &["shrink", "claim_race", "1", "-o", "case.json"],
        &["mutants", "--max-seeds", "5"],
        &["import", "trace.json"],
    ];
    for arguments in cases {
        let output = sim(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(code(&["--help"]), 0);
}
