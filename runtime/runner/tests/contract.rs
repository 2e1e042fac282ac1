//! What an action gets: interpreter, environment, directory, parameters. And the clear failures
//! when it cannot be started.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use steadfast_runner::{
    Delivery, Environment, Guardian, Interpreter, Outcome, OutputFormat, ParameterFormat, Runner,
};
use support::{Pack, failed, not_started, succeeded};

#[tokio::test]
async fn the_environment_is_the_contract_and_nothing_else() {
    let mut pack = Pack::new("exec env -0");
    pack.config.environment = Environment::from_lookup(|name| match name {
        "PATH" => std::env::split_paths("/usr/local/bin:/usr/bin:/bin")
            .next()
            .map(|_| "/usr/local/bin:/usr/bin:/bin".into()),
        "DATABASE_URL" => Some("postgres://engine:secret@db".into()),
        other => Some(format!("<{other}>").into()),
    });
    let text = succeeded(pack.run(pack.invocation()).await);
    let mut variables: Vec<(&str, &str)> = text
        .as_str()
        .unwrap()
        .split_terminator('\0')
        .map(|variable| variable.split_once('=').unwrap())
        .collect();
    variables.sort_unstable();
    // What the shell itself sets.
    variables.retain(|(name, _)| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
    let guardian = variables.iter().position(|(n, _)| *n == "STEADFAST_GUARDIAN").unwrap();
    assert_eq!(variables.remove(guardian).1.len(), 32);
    let expected = [
        ("HOME", "<HOME>"),
        ("LANG", "<LANG>"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("STEADFAST_ACTION_REF", "pack.run"),
        ("STEADFAST_ATTEMPT", "1"),
        ("STEADFAST_EXECUTION_ID", "7"),
        ("STEADFAST_FENCING_TOKEN", "3"),
        ("STEADFAST_IDEMPOTENCY_KEY", "key-7"),
        ("TMPDIR", "<TMPDIR>"),
        ("TZ", "<TZ>"),
    ];
    assert_eq!(variables, expected);
}

#[tokio::test]
async fn it_runs_in_the_directory_of_the_pack_as_leader_of_a_group() {
    let pack = Pack::new("pwd -P; ps -o pgid= -p $$ | tr -d ' '; echo $$; ls /proc/self/fd");
    let text = succeeded(pack.run(pack.invocation()).await);
    let lines: Vec<&str> = text.as_str().unwrap().lines().collect();
    assert_eq!(lines[0], fs::canonicalize(pack.path()).unwrap().to_str().unwrap());
    assert_eq!(lines[1], lines[2]);
    // 3 is the directory that `ls` reads. Nothing that this program opened has leaked; what it
    // was itself started with may have been meant for its children.
    let unexpected = |fd: &&str| !["0", "1", "2", "3"].contains(fd) && !is_inherited(fd);
    assert_eq!(lines[3..].iter().copied().filter(unexpected).collect::<Vec<_>>(), [] as [&str; 0]);
}

/// Whether `fd` of this program stays open in its children.
fn is_inherited(fd: &str) -> bool {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("0");
    const CLOSE_ON_EXEC: u32 = 0o2000000;
    u32::from_str_radix(flags.trim(), 8).unwrap() & CLOSE_ON_EXEC == 0 && !info.is_empty()
}

#[tokio::test]
async fn every_runtime_found_runs_its_scripts() {
    let scripts = [
        (Interpreter::Shell, "[[ a == a ]] && echo hello"),
        (Interpreter::Python, "print('hello')"),
        (Interpreter::NodeJs, "console.log('hello')"),
        (Interpreter::Perl, "print \"hello\\n\""),
        (Interpreter::Ruby, "puts 'hello'"),
        (Interpreter::Native, "#!/bin/sh\necho hello\n"),
    ];
    for (runtime, script) in scripts {
        let pack = Pack::new(script);
        if runtime == Interpreter::Native {
            pack.make_executable();
        }
        let mut invocation = pack.invocation();
        invocation.runtime = runtime;
        let outcome = pack.run(invocation).await;
        if pack.runner().runtimes().contains(&runtime.name()) {
            assert_eq!(succeeded(outcome), json!("hello"), "{}", runtime.name());
        } else {
            let error = not_started(outcome);
            assert!(error.contains("no interpreter") && error.contains(runtime.name()), "{error}");
        }
    }
}

#[tokio::test]
async fn a_missing_interpreter_is_a_clear_failure() {
    let mut pack = Pack::new("print('hello')");
    let bin = pack.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("python3"), "not executable").unwrap();
    pack.config.environment = Environment::from_lookup(move |name| {
        (name == "PATH").then(|| format!("relative:{}", bin.display()).into())
    });
    assert_eq!(pack.runner().runtimes(), ["native"]);
    let mut invocation = pack.invocation();
    invocation.runtime = Interpreter::Python;
    let failure = failed(pack.run(invocation).await);
    assert!(failure.error.contains("PATH has no python3 and no python"), "{}", failure.error);
    assert!(!failure.retryable);
}

#[tokio::test]
async fn an_entry_point_that_cannot_run_says_why() {
    let pack = Pack::new("");
    let try_native = |entry_point: &str| {
        let mut invocation = pack.invocation();
        invocation.runtime = Interpreter::Native;
        invocation.entry_point = entry_point.into();
        pack.run(invocation)
    };
    assert!(not_started(try_native("run").await).contains("chmod +x"));
    assert!(not_started(try_native("none").await).contains("does not exist"));
    assert!(not_started(try_native("").await).contains("is not a file"));
    for contents in ["#!/no/such/interpreter\n", "\u{1}\u{2}\u{3}", ""] {
        fs::write(pack.entry_point(), contents).unwrap();
        pack.make_executable();
        let error = not_started(try_native("run").await);
        assert!(error.contains("cannot be executed"), "{contents:?}: {error}");
    }
    let mut invocation = pack.invocation();
    invocation.working_dir = pack.path().join("none");
    assert!(not_started(pack.run(invocation).await).contains("working directory"));
}

#[tokio::test]
async fn a_program_that_is_being_written_is_the_machine_s_trouble() {
    let pack = Pack::new("");
    fs::copy("/bin/true", pack.entry_point()).unwrap();
    pack.make_executable();
    let mut writer = fs::OpenOptions::new().append(true).open(pack.entry_point()).unwrap();
    writer.write_all(b"\0").unwrap();
    let mut invocation = pack.invocation();
    invocation.runtime = Interpreter::Native;
    let failure = failed(pack.run(invocation.clone()).await);
    assert!(failure.retryable && failure.error.contains("being written"), "{}", failure.error);
    drop(writer);
    succeeded(pack.run(invocation).await);
}

#[tokio::test]
async fn parameters_arrive_on_standard_input_in_each_format() {
    for (format, expected) in [
        (ParameterFormat::Json, "{\"list\":[1,2],\"name\":\"it's\"}\n"),
        (ParameterFormat::Dotenv, "list='[1,2]'\nname='it'\\''s'\n"),
        (ParameterFormat::Yaml, "list:\n- 1\n- 2\nname: it's\n"),
    ] {
        let pack = Pack::new("cat; echo END");
        let mut invocation = pack.invocation();
        invocation.format = format;
        invocation.parameters = json!({"name": "it's", "list": [1, 2]});
        assert_eq!(succeeded(pack.run(invocation).await), json!(format!("{expected}END")));
    }
}

#[tokio::test]
async fn dotenv_can_be_read_by_a_shell() {
    let nasty = "a'b\"c $(touch owned) `x` \\ \n second line";
    let pack = Pack::new("set -a; eval \"$(cat)\"; printf %s \"$value\"");
    let mut invocation = pack.invocation();
    invocation.format = ParameterFormat::Dotenv;
    invocation.parameters = json!({"value": nasty});
    assert_eq!(succeeded(pack.run(invocation).await), json!(nasty));
    assert!(!pack.path().join("owned").exists());
}

#[tokio::test]
async fn parameters_arrive_in_the_environment() {
    let pack = Pack::new("echo $STEADFAST_PARAM_API_KEY; echo $ATTUNE_ACTION_API_KEY; cat");
    let mut invocation = pack.invocation();
    invocation.delivery = Delivery::Env;
    invocation.parameters = json!({"api-key": "k", "deep": {"a": 1}});
    assert_eq!(succeeded(pack.run(invocation.clone()).await), json!("k\nk"));
    invocation.parameters = json!({"n": "a\u{0}b"});
    assert!(not_started(pack.run(invocation.clone()).await).contains("`n` contains a NUL"));
    invocation.parameters = json!(["not", "an", "object"]);
    assert!(not_started(pack.run(invocation.clone()).await).contains("not an object"));
    invocation.parameters = json!({"huge": "x".repeat(4 << 20)});
    let failure = failed(pack.run(invocation).await);
    assert!(failure.error.contains("too large") && !failure.retryable, "{}", failure.error);
}

#[tokio::test]
async fn a_parameter_file_is_private_and_gone_afterwards() {
    let script = "stat -c %a \"$STEADFAST_PARAMETERS_FILE\"; echo $STEADFAST_PARAMETERS_FILE; \
                  cat \"$ATTUNE_PARAMETER_FILE\"";
    for guarded in [true, false] {
        let mut pack = Pack::new(script);
        if !guarded {
            pack.config.guardian = None;
        }
        let mut invocation = pack.invocation();
        invocation.delivery = Delivery::File;
        invocation.parameters = json!({"a": 1});
        let text = succeeded(pack.run(invocation).await);
        let lines: Vec<&str> = text.as_str().unwrap().lines().collect();
        assert_eq!((lines[0], lines[2]), ("600", "{\"a\":1}"));
        assert!(!fs::exists(lines[1]).unwrap());
    }
}

#[tokio::test]
async fn a_process_that_does_not_read_its_input_is_within_its_rights() {
    for script in
        ["echo done", "exec <&-; sleep 0.1; echo done", "head -c 10 >/dev/null; echo done"]
    {
        let pack = Pack::new(script);
        let mut invocation = pack.invocation();
        invocation.parameters = json!({"large": "x".repeat(1 << 20)});
        assert_eq!(succeeded(pack.run(invocation).await), json!("done"), "{script}");
    }
}

#[tokio::test]
async fn a_parameter_file_that_cannot_be_written_is_the_machine_s_trouble() {
    let mut pack = Pack::new("");
    pack.config.guardian = None;
    pack.config.environment = Environment::from_lookup(|name| match name {
        "TMPDIR" => Some("/no/such/directory".into()),
        "PATH" => Some("/usr/bin:/bin".into()),
        _ => None,
    });
    let mut invocation = pack.invocation();
    invocation.delivery = Delivery::File;
    let failure = failed(pack.run(invocation).await);
    assert!(failure.retryable && failure.error.contains("parameter file"), "{}", failure.error);
}

#[tokio::test]
async fn secrets_stay_out_of_logs_errors_and_debug_output() {
    let pack = Pack::new(
        "read -r line; echo \"out $line\"; printf %s hunt >&2; sleep 0.05; echo er2 >&2; exit 4",
    );
    let mut invocation = pack.invocation();
    invocation.parameters = json!({"password": "hunter2"});
    invocation.secrets = vec!["hunter2".to_owned()];
    assert!(!format!("{invocation:?}").contains("hunter2"));
    let failure = failed(pack.run(invocation).await);
    assert_eq!(failure.error, "exit code 4; stderr: [redacted]");
    assert_eq!(
        pack.log(steadfast_runner::LogStream::Stdout),
        "out {\"password\":\"[redacted]\"}\n"
    );
    assert_eq!(pack.log(steadfast_runner::LogStream::Stderr), "[redacted]\n");
}

#[tokio::test]
async fn logs_are_private() {
    let pack = Pack::new("echo x");
    let outcome = pack.run(pack.invocation()).await;
    assert_eq!(outcome, Outcome::Succeeded(json!("x")));
    let file = pack.path().join("data/logs/07/7/1.stdout");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_relative_pack_directory_works() {
    let here = std::env::current_dir().unwrap();
    let directory = tempfile::tempdir_in(&here).unwrap();
    fs::create_dir(directory.path().join("actions")).unwrap();
    fs::write(directory.path().join("actions/run"), "echo here").unwrap();
    let pack = Pack::new("");
    let mut invocation = pack.invocation();
    invocation.working_dir = directory.path().strip_prefix(&here).unwrap().to_owned();
    assert_eq!(succeeded(pack.run(invocation).await), json!("here"));
}

#[tokio::test]
async fn many_runners_share_a_guardian() {
    let pack = Pack::new("cat");
    let guardian: Guardian = pack.config.guardian.clone().unwrap();
    assert!(support::is_alive(guardian.pid() as i32));
    let runner = Runner::new(pack.config.clone());
    let mut running = tokio::task::JoinSet::new();
    for execution in 0..40_u64 {
        let mut invocation = pack.invocation();
        invocation.execution = execution;
        invocation.output = OutputFormat::Json;
        invocation.parameters = json!({"n": execution});
        let runner = runner.clone();
        running.spawn(async move { runner.run(invocation, Default::default()).await });
    }
    let results: BTreeSet<u64> = running
        .join_all()
        .await
        .into_iter()
        .map(|outcome| succeeded(outcome)["n"].as_u64().unwrap())
        .collect();
    assert_eq!(results, (0..40).collect());
}
