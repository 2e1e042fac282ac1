//! A run as one file that a browser shows, offline: nodes as lanes, messages as arrows, leases and
//! running actions as bars, faults as marks, and the state at any step.
//!
//! The page folds the events itself, so that the file holds each of them once and nothing else.

use serde_json::{Value, json};
use steadfast_core::Status;
use steadfast_sim::{Event, Outcome, Plan, SimTime, WORD_FIELDS, kinds, word_table};

const PAGE: &str = include_str!("timeline/page.html");
const STYLE: &str = include_str!("timeline/style.css");
const SCRIPT: &[&str] = &[
    include_str!("timeline/data.js"),
    include_str!("timeline/draw.js"),
    include_str!("timeline/panel.js"),
];

/// The page for one run of `scenario`.
#[must_use]
pub fn timeline(scenario: &str, outcome: &Outcome) -> String {
    // Inside a script element nothing but this character could end it.
    let run = run(scenario, outcome).to_string().replace('<', "\\u003c");
    let title = format!("{scenario} {}", outcome.seed);
    let parts =
        [("title", title), ("style", STYLE.into()), ("script", SCRIPT.concat()), ("run", run)];
    fill(PAGE, &parts)
}

/// Puts the parts where the page names them. What a part says is not looked at again.
fn fill(page: &str, parts: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else { break };
        let part = parts.iter().find(|(known, _)| *known == name);
        filled.push_str(part.map_or("", |(_, text)| text));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn run(scenario: &str, outcome: &Outcome) -> Value {
    let log = &outcome.log;
    let mut kinds: Vec<&steadfast_sim::Kind> = PAGE_KINDS.to_vec();
    let events = flat(log.events(), &mut kinds);
    let kinds: Vec<Value> =
        kinds.iter().map(|kind| json!({ "name": kind.name, "fields": kind.fields })).collect();
    let laws = outcome.violations.iter().map(|violation| {
        json!({
            "name": violation.law.name(),
            "code": violation.law.code(),
            "statement": violation.law.statement(),
            "detail": violation.detail,
            "step": violation.step,
            "at": violation.at.as_nanos(),
        })
    });
    let subjects = outcome.subjects.iter().map(|(id, subject)| {
        let parent = subject.parent.map(|parent| parent.0);
        (id.0.to_string(), json!([subject.action, subject.queue, parent]))
    });
    let named = |which: fn(Status) -> bool| -> Vec<&str> {
        Status::ALL.iter().filter(|status| which(**status)).map(|status| status.as_str()).collect()
    };
    json!({
        "scenario": scenario,
        "seed": outcome.seed.to_string(),
        "planted": outcome.planted,
        "plan": outcome.plan.as_ref().map_or_else(Vec::new, Plan::in_short),
        "hash": outcome.digest().to_string(),
        "laws": laws.collect::<Vec<_>>(),
        "nodes": log.names(),
        "kinds": kinds,
        "words": WORD_FIELDS.iter().map(|field| ((*field).to_owned(), json!(word_table(field))))
            .collect::<serde_json::Map<_, _>>(),
        "statuses": Status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>(),
        "holds": named(Status::holds_slot),
        "terminal": named(Status::is_terminal),
        "subjects": subjects.collect::<serde_json::Map<_, _>>(),
        "size": log.events().len(),
        "events": events,
    })
}

/// The kinds that the page knows by name; they are there even if nothing of the kind happened.
const PAGE_KINDS: &[&steadfast_sim::Kind] = &[
    &kinds::STARTED,
    &kinds::KILLED,
    &kinds::RESTARTED,
    &kinds::PAUSED,
    &kinds::RESUMED,
    &kinds::CUT,
    &kinds::HEALED,
    &kinds::CLOCK_SET,
    &kinds::STRUCK,
    &kinds::COMMITTED,
    &kinds::EXECUTION,
    &kinds::WORKER,
    &kinds::VISIT,
    &kinds::PUBLISHED,
    &kinds::DELIVERED,
    &kinds::LOST,
    &kinds::RETURNED,
    &kinds::SETTLED,
    &kinds::ACTION_BEGAN,
    &kinds::ACTION_ENDED,
    &kinds::SECOND_ACT,
];

/// Every event as numbers: the time since the one before, the node, the kind, its words.
fn flat(events: &[Event], kinds: &mut Vec<&'static steadfast_sim::Kind>) -> Vec<u64> {
    let mut numbers = Vec::with_capacity(events.len() * 5);
    let mut before = SimTime::default();
    for event in events {
        let kind = kinds.iter().position(|kind| *kind == event.kind).unwrap_or_else(|| {
            kinds.push(event.kind);
            kinds.len() - 1
        });
        numbers.push(event.at.as_nanos() - before.as_nanos());
        numbers.push(event.node.into());
        numbers.push(kind as u64);
        for (field, word) in event.kind.fields.iter().zip(event.payload) {
            // Leases are told in the store's time, lanes in the time of the run.
            let is_moment = *field == "lease_until";
            numbers.push(if is_moment { SimTime::of_epoch_micros(word).as_nanos() } else { word });
        }
        before = event.at;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_put_in_once() {
        let parts = [("a", "{{b}}".to_owned()), ("b", "x".to_owned())];
        assert_eq!(fill("<{{a}}|{{b}}|{{c}}>", &parts), "<{{b}}|x|>");
    }

    #[test]
    fn the_page_asks_for_nothing_from_outside() {
        let all = [PAGE, STYLE].iter().chain(SCRIPT).copied().collect::<String>();
        for word in ["http:", "https:", "src=", "@import", "url(", "fetch(", "import("] {
            assert!(!all.contains(word), "{word}");
        }
    }
}
