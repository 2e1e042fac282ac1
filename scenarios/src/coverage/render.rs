//! The tables as a document.

use std::fmt::Write;

use steadfast_core::catalogue::Failure;

use super::{Covered, FAILURES, GROUPS};
use crate::SCENARIOS;

/// What stands above everything else.
const HEAD: &str = "# Scenarios

<!-- Made from scenarios/src; do not edit. To make it again:
     STEADFAST_BLESS=1 cargo test -p steadfast-scenarios --test coverage -->
";

/// Writes out the scenarios and the tables of who goes where. `prose` is asked for the story at the
/// head of a scenario's file.
pub fn render_scenarios(prose: impl Fn(&str) -> String) -> String {
    let mut text = String::from(HEAD);
    let (stories, failures) = (SCENARIOS.len(), FAILURES.len());
    let reports: usize = GROUPS.iter().map(|group| group.reports.len()).sum();
    line(
        &mut text,
        &format!(
            "{stories} stories, the {failures} mechanisms of failure of the [catalogue]\
             (catalogue.md) and {reports} public reports of them. Each seed tells a story with \
             other timings; `cargo run --bin steadfast-sim -- run NAME --seeds 0..1000` tells it a \
             thousand times, with all laws on."
        ),
    );
    text.push_str("\n## Stories\n");
    for scenario in SCENARIOS {
        line(&mut text, &format!("### <a id=\"{0}\"></a>`{0}`", scenario.name));
        line(&mut text, &prose(scenario.name));
        let covers: Vec<String> = scenario.covers.iter().map(|c| format!("`{c}`")).collect();
        line(&mut text, &format!("Reaches {}.", covers.join(", ")));
    }
    text.push_str("\n## Mechanisms of failure\n\n| mechanism | scenarios |\n|---|---|\n");
    for (code, covered) in FAILURES {
        let name = Failure::by_code(code).map_or("?", |failure| failure.name);
        let link = format!("[**{code}**](catalogue.md#{}) `{name}`", code.to_lowercase());
        row(&mut text, &[&link, &told(*covered)]);
    }
    text.push_str("\n## Public reports\n\n");
    text.push_str("What users of other engines have met, in one line each.\n");
    for group in GROUPS {
        let _ = write!(text, "\n### {}\n\n", group.title);
        text.push_str("| row | threads | mechanism | scenarios |\n|---|---|---|---|\n");
        for report in group.reports {
            let covered = told(report.covered);
            row(&mut text, &[report.row, report.threads, report.mechanism, &covered]);
        }
    }
    text
}

fn told(covered: Covered) -> String {
    match covered {
        Covered::By(names) => {
            let links = names.iter().map(|name| format!("[`{name}`](#{name})"));
            links.collect::<Vec<_>>().join(", ")
        }
        Covered::Due(reason) => format!("Due: {reason}"),
        Covered::No(reason) => format!("None: {reason}"),
    }
}

fn row(text: &mut String, cells: &[&str]) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn line(text: &mut String, paragraph: &str) {
    let _ = writeln!(text, "\n{paragraph}");
}
