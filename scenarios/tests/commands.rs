//! The command line of `steadfast-sim`, as its users meet it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A bug, a seed under which it shows, and the law that then falls.
const PLANTED: [&str; 2] = ["--planted", "promote_without_capacity_check"];
const SEED: &str = "1";
const FALLS: &str = "holders_never_exceed_the_limit";

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steadfast-sim")).args(arguments).output().unwrap()
}

fn code(arguments: &[&str]) -> i32 {
    sim(arguments).status.code().unwrap()
}

fn told(arguments: &[&str]) -> String {
    String::from_utf8(sim(arguments).stdout).unwrap()
}

fn complaint(arguments: &[&str]) -> String {
    let output = sim(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn parsed(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(arguments)).unwrap()
}

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

/// The number in the last line.
fn hash(text: &str) -> String {
    let last = text.lines().next_back().unwrap();
    let digits = last.strip_prefix("hash ").unwrap();
    assert!(digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit()), "{last}");
    digits.to_owned()
}

/// A file of this test alone.
fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("commands");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// The smallest case of the planted bug, in a file of its own.
fn shrunk(name: &str) -> (PathBuf, String) {
    let case = file(name);
    let to = case.to_str().unwrap();
    let shrink = ["shrink", "swarm", SEED, "-o", to, "--budget", "400", "--seconds", "8"];
    let text = told(&with(&shrink, &PLANTED));
    (case, text)
}

#[test]
fn list_names_everything() {
    let list = parsed(&["list", "-o", "json"]);
    for (kind, known) in [("scenarios", "swarm"), ("laws", FALLS)] {
        let names: Vec<&str> =
            list[kind].as_array().unwrap().iter().map(|x| x["name"].as_str().unwrap()).collect();
        assert!(names.contains(&known), "{kind}: {names:?}");
    }
    assert!(list["scenarios"][0]["story"].is_string());
    assert!(list["laws"][0]["statement"].is_string());
    for fault in ["kill", "commit_lost"] {
        assert!(list["faults"].as_array().unwrap().contains(&fault.into()));
    }
    assert!(list["mutants"].as_array().unwrap().contains(&PLANTED[1].into()));
    assert!(told(&["list"]).contains("swarm"));
}

#[test]
fn run_adds_up_what_the_seeds_did() {
    let run = ["run", "swarm", "--seeds", "5..8", "--jobs", "2", "-o", "json"];
    let row = &parsed(&run)["scenarios"][0];
    assert_eq!(row["name"], "swarm");
    assert_eq!(row["seeds"], 3);
    assert!(row["violations"].is_array());
    assert!(row["faults"].as_object().unwrap().values().all(Value::is_u64));
    assert!(row["events"].as_u64().unwrap() > 0);
    assert!(row["sim_seconds"].as_f64().unwrap() > 0.0);
    assert!(row["wall_seconds"].as_f64().unwrap() > 0.0);
    assert!(row["coverage"].is_object());
}

#[test]
fn run_names_what_fell_and_how_to_see_it_again() {
    let run = with(&["run", "swarm", "--seeds", "1..2", "-o", "json"], &PLANTED);
    assert_eq!(code(&run), 1);
    let fall = &parsed(&run)["scenarios"][0]["violations"][0];
    assert_eq!((&fall["law"], &fall["seed"]), (&json!(FALLS), &json!(1)));
    let replay = fall["replay"].as_str().unwrap();
    let (_, arguments) = replay.split_once(" -- ").unwrap();
    let arguments: Vec<&str> = arguments.split(' ').collect();
    assert_eq!(code(&arguments), 1);
    assert!(told(&arguments).contains(FALLS));
}

#[test]
fn jobs_change_nothing_but_the_time() {
    let counts = |jobs| {
        let summary = parsed(&["run", "swarm", "--seeds", "0..3", "--jobs", jobs, "-o", "json"]);
        let row = &summary["scenarios"][0];
        ["events", "sim_seconds", "faults", "coverage"].map(|name| row[name].clone())
    };
    assert_eq!(counts("1"), counts("3"));
}

#[test]
fn replay_ends_in_the_hash() {
    let told_hash = |arguments: &[&str]| hash(&told(arguments));
    let whole = told_hash(&["replay", "swarm", "7"]);
    assert_eq!(whole, told_hash(&["replay", "swarm", "0x7", "--log"]));
    assert_eq!(whole, told_hash(&["replay", "swarm", "7", "--only", "worker-1", "--verbose"]));
    assert_ne!(whole, told_hash(&["replay", "swarm", "8"]));
    assert_ne!(whole, told_hash(&["replay", "swarm", "7", "--until", "9"]));
}

#[test]
fn replay_until_stops_after_that_step() {
    let text = told(&["replay", "swarm", "7", "--until", "9", "--log"]);
    let steps = text.lines().filter(|line| line.starts_with(' ') && line.contains(" t+"));
    let numbered = steps.filter(|line| line[..6].trim().parse::<u64>().is_ok()).count();
    assert_eq!(numbered, 10, "{text}");
}

