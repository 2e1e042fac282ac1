//! The table of `docs/operations.md` that says how long things take, made of the defaults.
//! `STEADFAST_BLESS=1 cargo test -p steadfast-runtime --bin steadfast` writes it anew.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use steadfast_runtime::api::ApiOptions;
use steadfast_runtime::core::Span;
use steadfast_runtime::{postgres, rabbitmq};

use super::{Config, Environment};

const BEGIN: &str = "<!-- bounds -->\n";
const END: &str = "<!-- /bounds -->";

fn span(span: impl Into<Duration>) -> String {
    let span = span.into();
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        seconds if seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
        seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{} s", span.as_secs_f64()),
    }
}

fn render() -> String {
    let preset = |name: &str| {
        let environment = Environment::of([("STEADFAST__PRESET".into(), name.into())]);
        Config::load(Some(Path::new("/dev/null")), &environment, &[]).expect("a preset is fine")
    };
    let config = Config::load(Some(Path::new("/dev/null")), &Environment::default(), &[]);
    let config = config.expect("the defaults are fine");
    let (options, queue) = (config.options(), &config.message_queue);
    let settings = options.settings;
    let store = postgres::Options::default();
    let broker = rabbitmq::Options::new("amqp://localhost");
    let api = ApiOptions::default();
    let development = span(preset("development").executor.scheduled_timeout);
    let takeover = span(settings.slot_release_bound());
    let rows: &[(&str, String)] = &[
        (
            "a killed worker's slots are free and its work is given to others \
             (`worker.lease_seconds`, the drift of clocks, `executor.sweep_interval`)",
            format!("{takeover} after its last beat"),
        ),
        ("a worker gets nothing new after its last beat", span(settings.beat_overdue)),
        ("a worker stops its own work when it cannot renew its lease", span(settings.lease)),
        (
            "no worker could run it, or the one that was chosen did not answer \
             (`executor.scheduled_timeout`)",
            format!("{}; preset development {development}", span(settings.offer_timeout)),
        ),
        (
            "waiting for a slot (`queue.queue_timeout_seconds`)",
            config.queue.queue_timeout.map_or_else(|| String::from("for ever"), span),
        ),
        ("an attempt that its worker does not end after its timeout", span(settings.run_margin)),
        ("a cancelled attempt that its worker does not confirm", span(settings.cancel_grace)),
        ("SIGKILL after SIGTERM to an action (`worker.kill_grace`)", span(options.kill_grace)),
        (
            "running work of a worker that stops (`worker.shutdown_timeout`)",
            span(options.shutdown_timeout),
        ),
        ("a lost hint is made up for (`executor.sweep_interval`)", span(settings.sweep_interval)),
        (
            "a message to a worker becomes a dead letter (`message_queue.worker_queue_ttl_ms`)",
            span(queue.worker_queue_ttl),
        ),
        ("a dead letter is kept (`message_queue.dead_letter.ttl_ms`)", span(queue.dead_letter_ttl)),
        (
            "the broker confirms a message, or it counts as lost \
             (`message_queue.confirm_timeout_seconds`)",
            span(queue.confirm_timeout),
        ),
        ("the pause between two tries to reach the broker", span(broker.reconnect_max)),
        ("one statement of the database", span(store.statement_timeout)),
        ("one wait for a lock in the database", span(store.lock_timeout)),
        ("a client that hangs in a transaction", span(store.idle_timeout)),
        (
            "a free connection (`database.acquire_timeout_seconds`)",
            span(config.database.acquire_timeout),
        ),
        ("a request to the API", span(api.request_timeout)),
        ("what is over, and logs, are kept (`executor.retention_days`)", span(options.logs_kept)),
    ];
    let mut text = String::from("| what | at the most |\n|---|---|\n");
    for (what, bound) in rows {
        let _ = writeln!(text, "| {what} | {bound} |");
    }
    text
}

#[test]
fn the_manual_says_how_long_things_take() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let mut document = std::fs::read_to_string(&path).expect("docs/operations.md can be read");
    let begin = document.find(BEGIN).expect("the table begins") + BEGIN.len();
    let end = document.find(END).expect("the table ends");
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    let bless = std::env::var_os("STEADFAST_BLESS").is_some_and(|value| value == "1");
    if bless {
        document.replace_range(begin..end, &render());
        std::fs::write(&path, document).expect("docs/operations.md can be written");
        return;
    }
    assert_eq!(&document[begin..end], render(), "write it anew; see the head of this file");
    assert_eq!(span(Span::from_millis(5250)), "5.25 s");
}
