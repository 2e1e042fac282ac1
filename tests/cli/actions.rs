//! Actions that misbehave, run by `run`.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Place, eventually, lives, now};

#[test]
fn the_result_has_its_shape_and_flags_stand_anywhere() {
    let place = Place::new();
    place.action("say", "output_format: json\n", "echo '{\"a\": [1, 2.5, null]}'\n");
    place.write("flow.yaml", "ref: t.flow\ntasks: [{name: one, action: t.say}]\n");
    let flags = ["-o", "json", "run", "flow.yaml", "--pack", "pack"];
    let value = place.run(&flags).code(0).json();
    let mut names: Vec<&String> = value.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["action_ref", "error", "id", "result", "status", "tasks"]);
    assert_eq!(value["status"], "completed");
    let id = value["tasks"][0]["execution_id"].as_u64().expect("a number");
    let task = json!({"name": "one", "occurrence": 0, "item_index": null, "status": "completed",
        "attempts": 1, "execution_id": id});
    assert_eq!(value["tasks"], json!([task]));
    let value = place.run(&["run", "t.say", "--pack", "pack", "-o", "json"]).code(0).json();
    assert_eq!(value["result"], json!({"a": [1, 2.5, null]}));
    assert_eq!((&value["error"], &value["tasks"]), (&Value::Null, &json!([])));
    place.run(&["run", "t.say", "--pack", "pack", "-o", "yaml"]).code(0).shows("status: completed");
    place.run(&["run", "t.say", "--pack", "pack"]).code(0).shows("status     completed");
}

#[test]
fn a_failure_is_exit_code_1_with_its_reason() {
    let place = Place::new();
    place.action("fail", "", "echo too bad >&2; exit 3\n");
    let ended = place.run(&["run", "t.fail", "--pack", "pack", "-o", "json"]).code(1);
    let ended = ended.says("(t.fail) ended as failed: exit code 3; stderr: too bad");
    assert_eq!(ended.json()["status"], "failed");
}

#[test]
fn a_missing_interpreter_fails_at_once() {
    let place = Place::new();
    place.write("pack/actions/gem.yaml", "ref: t.gem\nrunner_type: ruby\nentry_point: gem.rb\n");
    place.write("pack/actions/gem.rb", "puts 1\n");
    fs::create_dir(place.path("bin")).unwrap();
    symlink("/bin/sh", place.path("bin/sh")).unwrap();
    let begun = now();
    let start = place.steadfast(&["run", "t.gem", "--pack", "pack", "-o", "json"]);
    let ended = start.env("PATH", place.path("bin")).run().code(1);
    let ended = ended.says("`t.gem` has the runner_type ruby, and there is no `ruby` on the PATH");
    assert_eq!(ended.json()["status"], "failed");
    assert!(now().duration_since(begun) < Duration::from_secs(10), "it waited");
}

#[test]
fn entry_points_that_cannot_be_run_are_found_at_once() {
    let place = Place::new();
    place.write("outside.sh", "echo out\n");
    // entry point, runner
    let table = [("nowhere.sh", "shell"), ("../../outside.sh", "shell"), ("plain", "native")];
    place.write("pack/actions/plain", "echo plain\n");
    for (entry, runner) in table {
        let text = format!("ref: t.x\nrunner_type: {runner}\nentry_point: {entry}\n");
        place.write("pack/actions/x.yaml", text);
        let ended = place.run(&["run", "t.x", "--pack", "pack"]).code(2).shows_nothing();
        ended.says("pack/actions/x.yaml:3: ").says(entry);
    }
}

