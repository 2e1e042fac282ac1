//! `docs/configuration.md` is the table of keys, written out. After a change of the table,
//! `STEADFAST_BLESS=1 cargo test -p steadfast-runtime --bin steadfast` writes it anew.

use std::fmt::Write;
use std::path::Path;

use super::keys::{KEYS, Key, preset};

const HEAD: &str = "\
# Configuration

`steadfast.yaml` in the current directory, or the file that `--config FILE` names. Every key can
also be given as an environment variable, and some as a flag. What goes before what: flag,
`STEADFAST__...`, `DATABASE_URL` and `AMQP_URL`, file, preset, default. Durations are seconds unless
the key ends in `_ms`. Unknown keys have no effect and are reported with file and line. Lists and
mappings in variables: `STEADFAST__PACKS__PATHS=a:b`, `STEADFAST__WORKER__SELECTOR_LABELS=a=b,c=d`,
or JSON.

Besides: `STEADFAST_API_URL` and `STEADFAST_API_TOKEN` say where client verbs find the API and what
they show it, `RUST_LOG` what is logged.

Settings that must keep an order are checked at start: `3 * worker.lease_renew_interval <=
worker.lease_seconds`, `worker.shutdown_timeout < worker.shutdown_grace`, `worker.probe_interval <
worker.probe_staleness`.

This file is generated from `runtime/src/config/keys.rs`.
";

fn render() -> String {
    let mut text = String::from(HEAD);
    let mut section = None;
    for key in KEYS {
        let own = key.path.split_once('.').map(|(section, _)| section);
        if section != Some(own) {
            let title = own.unwrap_or("(top level)");
            let _ = write!(text, "\n## {title}\n\n| key | default | what for | variable |\n");
            text.push_str("|---|---|---|---|\n");
            section = Some(own);
        }
        row(&mut text, key);
    }
    text.push_str("\n## Presets\n\n| key | development | production |\n|---|---|---|\n");
    for ((path, development), (_, production)) in
        preset("development").iter().zip(preset("production"))
    {
        let _ = writeln!(text, "| `{path}` | {development} | {production} |");
    }
    text
}

fn row(text: &mut String, key: &Key) {
    let default = match key.default {
        "" => "none".to_owned(),
        default => format!("`{default}`"),
    };
    let (path, wanted, variable) = (key.path, key.wanted(), key.variable());
    let about = key.about.replace('|', "\\|");
    let _ = writeln!(text, "| `{path}` | {default} | {about} ({wanted}) | `{variable}` |");
}

#[test]
fn the_document_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let expected = render();
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    let bless = std::env::var_os("STEADFAST_BLESS").is_some_and(|value| value == "1");
    if bless {
        std::fs::write(&path, expected).expect("docs/configuration.md can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).expect("docs/configuration.md can be read");
    let differs = found.lines().zip(expected.lines()).position(|(one, other)| one != other);
    assert!(
        found == expected,
        "docs/configuration.md differs from line {:?} on; write it anew with \
         STEADFAST_BLESS=1 cargo test -p steadfast-runtime --bin steadfast",
        differs.map(|line| line + 1)
    );
}
