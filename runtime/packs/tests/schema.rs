//! Parameters: both dialects, checking, defaults, arguments, secrets, and what is prepared.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use steadfast_core::{ActionRef, Backoff, OnLost, QueueKey, Runtime, Span, Work};
use steadfast_packs::{
    Catalog, Definition, Kind, PolicyDefaults, Sources, convert_argument, prepare, redact,
    secret_values, validate,
};

fn action(name: &str) -> Arc<Definition> {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/packs/demo");
    let (catalog, problems) = Catalog::load(&Sources { search: Vec::new(), packs: vec![packs] });
    assert_eq!(problems, []);
    Arc::clone(catalog.get(&ActionRef::new(name)).expect("it is in the pack"))
}

fn checked(action: &Definition, parameters: Value) -> Result<Value, Vec<String>> {
    validate(action, parameters)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults_are_filled_in() {
    let echo = action("demo.echo");
    let expected = json!({"message": "hi", "level": "info", "times": 1});
    assert_eq!(checked(&echo, json!({"message": "hi"})), Ok(expected));
    let extra = json!({"message": "", "level": "warn", "times": 2.0, "token": null, "more": [1]});
    assert_eq!(checked(&echo, extra.clone()), Ok(extra));
    let nothing = json!({"message": "x", "level": null});
    let expected = json!({"message": "x", "level": "info", "times": 1});
    assert_eq!(checked(&echo, nothing), Ok(expected));

    let strict = action("demo.strict");
    let given = json!({"name": "x", "login": {"password": "p"}});
    let expected = json!({"name": "x", "ports": [80], "login": {"password": "p", "user": "root"}});
    assert_eq!(checked(&strict, given), Ok(expected));
    assert_eq!(checked(&action("demo.noop"), Value::Null), Ok(json!({})));
}

#[test]
fn everything_that_is_wrong_is_said() {
    let table = [
        ("demo.echo", json!({}), vec!["parameter `message` is required and was not given"]),
        ("demo.echo", json!([1]), vec!["the parameters must be an object, not an array"]),
        (
            "demo.echo",
            json!({"message": null, "times": 2.5, "level": 1}),
            vec![
                "parameter `message` must be a string, not null",
                "parameter `level` must be a string, not an integer (1)",
                "parameter `times` must be an integer, not a number (2.5)",
            ],
        ),
        (
            "demo.echo",
            json!({"message": "x", "times": 101, "token": 5}),
            vec![
                "parameter `times` must be at most 100, not 101",
                "parameter `token` has a value that is not allowed (secret)",
            ],
        ),
        (
            "demo.strict",
            json!({"name": "X", "nmae": 1}),
            vec![
                "parameter `name` must match `^[a-z]+$`",
                "parameter `nmae` is not declared; did you mean `name`?",
            ],
        ),
        (
            "demo.strict",
            json!({"name": "x", "ports": [1, "2", 70000], "login": {"usr": "x"}}),
            vec![
                "parameter `ports[1]` must be an integer, not a string (\"2\")",
                "parameter `ports[2]` must be at most 65535, not 70000",
                "parameter `login.password` is required and was not given",
                "parameter `login.usr` is not declared; did you mean `user`?",
            ],
        ),
    ];
    for (name, parameters, expected) in table {
        let found = checked(&action(name), parameters.clone()).expect_err("refused");
        assert_eq!(found, expected, "{name} {parameters}");
    }
}

#[test]
fn arguments_become_the_declared_type() {
    let (echo, strict) = (action("demo.echo"), action("demo.strict"));
    let table = [
        (&echo, "message", "5", Ok(json!("5"))),
        (&echo, "message", "", Ok(json!(""))),
        (&echo, "times", "5", Ok(json!(5))),
        (&echo, "times", "five", Err("parameter `times` must be an integer, and `five` is not")),
        (&echo, "times", "0", Err("parameter `times` must be at least 1, not 0")),
        (&echo, "level", "warn", Ok(json!("warn"))),
        (
            &echo,
            "level",
            "loud",
            Err("parameter `level` must be one of \"info\", \"warn\", not \"loud\""),
        ),
        (
            &echo,
            "mesage",
            "x",
            Err("`demo.echo` has no parameter `mesage`; did you mean `message`?"),
        ),
        (&strict, "ports", "80, 443", Ok(json!([80, 443]))),
        (&strict, "ports", "[8080]", Ok(json!([8080]))),
        (&strict, "ports", "80,x", Err("parameter `ports` must be an array, and `80,x` is not")),
        (&strict, "login", "{\"password\": \"x\"}", Ok(json!({"password": "x"}))),
        (&strict, "login", "x", Err("parameter `login` must be an object, and `x` is not")),
    ];
    for (action, name, text, expected) in table {
        let converted = convert_argument(action, name, text).map_err(|e| e.to_string());
        assert_eq!(converted, expected.map_err(str::to_string), "{name}={text}");
    }
    let free = Definition::handler("x.y");
    assert_eq!(convert_argument(&free, "any", "[1]"), Ok(json!([1])));
    assert_eq!(convert_argument(&free, "any", "text"), Ok(json!("text")));
}

#[test]
fn secrets_stay_out_of_sight() {
    let (echo, strict) = (action("demo.echo"), action("demo.strict"));
    let given = json!({"message": "m", "token": "abc", "other": "abc"});
    let shown = json!({"message": "m", "token": "[redacted]", "other": "abc"});
    assert_eq!(redact(&echo, &given), shown);
    assert_eq!(secret_values(&echo, &given), ["abc"]);
    let login = json!({"login": {"user": "u", "password": {"a": "12", "b": [345, "", null]}}});
    let shown = json!({"login": {"user": "u", "password": "[redacted]"}});
    assert_eq!(redact(&strict, &login), shown);
    assert_eq!(secret_values(&strict, &login), ["345", "12"]);
    let none = json!({"token": null});
    assert_eq!(redact(&echo, &none), none);
    assert_eq!(secret_values(&echo, &none), [""; 0]);
}

#[test]
fn an_execution_is_pinned_to_what_the_action_says() {
    let strict = action("demo.strict");
    let prepared = prepare(&strict, json!({"name": "db"}), &PolicyDefaults::default());
    let prepared = prepared.expect("fits");
    assert_eq!(prepared.action, strict.action);
    assert_eq!(prepared.definition, strict.hash());
    assert_eq!(prepared.work, Work::Runtime(Runtime::new("native")));
    assert_eq!(prepared.queue, QueueKey::new("demo.strict|db"));
    assert_eq!(prepared.limit, Some(2));
    assert_eq!(prepared.parameters, json!({"name": "db", "ports": [80]}));
    let policy = prepared.policy;
    assert_eq!(policy.timeout, Some(Span::from_millis(1500)));
    assert_eq!((policy.retry.count, policy.retry.delay), (4, Span::from_millis(500)));
    assert_eq!(policy.retry.backoff, Backoff::Exponential);
    assert_eq!(policy.retry.max_delay, Some(Span::from_secs(60)));
    assert_eq!(policy.retry.jitter_permille, 200);
    assert_eq!((policy.on_lost, policy.max_losses), (OnLost::Abandon, 5));
    assert_eq!(policy.queue_timeout, Some(Span::from_secs(3600)));

    let echo = action("demo.echo");
    let defaults = PolicyDefaults { max_losses: 2, queue_timeout: None };
    let prepared = prepare(&echo, json!({"message": ""}), &defaults).expect("fits");
    assert_eq!((prepared.queue, prepared.limit), (QueueKey::new("demo.echo"), None));
    assert_eq!((prepared.policy.max_losses, prepared.policy.queue_timeout), (2, None));
    assert_eq!(prepared.policy.retry.count, 2);

    let failed = |name: &str, parameters| {
        prepare(&action(name), parameters, &defaults).expect_err("refused").to_string()
    };
    assert_eq!(failed("demo.echo", json!({})), "parameter `message` is required and was not given");
    assert_eq!(
        failed("demo.off", json!({})),
        "action `demo.off` is disabled; set `enabled: true` in its file to run it"
    );
    let mut keyed = Definition::handler("x.y");
    keyed.concurrency_key = Some("{{ parameters.a.b }}".to_string());
    let error = prepare(&keyed, json!({"a": {}}), &defaults).expect_err("refused").to_string();
    assert_eq!(error, "concurrency_key of `x.y`: `parameters.a.b` is undefined");
    let prepared = prepare(&keyed, json!({"a": {"b": [1, "x"]}}), &defaults).expect("fits");
    assert_eq!(prepared.queue, QueueKey::new("x.y|[1,\"x\"]"));
    assert_eq!(prepared.work, Work::Runtime(Runtime::new("handler:x.y")));
    for (key, expected) in [("a\n", "has control characters in it"), ("b", "more than 1000")] {
        let key = json!({"a": {"b": key.repeat(1001 / key.len())}});
        let error = prepare(&keyed, key, &defaults).expect_err("refused").to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn the_hash_is_of_the_content_and_not_of_the_place() {
    let echo = (*action("demo.echo")).clone();
    let mut moved = serde_json::to_value(&echo).expect("JSON");
    moved["kind"]["process"]["pack_dir"] = json!("/elsewhere");
    let moved: Definition = serde_json::from_value(moved).expect("a definition");
    assert_ne!(moved, echo);
    assert_eq!(moved.hash(), echo.hash());
    let mut other = serde_json::to_value(&echo).expect("JSON");
    other["kind"]["process"]["entry_point"] = json!("actions/other.py");
    let other: Definition = serde_json::from_value(other).expect("a definition");
    assert_ne!(other.hash(), echo.hash());
    assert_eq!(echo.hash().as_str().len(), 64);
    let Kind::Process(process) = &echo.kind else { panic!("a process") };
    assert_eq!(process.entry_point, "actions/echo.py");
    assert!(Path::new(&process.pack_dir).join(&process.entry_point).is_file());
}

#[test]
fn a_schema_reads_the_same_from_its_own_json_schema() {
    let strict = action("demo.strict").parameters.to_json_schema();
    assert_eq!(strict["required"], json!(["name"]));
    assert_eq!(strict["additionalProperties"], json!(false));
    assert_eq!(strict["properties"]["login"]["properties"]["password"]["secret"], json!(true));
    assert_eq!(strict["properties"]["ports"]["items"]["maximum"], json!(65535.0));
    let echo = action("demo.echo").parameters.to_json_schema();
    assert_eq!(echo["properties"]["level"]["enum"], json!(["info", "warn"]));
}