#[test]
fn secrets_are_nowhere_to_be_read() {
    const SECRET: &str = "hunter2-a-secret";
    let place = Place::new();
    let declared = "parameters:\n  key: {type: string, secret: true}\noutput_format: json\n";
    let script = "p=$(cat); echo \"$p\" >&2; echo \"$p\"\n";
    place.action("leak", declared, script);
    place.action("leak_and_fail", declared, "cat >&2; exit 1\n");
    let flow = "ref: t.flow\nparameters:\n  key: {type: string, secret: true}\ntasks:\n  - name: a\n    \
                action: t.leak\n    input: {key: \"{{ parameters.key }}\"}\n    \
                next: [{do: [b]}]\n  - name: b\n    action: t.leak_and_fail\n    \
                input: {key: \"{{ parameters.key }}\"}\noutput_map: {all: \"{{ task.a.result }}\"}\n";
    place.write("flow.yaml", flow);
    let key = format!("key={SECRET}");
    for (target, code) in [("t.leak", 0), ("t.leak_and_fail", 1), ("flow.yaml", 1)] {
        let arguments = ["run", target, "--pack", "pack", "--data", "data", "-p", &key];
        for format in ["table", "json", "yaml"] {
            let all: Vec<&str> = arguments.iter().copied().chain(["-o", format]).collect();
            let ended = place.steadfast(&all).env("RUST_LOG", "trace").run().code(code);
            assert!(!ended.stdout.contains(SECRET), "{target}: {}", ended.stdout);
            assert!(!ended.stderr.contains(SECRET), "{target}: {}", ended.stderr);
        }
    }
    let logs = files_below(&place.path("data/logs"));
    let in_their_place = logs.iter().all(|log| !log.to_string_lossy().contains("logs/logs"));
    assert!(!logs.is_empty() && in_their_place, "{logs:?}");
    for log in logs {
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
        assert!(!text.contains(SECRET), "{}: {text}", log.display());
    }
}

fn files_below(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn output_that_is_not_what_was_declared() {
    let place = Place::new();
    place.action("prose", "output_format: json\n", "echo once upon a time\n");
    let ended = place.run(&["run", "t.prose", "--pack", "pack", "-o", "json"]).code(1);
    assert!(ended.json()["error"].as_str().unwrap().contains("JSON"), "{ended:#?}");

    place.action("flood", "", "head -c 10000000 /dev/zero | tr '\\0' x\n");
    let ended = place.run(&["run", "t.flood", "--pack", "pack", "-o", "json"]).code(1);
    assert!(ended.json()["error"].as_str().unwrap().contains("max_result_bytes"), "{ended:#?}");
    let start = place.steadfast(&["run", "t.flood", "--pack", "pack", "-o", "json"]);
    let ended = start.env("STEADFAST__WORKER__MAX_RESULT_BYTES", "20000000").run().code(0);
    assert_eq!(ended.json()["result"].as_str().map(str::len), Some(10_000_000));

    place.action("noise", "", "printf 'a\\000b\\377c'\n");
    let value = place.run(&["run", "t.noise", "--pack", "pack", "-o", "json"]).code(0).json();
    assert_eq!(value["result"], "a\u{0}b\u{fffd}c");
}

#[test]
fn a_process_that_ignores_sigterm_is_killed_at_its_timeout() {
    let place = Place::new();
    place.action(
        "stubborn",
        "timeout: 1\n",
        "trap '' TERM; echo $$ > pid; sleep 60 & wait; sleep 60\n",
    );
    let begun = now();
    let start = place.steadfast(&["run", "t.stubborn", "--pack", "pack", "-o", "json"]);
    let ended = start.env("STEADFAST__WORKER__KILL_GRACE", "0.5").run().code(1);
    assert_eq!(ended.json()["status"], "timed_out");
    assert!(now().duration_since(begun) < Duration::from_secs(15), "it was waited for");
    assert!(!lives(&place.path("pack/pid")), "it lives on");
}

#[test]
fn a_child_that_was_left_behind_is_ended() {
    let place = Place::new();
    place.action("parent", "", "sleep 300 & echo $! > pid; echo done\n");
    let begun = now();
    let value = place.run(&["run", "t.parent", "--pack", "pack", "-o", "json"]).code(0).json();
    assert_eq!(value["result"], "done");
    assert!(now().duration_since(begun) < Duration::from_secs(15), "it was waited for");
    eventually("the end of the child", || !lives(&place.path("pack/pid")));
}

#[test]
fn a_list_shows_its_progress_in_lines() {
    let place = Place::new();
    place.action("nap", "parameters: {n: {type: integer}}\n", "sleep 0.05\n");
    place.write(
        "flow.yaml",
        "ref: t.flow\ntasks:\n  - name: naps\n    action: t.nap\n    \
         with_items: \"{{ range(40) | list }}\"\n    concurrency: 2\n    \
         input: {n: \"{{ item }}\"}\n",
    );
    let ended = place.run(&["run", "flow.yaml", "--pack", "pack"]).code(0);
    let ended = ended.says("task naps: started, 40 items").says("40 of 40 completed");
    let lines = ended.stderr.lines().count();
    assert!((3..=14).contains(&lines), "a line for each tenth at most: {ended:#?}");
}
