//! What is said about packs and action files.

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

/// An action file of the pack, and everything that is said about it.
fn check_action(text: &str, expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|e| format!("p/actions/a.yaml:{e}")).collect();
    let (_, found) = load(&pack(&[("actions/a.yaml", text)]));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn keys_of_an_action() {
    let head = "ref: p.a\nrunner_type: shell\nentry_point: run.sh\n";
    let table: [(&str, &[&str]); 12] = [
        ("timeout: 5\n", &[]),
        (
            "timout: 5\nruntime_version: 3\n",
            &[
                "4: warning: unknown key `timout` in the action has no effect; did you mean `timeout`?",
                "5: warning: unknown key `runtime_version` in the action has no effect",
            ],
        ),
        (
            "timeout: -5\nmax_retries: -1\non_lost: keep\nconcurrency_limit: 0\n",
            &[
                "4: `timeout` of the action must be a number of seconds, more than 0, not -5",
                "5: `max_retries` of the action must be a whole number of at least 0, not -1",
                "6: `on_lost` of the action must be one of retry, abandon, not `keep`",
                "7: `concurrency_limit` of the action must be a whole number of at least 1, not 0",
            ],
        ),
        (
            "timeout: 5\ntimeout_seconds: 6\nretry: 1\nmax_retries: 2\n",
            &[
                "5: warning: `timeout_seconds` has no effect beside `timeout`; keep one of them",
                "7: warning: `max_retries` has no effect beside `retry`; keep one of them",
            ],
        ),
        (
            "parameter_delivery: argv\nparameter_format: xml\noutput_format: jsn\nenabled: 7\n",
            &[
                "4: `parameter_delivery` of the action must be one of stdin, env, file, not `argv`",
                "5: `parameter_format` of the action must be one of json, dotenv, yaml, not `xml`",
                "6: `output_format` of the action must be one of text, json, jsonl, yaml, not `jsn`; \
             did you mean `json`?",
                "7: `enabled` of the action must be `true` or `false`, not 7",
            ],
        ),
        (
            "concurrency_key: '{{ parameters.a }}'\n",
            &["4: warning: `concurrency_key` has no effect without `concurrency_limit`"],
        ),
        (
            "concurrency_limit: 1\nconcurrency_key: '{{ config.a }} {{ parameters.pw }}'\n\
          parameters: {pw: {secret: true}}\n",
            &[
                "5: `concurrency_key` may read only `parameters`, not `config`",
                "5: `concurrency_key` would show the secret parameter `pw`",
            ],
        ),
        (
            "concurrency_limit: 1\nconcurrency_key: '{{ parameters. }}'\n",
            &[
                "5: `concurrency_key`: unexpected end of variable block, expected identifier or integer",
            ],
        ),
        (
            "tags: 5\nlabel: [x]\n",
            &[
                "4: `tags` of the action must be a list of words, not 5",
                "5: `label` of the action must be text, not a list",
            ],
        ),
        (
            "parameters: [host]\n",
            &["4: parameters must be a mapping such as `name: {type: string}`, not a list"],
        ),
        (
            "parameters:\n  a: string\n  b: {type: strin, requird: true}\n  c: {type: integer, default: x}\n  \
          d: {enum: []}\n  e: {type: integer, minimum: 5, maximum: 1}\n  f: {pattern: '('}\n  \
          g: {type: string, enum: [a, 1]}\n",
            &[
                "5: parameter `a` must be a mapping, not text",
                "6: parameter `b` has the unknown type `strin`; types are string, integer, number, \
             boolean, array, object, null; did you mean `string`?",
                "6: warning: unknown key `requird` in parameter `b` has no effect; did you mean \
             `required`?",
                "7: default of parameter `c` must be an integer, not a string (\"x\")",
                "8: `enum` of parameter `d` allows nothing; remove it",
                "9: parameter `e` allows nothing: its minimum is above its maximum",
                "10: `pattern` of parameter `f`: found open group without closing ')'",
                "11: a value of `enum` of parameter `g` must be a string, not an integer (1)",
            ],
        ),
        (
            "parameters:\n  type: object\n  properties: {host: {type: string}}\n  required: [hots]\n",
            &["7: `required` names `hots`, which is not declared; did you mean `host`?"],
        ),
    ];
    for (text, expected) in table {
        check_action(&format!("{head}{text}"), expected);
    }
}

#[test]
fn refs_and_runners() {
    check_action(
        "runner_type: shell\nentry_point: run.sh\n",
        &["1: warning: the action has no `ref`; it is taken to be `p.a`"],
    );
    check_action(
        "ref: q.a\nrunner_type: shell\nentry_point: run.sh\n",
        &["1: `q.a` must begin with the ref of its pack: `p.`"],
    );
    check_action(
        "ref: p.a b\nrunner_type: shell\nentry_point: run.sh\n",
        &["1: `p.a b` is not a ref; write `pack.name` in letters, digits, `_` and `-`"],
    );
    check_action(
        "ref: p.a\nlabel: x\n",
        &[
            "1: the action needs `entry_point`, a file beside it",
            "1: the action needs `runner_type`, one of shell, python, nodejs, perl, ruby, native, or \
         `workflow_file`",
        ],
    );
    check_action(
        "ref: p.a\nrunner_type: pyton\nentry_point: run.sh\n",
        &[
            "2: `runner_type` of the action must be one of shell, python, nodejs, perl, ruby, native, \
         not `pyton`; did you mean `python`?",
        ],
    );
}

#[test]
fn entry_points_are_files_of_the_pack() {
    let action = |runner: &str, entry: &str| {
        format!("ref: p.a\nrunner_type: {runner}\nentry_point: {entry}\n")
    };
    check_action(
        &action("shell", "gone.sh"),
        &["3: `entry_point` names `gone.sh`, which does not exist"],
    );
    check_action(
        &action("native", "run.sh"),
        &["3: `entry_point` names `run.sh`, which is not executable; `chmod +x` it"],
    );
    check_action(
        &action("shell", "../actions"),
        &["3: `entry_point` names `../actions`, which is not a file"],
    );
    check_action(&action("shell", "../../p/actions/run.sh"), &[]);
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
        &[
            "p/actions/a.yaml:2: `workflow_file` names `workflows/a.workflow.yaml`, which does not exist",
        ],
    );
    check(
        &[
            ("actions/a.yaml", &format!("{action}runner_type: shell\n")),
            ("actions/workflows/a.workflow.yaml", "label: x\ntasks: [{name: t, action: p.z}]\n"),
        ],
        &[
            "p/actions/a.yaml:3: warning: `runner_type` has no effect beside `workflow_file`",
            "p/actions/workflows/a.workflow.yaml:1: warning: `label` has no effect here; it belongs \
             to the action's file",
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
            "p/workflows/a.yaml:4: task `t` makes the workflow run itself: p.a -> p.b -> p.c -> p.a",
            "p/workflows/b.yaml:4: task `t` makes the workflow run itself: p.b -> p.c -> p.a -> p.b; \
         with concurrency_limit 1 it would wait for its own slot",
            "p/workflows/c.yaml:4: task `t` makes the workflow run itself: p.c -> p.a -> p.b -> p.c",
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
    let first = dir.path().display();
    assert_eq!(
        found,
        [
            format!("p/actions/y.yaml:1: `p.run` is defined in p/actions/x.yaml as well"),
            format!(
                "q/pack.yaml: the pack `p` is defined in p/pack.yaml as well; rename one or leave \
                 one out"
            ),
        ],
        "{first}"
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
