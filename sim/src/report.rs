//! What is printed about a run: one screen, greppable at the top, pasteable at the bottom.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::{Event, EventLog, Outcome, SimTime};

/// How many events stand before the end of a report.
const LAST: usize = 8;

/// One event as a line: step, time, node, what.
#[must_use]
pub fn log_line(log: &EventLog, event: &Event) -> String {
    format!("{:>6} {} {:<10} {event}", event.index, event.at, log.name(event.node))
}

/// The report on one run of `scenario`, ending in a newline.
#[must_use]
pub fn report(scenario: &str, outcome: &Outcome) -> String {
    let mut text = String::new();
    let verdict = if outcome.held() { "HELD" } else { "FAILED" };
    let steps = outcome.log.events().len();
    let end = SimTime::default().after(outcome.sim_time);
    line(
        &mut text,
        verdict,
        &format!("{scenario}   seed {}   {steps} events   {end}", outcome.seed),
    );
    line(&mut text, "drawn", &join(outcome.drawn.iter().map(|(k, v)| format!("{k} {v}"))));
    for violation in &outcome.violations {
        let (law, step) = (violation.law, violation.step);
        line(&mut text, "law", &format!("{law} fell at step {step}   {}", violation.at));
        line(&mut text, "", &format!("it says: {}", law.statement()));
        line(&mut text, "", &format!("instead: {}", violation.detail));
    }
    let faults = outcome
        .faults
        .iter()
        .map(|(at, fault, node)| format!("{at} {fault} {}", outcome.log.name(*node)));
    line(&mut text, "faults", &join(faults));
    line(&mut text, "reached", &counts(&outcome.coverage));
    line(&mut text, "judged", &counts(&outcome.judged));
    for (nth, event) in outcome.log.events().iter().skip(steps.saturating_sub(LAST)).enumerate() {
        let title = if nth == 0 { "last" } else { "" };
        line(&mut text, title, &log_line(&outcome.log, event));
    }
    if let Some(violation) = outcome.violations.first() {
        let (seed, step) = (outcome.seed, violation.step);
        let replay = replay_command(scenario, seed);
        line(&mut text, "replay", &replay);
        line(&mut text, "", &format!("{replay} --until {step} --log"));
    }
    text
}

/// The command that runs a seed again, to paste.
#[must_use]
pub fn replay_command(scenario: &str, seed: u64) -> String {
    format!("cargo run --bin steadfast-sim -- replay {scenario} {seed}")
}

fn line(text: &mut String, title: &str, content: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{title:<10}{}", if content.is_empty() { "none" } else { content });
}

fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    join(counts.iter().map(|(name, count)| format!("{name} {count}")))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("   ")
}
