//! Every scenario over a small range of seeds. `STEADFAST_SEEDS=A..B` widens it.

use std::process::Command;

use steadfast_scenarios::{SCENARIOS, Scenario, Seeds, jobs_by_default, sweep};
use steadfast_sim::{LAWS, MUTANTS, Settings, replay_command, report};

/// Enough for every point of every scenario to be reached by some seed.
const USUAL: Seeds = Seeds(0..100);
/// The most seeds that a planted bug may survive.
const MUTANT_SEEDS: Seeds = Seeds(0..100);

#[test]
fn every_story_holds() {
    let asked = Seeds::from_environment().unwrap_or_else(|wrong| panic!("{wrong}"));
    let seeds = asked.unwrap_or(USUAL);
    for scenario in SCENARIOS {
        let tally = sweep(scenario, &seeds, &Settings::default(), jobs_by_default());
        if let Some((_, report)) = &tally.first_report {
            panic!("{} of {} seeds broke a law\n{report}", tally.broken.len(), tally.seeds);
        }
        // Fewer seeds than usual may rightly miss a point.
        if seeds.count() >= USUAL.count() {
            let idle = tally.idle(scenario);
            assert!(idle.is_empty(), "{}: never reached or judged: {idle:?}", scenario.name);
        }
    }
}

#[test]
fn every_planted_bug_is_caught_by_its_law() {
    for mutant in MUTANTS {
        let scenario = Scenario::named(mutant.scenario).expect("a mutant names a scenario");
        let settings = Settings { planted: Some(mutant), ..Settings::default() };
        let caught = MUTANT_SEEDS.0.clone().find_map(|seed| {
            let outcome = scenario.run(seed, &settings);
            outcome.violations.iter().any(|broken| broken.law.name == mutant.law).then_some(outcome)
        });
        let Some(outcome) = caught else {
            panic!("{} survived seeds {MUTANT_SEEDS}", mutant.name);
        };
        let report = report(scenario.name, &outcome);
        assert!(report.starts_with("FAILED"), "{report}");
        assert!(report.contains(mutant.law), "{report}");
        assert!(report.contains(&replay_command(scenario.name, outcome.seed)), "{report}");
    }
}

/// A seed must not depend on the seeds that ran before it in the same process.
#[test]
fn a_seed_is_the_same_in_a_crowd_and_alone() {
    for scenario in SCENARIOS {
        for seed in [0, 1, 31] {
            let in_crowd = scenario.run(seed, &Settings::default()).digest().to_string();
            let alone = Command::new(env!("CARGO_BIN_EXE_steadfast-sim"))
                .args(["replay", scenario.name, &seed.to_string()])
                .output()
                .unwrap();
            let told = String::from_utf8(alone.stdout).unwrap();
            assert_eq!(told.lines().next_back(), Some(format!("hash {in_crowd}").as_str()));
        }
    }
}

#[test]
fn names_are_well_formed_and_unique() {
    let mut names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    names.extend(LAWS.iter().map(|law| law.name));
    names.extend(MUTANTS.iter().map(|mutant| mutant.name));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    for name in &names {
        assert!(!name.is_empty() && name.chars().all(fits), "{name}");
    }
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    for mutant in MUTANTS {
        assert!(LAWS.iter().any(|law| law.name == mutant.law), "{}", mutant.law);
    }
}
