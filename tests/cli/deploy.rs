//! What is in `deploy/` fits the program: it can be read, and names verbs, flags, keys and metrics
//! that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::binary;
use crate::support::{Place, eventually};

fn deploy(file: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).join(file)
}

fn text(file: &str) -> String {
    let path = deploy(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(file: &str) -> Value {
    let text = text(file);
    let mut value: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    value.apply_merge().expect("its anchors are there");
    serde_json::to_value(value).expect("it is plain data")
}

/// Every text in a document.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// The verb and flags of a command line must be in the help.
fn check_command(what: &str, words: &[&str]) {
    let verb = words.iter().find(|word| word.chars().all(|c| c.is_ascii_lowercase()));
    let verb = verb.unwrap_or_else(|| panic!("{what}: no verb in {words:?}"));
    let help = Command::new(binary()).args([verb, "--help"]).output().expect("it can be asked");
    assert!(help.status.success(), "{what}: there is no verb {verb}");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for flag in words.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(flag), "{what}: {verb} has no {flag}");
    }
}

#[test]
fn compose_starts_what_there_is_and_holds_no_secret() {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().expect("services");
    for name in ["migrate", "serve", "worker"] {
        let service = &services[name];
        let mut words = Vec::new();
        texts(&service["entrypoint"], &mut words);
        texts(&service["command"], &mut words);
        let words: Vec<&str> = words.iter().flat_map(|text| text.split_whitespace()).collect();
        let words: Vec<&str> =
            words.into_iter().filter(|word| !["exec", "steadfast"].contains(word)).collect();
        check_command(name, &words);
        for (key, value) in service["environment"].as_object().expect("an environment") {
            let value = value.as_str().expect("text");
            let is_secret = ["URL", "TOKENS", "PASS"].iter().any(|word| key.contains(word));
            assert!(!is_secret || value.contains("${"), "{name}: {key} holds a secret");
        }
    }
    let seconds = |value: &Value| -> u64 {
        let text = value.as_str().expect("a span");
        text.trim_end_matches('s').parse().expect("seconds")
    };
    let grace = seconds(&services["worker"]["stop_grace_period"]);
    assert!(grace > 30 + 5, "shutdown_timeout and kill_grace fit into {grace} s");
    let said = &services["worker"]["environment"]["STEADFAST__WORKER__SHUTDOWN_GRACE"];
    assert_eq!(said.as_str(), Some(grace.to_string().as_str()));
    let example = text(".env.example");
    let mut all = Vec::new();
    texts(&compose, &mut all);
    for part in all.iter().flat_map(|text| text.split("${").skip(1)) {
        let name: String =
            part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        assert!(example.contains(&format!("{name}=")), "{name} is missing in .env.example");
    }
    let dockerfile = text("Dockerfile");
    assert!(!dockerfile.contains("ENV RUSTFLAGS"), "it would replace a flag that is needed");
    assert!(dockerfile.contains("\nUSER steadfast\n"), "nothing runs as root");
}

/// The configuration keys that files name must be there, and no unknown ones.
#[test]
fn environments_name_keys_that_there_are() {
    let place = Place::new();
    let mut variables: BTreeSet<String> = BTreeSet::new();
    for file in ["docker-compose.yml", "systemd/environment.example"] {
        for word in text(file).split(|c: char| !(c.is_ascii_uppercase() || c == '_')) {
            if word.starts_with("STEADFAST__") {
                variables.insert(word.to_owned());
            }
        }
    }
    assert!(variables.len() > 4, "{variables:?}");
    let known = fs::read_to_string(deploy("../docs/configuration.md")).expect("it is there");
    for variable in &variables {
        assert!(known.contains(&format!("`{variable}`")), "there is no {variable}");
    }
    let preset = place.steadfast(&["doctor"]).env("STEADFAST__PRESET", "production");
    preset.env("STEADFAST__WORKER__SHUTDOWN_GRACE", "60").run().code(0);
}

