//! What is printed about a run: one screen, greppable at the top, pasteable at the bottom.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::{Event, EventLog, Outcome, SimTime, kinds};

/// How many events stand before the end of a report.
const LAST: usize = 8;
/// How many faults are shown one by one.
const FAULTS_SHOWN: usize = 12;
/// How many points of a case that were not reached are shown.
const POINTS_SHOWN: usize = 6;
/// Where lists are broken.
const WIDTH: usize = 108;
/// How wide the titles are.
const INDENT: usize = 10;

/// One event as a line: step, time, node, what.
#[must_use]
pub fn log_line(log: &EventLog, event: &Event) -> String {
    format!("{:>6} {} {:<10} {event}", event.index, event.at, log.name(event.node))
}

/// The report on one run of `scenario`, ending in a newline.
#[must_use]
pub fn report(scenario: &str, outcome: &Outcome) -> String {
    Report::new(scenario, outcome).to_string()
}

/// A report, as it is displayed.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    scenario: &'a str,
    outcome: &'a Outcome,
    /// Every fault, and how often each law judged.
    pub is_verbose: bool,
    /// The command that does the same again.
    pub replay: String,
}

impl<'a> Report<'a> {
    /// The report on one run of `scenario`, to be replayed by its seed.
    #[must_use]
    pub fn new(scenario: &'a str, outcome: &'a Outcome) -> Self {
        let mut replay = replay_command(scenario, outcome.seed);
        if let Some(mutant) = outcome.planted {
            // Writing to a string cannot fail.
            let _ = write!(replay, " --planted {mutant}");
        }
        if let Some(transport) = outcome.transport {
            let _ = write!(replay, " --transport {transport}");
        }
        Self { scenario, outcome, is_verbose: false, replay }
    }

    fn head(&self, text: &mut String) {
        let outcome = self.outcome;
        let verdict = if outcome.held() { "HELD" } else { "FAILED" };
        let step = outcome.violations.first().map_or_else(
            || format!("{} events", outcome.log.events().len()),
            |violation| format!("step {}", violation.step),
        );
        let end = SimTime::default().after(outcome.sim_time);
        let (scenario, seed) = (self.scenario, outcome.seed);
        line(text, verdict, &format!("{scenario}   seed {seed}   {step}   {end}"));
        for violation in &outcome.violations {
            line(text, "law", &violation.law.to_string());
            wrapped(text, "", " ", violation.law.statement().split(' '));
            wrapped(text, "", " ", format!("instead: {}", violation.detail).split(' '));
        }
    }

    fn what_was_done(&self, text: &mut String) {
        let outcome = self.outcome;
        if let Some(mutant) = outcome.planted {
            line(text, "planted", mutant);
        }
        if !outcome.is_case {
            let drawn = outcome.drawn.iter().map(|(name, value)| format!("{name} {value}"));
            wrapped(text, "drawn", "   ", drawn);
        }
        if let Some(plan) = &outcome.plan {
            wrapped(text, "plan", "   ", plan.in_short().into_iter());
        }
        self.faults(text);
        if !outcome.unmatched.is_empty() {
            let points = outcome.unmatched.iter();
            let mut shown: Vec<String> =
                points.take(POINTS_SHOWN).map(ToString::to_string).collect();
            if outcome.unmatched.len() > POINTS_SHOWN {
                shown.push(format!("and {} more", outcome.unmatched.len() - POINTS_SHOWN));
            }
            wrapped(text, "unreached", "   ", shown.into_iter());
        }
    }

    /// The last faults before the end; what is done when all is healed is no fault.
    fn faults(&self, text: &mut String) {
        let (outcome, log) = (self.outcome, &self.outcome.log);
        let healed = log.events().iter().find(|event| *event.kind == kinds::SECOND_ACT);
        let healed = healed.map(|event| event.at);
        let real: Vec<_> = outcome
            .faults
            .iter()
            .filter(|(at, ..)| healed.is_none_or(|healed| *at < healed))
            .collect();
        let most = if self.is_verbose { real.len() } else { FAULTS_SHOWN };
        let earlier = real.len().saturating_sub(most);
        let told = real[earlier..].iter().map(|(at, fault, node)| match log.name(*node) {
            "world" => format!("{} {fault}", in_millis(*at)),
            name => format!("{} {fault} {name}", in_millis(*at)),
        });
        let end = healed.map(|at| format!("{} all is healed", in_millis(at)));
        wrapped(text, "faults", "   ", told.chain(end));
        if earlier > 0 {
            let mut counts = BTreeMap::new();
            for (_, fault, _) in &real[..earlier] {
                *counts.entry(*fault).or_default() += 1;
            }
            let before = std::iter::once(format!("and {earlier} before:"));
            wrapped(text, "", "   ", before.chain(counted(&counts)));
        }
    }

    fn what_was_seen(&self, text: &mut String) {
        let (outcome, log) = (self.outcome, &self.outcome.log);
        wrapped(text, "reached", "   ", counted(&outcome.coverage));
        if self.is_verbose {
            wrapped(text, "judged", "   ", counted(&outcome.judged));
        } else {
            let laws = outcome.judged.values().filter(|times| **times > 0).count();
            let times: u64 = outcome.judged.values().sum();
            line(text, "judged", &format!("{laws} laws, {times} times"));
        }
        let skipped = log.events().len().saturating_sub(LAST);
        for (nth, event) in log.events().iter().skip(skipped).enumerate() {
            let title = if nth == 0 { "last" } else { "" };
            let fell = outcome.violations.first().filter(|violation| violation.step == event.index);
            let mark = fell.map_or_else(String::new, |v| format!("   <- {}", v.law));
            line(text, title, &format!("{}{mark}", log_line(log, event)));
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.head(&mut text);
        self.what_was_done(&mut text);
        self.what_was_seen(&mut text);
        if let Some(violation) = self.outcome.violations.first() {
            line(&mut text, "replay", &self.replay);
            let until = format!("{} --until {} --log", self.replay, violation.step);
            line(&mut text, "", &until);
        }
        f.write_str(&text)
    }
}

/// The command that runs a seed again, to paste.
#[must_use]
pub fn replay_command(scenario: &str, seed: u64) -> String {
    format!("cargo run --bin steadfast-sim -- replay {scenario} {seed}")
}

/// A time to the millisecond, which is enough to find it again.
fn in_millis(at: SimTime) -> String {
    let text = at.to_string();
    text[..text.len() - 6].to_owned()
}

fn line(text: &mut String, title: &str, content: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{title:<INDENT$}{}", if content.is_empty() { "none" } else { content });
}

/// A list, broken where a line is full.
fn wrapped<S: AsRef<str>>(
    text: &mut String,
    title: &str,
    between: &str,
    parts: impl Iterator<Item = S>,
) {
    let (mut title, mut row) = (title, String::new());
    for part in parts {
        let part = part.as_ref();
        let wide = row.chars().count() + between.len() + part.chars().count() + INDENT;
        if !row.is_empty() && wide > WIDTH {
            line(text, title, &row);
            (title, row) = ("", String::new());
        }
        if !row.is_empty() {
            row.push_str(between);
        }
        row.push_str(part);
    }
    if !row.is_empty() || !title.is_empty() {
        line(text, title, &row);
    }
}

fn counted(counts: &BTreeMap<&'static str, u64>) -> impl Iterator<Item = String> {
    counts.iter().map(|(name, count)| format!("{name} {count}"))
}
