//! Bad usage and bad input: exit code 2, one sentence each, before anything runs.

use crate::support::{Place, core_pack};

/// A workflow file whose tasks are `tasks`.
fn workflow(tasks: &str) -> String {
    format!("ref: t.flow\nversion: 1.0.0\ntasks:\n{tasks}")
}

#[test]
fn a_command_line_that_cannot_be_understood() {
    // arguments, what is said
    let table: &[(&[&str], &str)] = &[
        (&["--frob"], "steadfast: unexpected argument '--frob' found; see `steadfast --help`"),
        (
            &["run", "--frob", "t.x"],
            "unexpected argument '--frob' found; see `steadfast run --help`",
        ),
        (&["run", "t.x", "--pak", "."], "a similar argument exists: '--pack'; see `steadfast run"),
        (&["run"], "required arguments were not provided: <TARGET>"),
        (&["fly"], "unrecognized subcommand 'fly'"),
        (&["run", "t.x", "-o", "xml"], "invalid value 'xml' for '--output <FORMAT>'"),
        (&["run", "t.x", "--capacity", "0"], "invalid value '0' for '--capacity <N>'"),
        (&["execution", "get", "seven"], "an execution is named by its number, such as 7"),
        (&["queue", "set-limit", "t.x", "0"], "a limit is a whole number of at least 1"),
        (
            &["run", "t.x"],
            "there is no action `t.x`: no packs are loaded; name one with --pack DIR",
        ),
    ];
    let place = Place::new();
    for (arguments, sentence) in table {
        let ended = place.run(arguments).code(2).says(sentence).shows_nothing();
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
    }
    place.run(&[]).code(2).says("Usage: steadfast").shows_nothing();
}

#[test]
fn a_parked_message_is_given_up_for_a_reason_only() {
    let place = Place::new();
    let help = place.run(&["--help"]).code(0).stdout;
    assert!(help.contains("\n  parked"), "{help}");
    let ended = place.run(&["parked", "discard", "7"]).code(2).says("--reason");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
}

#[test]
fn production_verbs_say_what_they_need() {
    let place = Place::new();
    let help = place.run(&["--help"]).code(0).stdout;
    for verb in ["migrate", "executor", "worker", "api", "serve"] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}: {help}");
        let ended = place.run(&[verb]).code(2).says("production processes need `rabbitmq`");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
    }
}

#[test]
fn workflow_files_that_are_wrong() {
    let task = "  - name: a\n    action: core.echo\n";
    // file, what is said
    let table: &[(String, &str)] = &[
        ("tasks: [\n  - name".into(), "flow.yaml:2: this is not YAML"),
        (workflow(&format!("{task}    concurrency: 0\n    with_items: [1]\n")), "flow.yaml:6: "),
        (workflow(&format!("{task}    next: [{{do: [b]}}]\n")), "flow.yaml:6: "),
        (workflow(&format!("{task}{task}")), "flow.yaml:6: "),
        (workflow("  - name: a\n    action: core.ecko\n"), "did you mean `core.echo`?"),
        (workflow(&format!("{task}    input: {{message: \"{{{{ 1 + \"}}\n")), "flow.yaml:6: "),
    ];
    let place = Place::new();
    for (text, sentence) in table {
        place.write("flow.yaml", text);
        let ended = place.run(&["run", "flow.yaml", "--pack", &core_pack()]).code(2);
        ended.says(sentence).shows_nothing();
    }
    let missing = place.run(&["run", "./nowhere.yaml"]).code(2);
    missing.says("nowhere.yaml").shows_nothing();
}

#[test]
fn parameters_that_do_not_fit() {
    let place = Place::new();
    let declared = "parameters:\n  n: {type: integer, required: true}\n  \
                    color: {type: string, enum: [red, green]}\n";
    place.action("typed", declared, "echo never > ran\n");
    place.write("list.json", "[1]");
    // arguments, what is said
    let table: &[(&[&str], &str)] = &[
        (&[], "`n`"),
        (&["-p", "n=many"], "parameter `n` must be an integer, and `many` is not"),
        (&["-p", "n=1", "-p", "color=blue"], "`color`"),
        (&["-p", "n=1", "-p", "colour=red"], "has no parameter `colour`; did you mean `color`?"),
        (&["-p", "n"], "a parameter is given as -p KEY=VALUE"),
        (&["--params", "{"], "--params is not JSON"),
        (&["--params", "[1]"], "--params must be a JSON object"),
        (&["--params", "@nowhere.json"], "the file nowhere.json cannot be read"),
        (&["--params", "@list.json"], "list.json must be a JSON object"),
        (&["--params", "{\"n\": \"1\"}"], "`n`"),
    ];
    for (arguments, sentence) in table {
        let mut all = vec!["run", "t.typed", "--pack", "pack", "--data", "data"];
        all.extend(*arguments);
        let ended = place.run(&all).code(2).says(sentence).shows_nothing();
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
    }
    assert!(!place.path("data").exists(), "nothing was to be touched");
}

#[test]
fn packs_that_are_wrong_name_file_and_line() {
    let place = Place::new();
    place.action("bad", "concurrency_limit: 0\nparameter_format: xml\n", "");
    for arguments in [&["run", "t.bad", "--pack", "pack"][..], &["dev", "--pack", "pack"]] {
        let ended = place.run(arguments).code(2).shows_nothing();
        ended.says("pack/actions/bad.yaml:4: ").says("pack/actions/bad.yaml:5: ");
    }
    let checked = place.run(&["pack", "check", "pack"]).code(2);
    checked
        .shows("pack/actions/bad.yaml:4: ")
        .shows("pack/actions/bad.yaml:5: ")
        .says("2 errors, no warnings; correct the files");
    let json = place.run(&["-o", "json", "pack", "check", "pack"]).code(2).json();
    assert_eq!(json["errors"], 2);
    assert_eq!(json["problems"][0]["line"], 4);
    place.run(&["run", "t.bad", "--pack", "elsewhere"]).code(2).says("elsewhere");
    place
        .run(&["pack", "check", &core_pack()])
        .code(0)
        .says("5 actions, no errors")
        .shows_nothing();
}

#[test]
fn a_configuration_that_is_wrong() {
    let place = Place::new();
    place.write("steadfast.yaml", "worker:\n  lease_renew_interval: 2\nexecutr: {}\n");
    let ended = place.run(&["run", "t.x"]).code(2).says(
        "3 * worker.lease_renew_interval (2 s, steadfast.yaml:2) must be at most \
         worker.lease_seconds (4 s, default)",
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
    place.write("steadfast.yaml", "executr: {}\n");
    let ended = place.run(&["run", "t.x"]).code(2);
    ended.says("steadfast.yaml:1: warning: unknown key `executr` has no effect");
    place.run(&["--config", "other.yaml", "run", "t.x"]).code(2).says("other.yaml cannot be read");
    let variable = place.steadfast(&["run", "t.x"]).env("STEADFAST__WORKER__CAPACITY", "none");
    variable.run().code(2).says("STEADFAST__WORKER__CAPACITY: `worker.capacity` must be");
}
