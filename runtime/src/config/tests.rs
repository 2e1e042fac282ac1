//! What goes before what, and what is refused with which words.

use std::ffi::OsString;
use std::path::PathBuf;

use steadfast_runtime::core::Span;

use super::environment::Environment;
use super::{Config, Flag};

/// A file of this content, in a directory of its own.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("steadfast.yaml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::of(pairs.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))))
}

fn load(text: &str, pairs: &[(&str, &str)], flags: &[Flag]) -> Result<Config, Vec<String>> {
    let (directory, path) = file(text);
    let name = format!("{}/", directory.path().display());
    Config::load(Some(&path), &environment(pairs), flags)
        .map_err(|errors| errors.iter().map(|error| error.replace(&name, "")).collect())
        .map(|mut config| {
            config.warnings.iter_mut().for_each(|warning| *warning = warning.replace(&name, ""));
            config
        })
}

#[test]
fn the_narrower_layer_goes_first() {
    let text = "preset: production\nworker: { shutdown_timeout: 3, capacity: 1 }\n";
    let variables = [("STEADFAST__WORKER__CAPACITY", "2")];
    let flag = ("worker.capacity", "--capacity", "3".to_owned());
    let config = load(text, &variables, std::slice::from_ref(&flag)).unwrap();
    assert_eq!(config.worker.capacity, Some(3));
    assert_eq!(config.worker.shutdown_timeout, Span::from_secs(3));
    assert_eq!(load(text, &variables, &[]).unwrap().worker.capacity, Some(2));
    assert_eq!(load(text, &[], &[]).unwrap().worker.capacity, Some(1));
    assert_eq!(load("", &[], &[]).unwrap().worker.capacity, None);
    let config = load("preset: development\n", &[], &[]).unwrap();
    assert_eq!(config.executor.scheduled_timeout, Span::from_secs(120));
    assert_eq!(config.worker.shutdown_timeout, Span::from_secs(15));
}

#[test]
fn database_url_stands_between_the_file_and_the_key_s_own_variable() {
    let text = "database: { url: 'sqlite://file' }\n";
    let named = ("DATABASE_URL", "sqlite://named");
    let own = ("STEADFAST__DATABASE__URL", "sqlite://own");
    let url = |pairs: &[_]| load(text, pairs, &[]).unwrap().database_url;
    assert_eq!(url(&[]).as_deref(), Some("sqlite://file"));
    assert_eq!(url(&[named]).as_deref(), Some("sqlite://named"));
    assert_eq!(url(&[named, own]).as_deref(), Some("sqlite://own"));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    // file, variable, sentence
    type Row = (&'static str, Option<(&'static str, &'static str)>, &'static str);
    let table: &[Row] = &[
        (
            "worker:\n  capacity: 0\n",
            None,
            "steadfast.yaml:2: `worker.capacity` must be a whole number of at least 1, not 0",
        ),
        (
            "",
            Some(("STEADFAST__EXECUTOR__BATCH_SIZE", "many")),
            "STEADFAST__EXECUTOR__BATCH_SIZE: `executor.batch_size` must be a whole number of at \
             least 1, not `many`",
        ),
        (
            "\ntransport: pigeon\n",
            None,
            "steadfast.yaml:2: `transport` must be one of rabbitmq, postgres, embedded, not \
             `pigeon`",
        ),
        (
            "database:\n  url: mysql://me:secret@host\n",
            None,
            "steadfast.yaml:2: `database.url` must be an address that begins with `postgres://` \
             or `postgresql://` or `sqlite://`",
        ),
        ("worker: 3\n", None, "steadfast.yaml:1: `worker` must be a mapping"),
        (
            "worker:\n  lease_renew_interval: 2\n",
            None,
            "3 * worker.lease_renew_interval (2 s, steadfast.yaml:2) must be at most \
             worker.lease_seconds (4 s, default): a worker must be able to miss two renewals \
             without losing its work",
        ),
        (
            "worker:\n  shutdown_grace: 30\n",
            None,
            "worker.shutdown_timeout (30 s, default) must be less than worker.shutdown_grace \
             (30 s, steadfast.yaml:2): the service manager must not kill a worker that is still \
             stopping",
        ),
        (
            "worker:\n  probe_interval: 15\n",
            None,
            "worker.probe_interval (15 s, steadfast.yaml:2) must be less than \
             worker.probe_staleness (15 s, default): a worker must have the chance to answer \
             before it counts as silent",
        ),
        (
            "packs:\n  paths: [nowhere]\n",
            None,
            "steadfast.yaml:2: `packs.paths`: nowhere is not a directory",
        ),
        (
            "api:\n  tokens: [{ name: ci, role: king, sha256: x }]\n",
            None,
            "steadfast.yaml:2: `role` of the token `ci` in `api.tokens` must be one of viewer, \
             operator, admin",
        ),
    ];
    for (text, variable, sentence) in table {
        let pairs: Vec<_> = variable.iter().copied().collect();
        assert_eq!(load(text, &pairs, &[]).unwrap_err(), [*sentence], "{text}");
    }
}

#[test]
fn bounds_follow_from_the_settings_that_name_them() {
    let settings = |text: String| load(&text, &[], &[]).unwrap().options().settings;
    for lease in [4, 8, 20] {
        let settings = settings(format!("worker: {{ lease_seconds: {lease} }}\n"));
        assert_eq!(settings.lease, Span::from_secs(lease));
        assert_eq!(settings.beat_overdue, Span::from_millis(lease * 750));
    }
    for (preset, seconds) in [("development", 120), ("production", 300)] {
        let settings = settings(format!("preset: {preset}\n"));
        let bounds = [settings.offer_timeout, settings.unschedulable_after];
        assert_eq!(bounds, [Span::from_secs(seconds); 2], "{preset}");
    }
}

#[test]
fn keys_without_effect_are_warned_of_where_somebody_chose_them() {
    let config = load("preset: production\nworker:\n  heartbeat_interval: 5\n", &[], &[]).unwrap();
    assert_eq!(
        config.warnings,
        ["steadfast.yaml:3: warning: `worker.heartbeat_interval` has no effect: a worker \
          reports with each renewal of its lease"]
    );
}

#[test]
fn unknown_keys_are_warned_of() {
    let text = "worker:\n  capasity: 3\nmagic:\n  wand: 1\n";
    let config = load(text, &[("STEADFAST__WORKR__NAME", "x")], &[]).unwrap();
    assert_eq!(
        config.warnings,
        [
            "steadfast.yaml:2: warning: unknown key `worker.capasity` has no effect; did you mean \
             `worker.capacity`?",
            "steadfast.yaml:3: warning: unknown key `magic` has no effect",
            "STEADFAST__WORKR__NAME: warning: unknown key `workr.name` has no effect; did you \
             mean `worker.name`?",
        ]
    );
}

#[test]
fn a_named_file_must_be_there() {
    let missing = PathBuf::from("/nonexistent/steadfast.yaml");
    let errors = Config::load(Some(&missing), &environment(&[]), &[]).unwrap_err();
    assert!(errors[0].contains("/nonexistent/steadfast.yaml cannot be read"), "{errors:?}");
}

#[test]
fn lists_and_mappings_fit_into_variables() {
    let pairs = [
        ("STEADFAST__WORKER__SELECTOR_LABELS", "zone=a, disk=ssd"),
        ("STEADFAST__PACKS__PATHS", "/tmp:/"),
    ];
    let config = load("", &pairs, &[]).unwrap();
    assert_eq!(config.worker.labels.len(), 2);
    assert_eq!(config.packs, [PathBuf::from("/tmp"), PathBuf::from("/")]);
}