#[test]
fn a_report_is_one_screen() {
    let text = told(&with(&["replay", "swarm", SEED], &PLANTED));
    assert!(text.lines().count() <= 50, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 160), "{text}");
    assert!(text.starts_with("FAILED    swarm   seed 1   step "), "{text}");
    for title in ["law  ", "planted", "drawn", "plan  ", "faults", "judged", "last", "replay"] {
        assert!(text.lines().any(|line| line.starts_with(title)), "{title}\n{text}");
    }
}

#[test]
fn only_tells_of_one_thing_or_says_what_there_is() {
    let told_of = |entity: &str| {
        let text = told(&["replay", "swarm", "7", "--only", entity]);
        let is_event =
            |line: &&str| line.starts_with(' ') && line[..6].trim().parse::<u64>().is_ok();
        text.lines().take_while(is_event).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let of_one = told_of("ex-1");
    assert!(of_one.iter().any(|line| line.contains("execution ex-1 ")), "{of_one:?}");
    assert!(of_one.iter().all(|line| !line.contains(" ex-2 ")), "{of_one:?}");
    assert!(told_of("worker-1").iter().all(|line| line.contains(" worker-1 ")));
    assert!(told_of("tx-3").iter().all(|line| line.contains(" tx-3 ")));
    let wrong = complaint(&["replay", "swarm", "7", "--only", "ex-100000"]);
    assert!(wrong.contains("nothing is about `ex-100000`; there are ex-1 to ex-"), "{wrong}");
}

#[test]
fn a_case_is_small_and_falls_each_time() {
    let (case, text) = shrunk("small.json");
    assert!(text.starts_with("shrunk"), "{text}");
    assert!(text.contains("before    faults") && text.contains("after     faults"), "{text}");
    let read: Value = serde_json::from_str(&fs::read_to_string(&case).unwrap()).unwrap();
    let faults = read["strikes"].as_array().unwrap().len()
        + read["plan"]["disturbances"].as_array().unwrap().len();
    assert!(faults <= 8, "{read}");
    let mut hashes = Vec::new();
    for _ in 0..5 {
        let output = sim(&["replay", "--case", case.to_str().unwrap()]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("{FALLS} falls, as the case says")), "{text}");
        hashes.push(hash(&text));
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn a_case_that_cannot_be_read_says_why() {
    let (case, _) = shrunk("wrong.json");
    let right = fs::read_to_string(&case).unwrap();
    let replay = ["replay", "--case", case.to_str().unwrap()];
    let wrong = |from: &str, to: &str| {
        assert!(right.contains(from), "{from}\n{right}");
        fs::write(&case, right.replacen(from, to, 1)).unwrap();
        complaint(&replay)
    };
    assert!(wrong("\"seed\"", "seed").contains("line 4, column 3"));
    assert!(wrong("\"version\": 1", "\"version\": 99").contains("of version 99"));
    assert!(wrong("\"swarm\"", "\"swarn\"").contains("did you mean `swarm`?"));
    assert!(wrong(FALLS, "holders_never_exceed_the_limits").contains(FALLS));
    assert!(wrong(PLANTED[1], "promote_without_capacity_chek").contains(PLANTED[1]));
    assert!(wrong("\"sim.", "\"sim.x").contains("no action is called `sim.x"));
    assert!(wrong("\"workers\": ", "\"workers\": 9").contains("not from 1 to 64"));
    fs::remove_file(&case).unwrap();
    assert!(complaint(&replay).contains("wrong.json: "));
}

#[test]
fn a_point_that_is_not_reached_is_named() {
    let (case, _) = shrunk("unreached.json");
    let mut read: Value = serde_json::from_str(&fs::read_to_string(&case).unwrap()).unwrap();
    read.as_object_mut().unwrap().remove("planted");
    read["strikes"] = json!([{
        "point": { "site": "commit", "of": "ex-7000", "nth": 3 }, "strike": "commit_lost",
    }]);
    fs::write(&case, read.to_string()).unwrap();
    let output = sim(&["replay", "--case", case.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("unreached 3rd commit of ex-7000"), "{text}");
    assert!(text.contains("case_matches"), "{text}");
    assert!(text.contains(&format!("it says that {FALLS} falls")), "{text}");
    hash(&text);
}

#[test]
fn two_processes_agree() {
    let text = told(&["meta", "swarm", "--seeds", "0..3"]);
    assert!(text.starts_with("same"), "{text}");
}

#[test]
fn bad_usage_is_2_and_says_what() {
    let cases: [&[&str]; 13] = [
        &[],
        &["dance"],
        &["run", "nobody_wrote_this"],
        &["run", "--seeds", "9..3"],
        &["run", "--seeds", "9"],
        &["run", "--jobs", "0"],
        &["run", "--planted", "nobody_planted_this"],
        &["replay", "swarm"],
        &["replay", "swarm", "many"],
        &["replay", "--case", "there/is/none.json"],
        &["shrink", "swarm"],
        &["shrink", "nobody_wrote_this", "1"],
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

#[test]
fn a_name_that_is_nearly_right_is_met_halfway() {
    assert!(complaint(&["replay", "swarn", "1"]).contains("did you mean `swarm`?"));
    let planted = ["replay", "swarm", "1", "--planted", "promote_without_capacity_chek"];
    assert!(complaint(&planted).contains(PLANTED[1]));
    assert!(complaint(&["run", "--seeds", "5..5"]).contains("holds no seed"));
    assert!(complaint(&["import", "trace.json"]).contains("not built yet"));
}