#[test]
fn systemd_units_start_what_there_is_and_wait_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut copies = Vec::new();
    for name in ["steadfast-migrate", "steadfast-serve", "steadfast-worker@"] {
        let unit = text(&format!("systemd/{name}.service"));
        let line = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key));
        let start = line("ExecStart=").expect("it starts something");
        let words: Vec<&str> = start.split_whitespace().skip(1).collect();
        check_command(name, &words);
        let grace: u64 = line("TimeoutStopSec=").map_or(0, |text| text.parse().expect("seconds"));
        assert!(!name.contains("worker") || grace > 30 + 5, "{grace}");
        // It is checked whether the program is there, and whether the user is.
        let binary = binary().to_str().expect("text");
        let unit = unit.replace("/usr/local/bin/steadfast", binary);
        let unit = unit.replace("User=steadfast", "User=root");
        let copy = directory.path().join(format!("{name}.service"));
        fs::write(&copy, unit).expect("it is written");
        copies.push(copy);
    }
    let Ok(checked) = Command::new("systemd-analyze").arg("verify").args(&copies).output() else {
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("steadfast")).collect();
    let about = |line: &&&str| !line.contains("Failed to create") && !line.contains("bus");
    let complaints: Vec<&&str> = ours.iter().filter(about).collect();
    assert!(complaints.is_empty(), "{said}");
}

/// The names of everything that an engine shows once it has done something.
fn metrics() -> BTreeSet<String> {
    let place = Place::new();
    place.action("limited", "concurrency_limit: 2\n", "true\n");
    let arguments = ["dev", "--pack", "pack", "--listen", "127.0.0.1:0"];
    let mut server = place.steadfast(&arguments).start();
    let seen = server.until("steadfast listens on ");
    let (_, rest) = seen.split_once("steadfast listens on ").expect("it was just seen");
    let url = rest.split_whitespace().next().expect("an address").to_owned();
    let run = ["execution", "run", "t.limited", "--wait", "--api-url", &url];
    place.run(&run).code(0);
    let address = url.trim_start_matches("http://").to_owned();
    let mut text = String::new();
    eventually("all metrics", || {
        text = get(&address, "/metrics");
        text.contains("steadfast_worker_queue_depth{")
    });
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
}

fn get(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).expect("it listens");
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_there_are() {
    let dashboard: Value =
        serde_json::from_str(&text("grafana/steadfast.json")).expect("it is JSON");
    let rules = yaml("prometheus/steadfast.rules.yml");
    let scrape = yaml("prometheus/prometheus.yml");
    assert_eq!(scrape["rule_files"][0], "steadfast.rules.yml");
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            expressions.push(target["expr"].as_str().expect("text").to_owned());
        }
    }
    let manual = fs::read_to_string(deploy("../docs/operations.md")).expect("it is there");
    let mut alerts = BTreeSet::new();
    for rule in rules["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules").iter())
    {
        let name = rule["alert"].as_str().expect("a name");
        alerts.insert(name.to_owned());
        expressions.push(rule["expr"].as_str().expect("text").to_owned());
        let runbook = rule["annotations"]["runbook"].as_str().expect("a runbook");
        let (file, anchor) = runbook.split_once('#').expect("an anchor");
        assert_eq!(file, "docs/operations.md");
        let heading = |line: &&str| {
            line.trim_start_matches(['#', ' ']).to_lowercase().replace(' ', "-") == anchor
        };
        assert!(manual.lines().any(|line| line.starts_with('#') && heading(&line)), "{runbook}");
        assert!(!rule["annotations"]["summary"].as_str().expect("text").is_empty());
    }
    for wanted in [
        "HighQueueDepth",
        "CriticalQueueDepth",
        "StuckQueue",
        "OldestExecutionAging",
        "HighExecutionTimeoutRate",
        "NoActiveWorkers",
        "DeadLetterBuildup",
        "StaleHeartbeat",
        "LawViolation",
        "ParkedMessages",
    ] {
        assert!(alerts.contains(wanted), "{wanted} is missing");
    }
    let known = metrics();
    let mut asked = BTreeSet::new();
    for expression in &expressions {
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        asked.extend(words.filter(|word| word.starts_with("steadfast_")).map(str::to_owned));
        let depth =
            |open, close| expression.matches(open).count() == expression.matches(close).count();
        assert!(depth('(', ')') && depth('[', ']') && depth('{', '}'), "{expression}");
    }
    let unknown: Vec<&String> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not among {known:?}");
}
