//! Every known mechanism of failure has a story that goes there, or a reason; and
//! `docs/scenarios.md` says which. After a change,
//! `STEADFAST_BLESS=1 cargo test -p steadfast-scenarios --test coverage` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use steadfast_core::catalogue::{Applies, FAILURES as CATALOGUE, MUTANTS};
use steadfast_scenarios::Scenario;
use steadfast_scenarios::coverage::{Covered, FAILURES, GROUPS, render_scenarios};
use steadfast_sim::Settings;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_failure_of_the_catalogue_is_answered() {
    let named: Vec<&str> = FAILURES.iter().map(|(code, _)| *code).collect();
    let unique: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(unique.len(), named.len(), "a failure is answered twice");
    let known: BTreeSet<&str> = CATALOGUE.iter().map(|failure| failure.code).collect();
    assert_eq!(unique, known);
    for failure in CATALOGUE {
        let (_, covered) = FAILURES.iter().find(|(code, _)| *code == failure.code).unwrap();
        let fits = match failure.applies {
            Applies::Yes => !covered.scenarios().is_empty(),
            Applies::Later(_) => matches!(covered, Covered::Due(_) | Covered::By(_)),
            Applies::No(_) => matches!(covered, Covered::No(_)),
        };
        assert!(fits, "{} applies {:?} and is answered {covered:?}", failure.code, failure.applies);
    }
}

#[test]
fn every_answer_names_scenarios_that_exist() {
    let reports = GROUPS.iter().flat_map(|group| group.reports);
    let answers: Vec<(&str, Covered)> = FAILURES
        .iter()
        .copied()
        .chain(reports.map(|report| (report.row, report.covered)))
        .collect();
    for (what, covered) in &answers {
        for name in covered.scenarios() {
            assert!(Scenario::named(name).is_some(), "{what} names {name}, which is not there");
        }
    }
}

#[test]
fn the_rows_of_public_reports_are_numbered_without_a_gap() {
    for group in GROUPS {
        let letter = group.title.chars().next().unwrap();
        for (nth, report) in group.reports.iter().enumerate() {
            assert_eq!(report.row, format!("{letter}{}", nth + 1));
            assert!(!report.mechanism.is_empty() && !report.threads.is_empty());
        }
    }
}

#[test]
fn the_document_is_the_table() {
    let path = root().join("docs/scenarios.md");
    let expected = render_scenarios(prose_of);
    if blessed() {
        fs::write(&path, expected).expect("docs/scenarios.md can be written");
        return;
    }
    let found = fs::read_to_string(&path).expect("docs/scenarios.md can be read");
    let same = found.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
    assert!(
        found == expected,
        "docs/scenarios.md is not what the sources say, from line {} on; to write it anew: \
         STEADFAST_BLESS=1 cargo test -p steadfast-scenarios --test coverage",
        same + 1,
    );
}

/// Chapters name scenarios and planted bugs as `scenario NAME` and `mutant NAME`.
#[test]
fn chapters_name_what_is_there() {
    let text = fs::read_to_string(root().join("docs/chapters.md")).expect("there are chapters");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let names = |word: &str| -> Vec<String> {
        let starts = text.match_indices(word).map(|(at, _)| at + word.len());
        starts.map(|at| text[at..].chars().take_while(|c| *c != '`').collect()).collect()
    };
    let (scenarios, mutants) = (names("cenario `"), names("utant `"));
    assert!(scenarios.len() >= 5 && mutants.len() >= 5);
    for name in scenarios {
        assert!(Scenario::named(&name).is_some(), "{name}");
    }
    for name in mutants {
        assert!(MUTANTS.iter().any(|mutant| mutant.name == name), "{name}");
    }
}

/// The old behaviour of each chapter, and the scenario that it does not survive.
const OLD_BEHAVIOUR: &[(&str, &str)] = &[
    ("counter_instead_of_rows", "one_report_ends_an_execution"),
    ("sweep_trusts_hints", "hints_that_never_come"),
    ("progress_as_a_rewritten_list", "items_that_end_at_once"),
    ("completion_counted_again", "items_that_end_at_once"),
    ("offer_without_deadline", "offers_that_nobody_reads"),
    ("orphans_not_swept", "killed_in_the_middle"),
    ("report_accepted_with_any_token", "stands_still_beyond_its_lease"),
    ("claim_answer_lost_is_forgotten", "a_claim_whose_answer_is_lost"),
    ("ack_before_work", "an_outage_is_no_verdict"),
];

#[test]
fn the_old_behaviour_does_not_survive_its_chapter() {
    let text = fs::read_to_string(root().join("docs/chapters.md")).expect("there are chapters");
    for (mutant, scenario) in OLD_BEHAVIOUR {
        let told = [mutant, scenario].iter().all(|name| text.contains(&format!("`{name}`")));
        assert!(told, "no chapter tells of {mutant} and {scenario}");
        let scenario = Scenario::named(scenario).expect("it is there");
        let settings = Settings { planted: Some(mutant), ..Settings::default() };
        let breaks = (0..42).any(|seed| !scenario.run(seed, &settings).held());
        assert!(breaks, "{mutant} survives {}", scenario.name);
    }
}

/// What stands at the head of a scenario's file.
fn prose_of(name: &str) -> String {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = format!("{name}.rs");
    let mut folders: Vec<PathBuf> = fs::read_dir(&sources)
        .expect("sources can be listed")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.push(sources);
    let path = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
    let text = fs::read_to_string(path.unwrap_or_else(|| panic!("{name} has no file")));
    let text = text.expect("a source can be read");
    let prose = text.lines().map_while(|line| line.strip_prefix("//!"));
    prose.map(str::trim_start).collect::<Vec<_>>().join("\n")
}

#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test, not a setting")]
fn blessed() -> bool {
    std::env::var_os("STEADFAST_BLESS").is_some_and(|value| value == "1")
}
