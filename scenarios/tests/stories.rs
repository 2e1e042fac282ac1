//! Every scenario over a small range of seeds. `STEADFAST_SEEDS=A..B` widens it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use steadfast_core::catalogue::{MUTANTS, Mutant};
use steadfast_scenarios::{Budget, SCENARIOS, Scenario, Seeds, jobs_by_default, shrink, sweep};
use steadfast_sim::{Case, Law, Settings, replay_command, report};

/// Enough for every point of every scenario to be reached by some seed.
const USUAL: Seeds = Seeds(0..42);
/// The random one takes far longer than any other, and misses nothing in these.
const OF_THE_SWARM: Seeds = Seeds(0..20);
/// The laws that nothing judges yet, or that nobody counts, and why.
const DUE: &[(&str, &str)] = &[
    ("S9", "there are no durable messages yet"),
    ("S10", "there are no durable messages yet"),
    ("S18", "no service uses barriers yet"),
    ("L9", "no service drains a transport yet"),
    ("L11", "the inspection endpoint is not part of the simulated deployment"),
    ("L14", "every story ends by demanding it; that is not counted"),
];
/// Bugs that the random scenario finds in its first seeds; `steadfast-sim mutants` tries all of them.
const FOUND_AT_ONCE: &[&str] =
    &["promote_without_capacity_check", "readmission_takes_a_new_number", "place_given_out_twice"];

fn planted(name: &str) -> (&'static Mutant, Settings) {
    let mutant = Mutant::by_name(name).expect("the catalogue has it");
    (mutant, Settings { planted: Some(mutant.name), ..Settings::default() })
}

/// Its rate is quoted for seeds of this size: smaller ones would be cheap.
#[test]
fn every_seed_of_the_swarm_has_a_realistic_size() {
    let swarm = Scenario::named("swarm").unwrap();
    for seed in OF_THE_SWARM.0 {
        let outcome = swarm.run(seed, &Settings::default());
        let distinct = |kind: &str| {
            let events = outcome.log.events().iter().filter(|event| event.kind.name == kind);
            events.map(|event| event.payload[0]).collect::<BTreeSet<u64>>().len()
        };
        let drawn = |name: &str| {
            let (_, value) = outcome.drawn.iter().find(|(known, _)| *known == name).expect(name);
            value.parse::<u32>().expect("a number")
        };
        assert!(drawn("executors") >= 2 && drawn("workers") >= 5, "seed {seed}");
        let (executions, runs) = (distinct("execution"), distinct("visit"));
        assert!(executions >= 50 && runs >= 2, "seed {seed}: {executions} of {runs} runs");
    }
}

#[test]
fn every_story_holds() {
    let asked = Seeds::from_environment().unwrap_or_else(|wrong| panic!("{wrong}"));
    let mut judged: BTreeMap<&str, u64> = BTreeMap::new();
    let mut missed = Vec::new();
    for scenario in SCENARIOS {
        let usual = if scenario.name == "swarm" { OF_THE_SWARM } else { USUAL };
        let seeds = asked.clone().unwrap_or_else(|| usual.clone());
        let tally = sweep(scenario, &seeds, &Settings::default(), jobs_by_default());
        if let Some((_, report)) = &tally.first_report {
            panic!("{} of {} seeds broke a law\n{report}", tally.broken.len(), tally.seeds);
        }
        // Fewer seeds than usual may rightly miss a point.
        if seeds.count() >= usual.count() {
            let points = scenario.covers.iter().filter(|p| !tally.coverage.contains_key(*p));
            missed.extend(points.map(|point| (scenario.name, *point)));
        }
        for (law, times) in tally.judged {
            *judged.entry(law).or_default() += times;
        }
    }
    assert!(missed.is_empty(), "never reached: {missed:?}");
    let idle: BTreeSet<&str> = Law::all()
        .filter(|law| judged.get(law.name()).is_none_or(|times| *times == 0))
        .filter_map(Law::code)
        .collect();
    let due: BTreeSet<&str> = DUE.iter().map(|(code, _)| *code).collect();
    assert_eq!(idle, due, "the laws that judged nothing are not those that are due");
}

#[test]
fn a_planted_bug_is_caught_by_its_law() {
    let swarm = Scenario::named("swarm").unwrap();
    for name in FOUND_AT_ONCE {
        let (mutant, settings) = planted(name);
        let mut outcomes = (0..5).map(|seed| swarm.run(seed, &settings));
        let outcome = outcomes.find(|outcome| !outcome.held()).expect(name);
        let fallen = outcome.violations.first().map(|violation| violation.law);
        let caught = fallen.is_some_and(|law| match law {
            Law::Engine(id) => mutant.is_caught_by(id),
            Law::World(_) => false,
        });
        assert!(caught, "{name}: {fallen:?}");
        let report = report(swarm.name, &outcome);
        assert!(report.starts_with("FAILED"), "{report}");
        let replay = format!("{} --planted {name}", replay_command(swarm.name, outcome.seed));
        assert!(report.contains(&replay), "{report}");
    }
}

/// What a case says is all there is to say about a run: done again as a case, it is the same run.
#[test]
fn a_case_is_the_same_run() {
    let swarm = Scenario::named("swarm").unwrap();
    for seed in 0..6 {
        let drawn = swarm.run(seed, &Settings::default());
        let any = Law::all().next().unwrap();
        let case = Case::read(&Case::of(swarm.name, &drawn, any).write()).unwrap();
        let settings = Settings { case: Some(case.into()), ..Settings::default() };
        let again = swarm.run(seed, &settings);
        assert_eq!(again.digest(), drawn.digest(), "seed {seed}");
        assert_eq!(again.unmatched, []);
    }
}

#[test]
fn what_is_shrunk_breaks_the_same_law_with_few_faults() {
    let swarm = Scenario::named("swarm").unwrap();
    let (_, settings) = planted("release_by_queue_key");
    let seed = (0..20).find(|seed| !swarm.run(*seed, &settings).held()).expect("a seed falls");
    let budget = Budget { runs: 600, ..Budget::default() };
    let shrunk = shrink(swarm, seed, &settings, budget).unwrap();
    assert_eq!(shrunk.outcome.violations[0].law.name(), shrunk.case.law);
    assert!(shrunk.after.faults <= 8, "{:?}", shrunk.after);
    assert!(shrunk.after.items < shrunk.before.items);
    assert!(shrunk.after.events <= shrunk.before.events);
}

/// A seed must not depend on the seeds that ran before it in the same process.
#[test]
fn a_seed_is_the_same_in_a_crowd_and_alone() {
    for seed in [0, 1, 31] {
        let scenario = Scenario::named("swarm").unwrap();
        let in_crowd = scenario.run(seed, &Settings::default()).digest().to_string();
        let alone = Command::new(env!("CARGO_BIN_EXE_steadfast-sim"))
            .args(["replay", scenario.name, &seed.to_string()])
            .output()
            .unwrap();
        let told = String::from_utf8(alone.stdout).unwrap();
        assert_eq!(told.lines().next_back(), Some(format!("hash {in_crowd}").as_str()));
    }
}

#[test]
fn names_are_well_formed_and_unique() {
    let mut names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    names.extend(Law::all().map(Law::name));
    names.extend(MUTANTS.iter().map(|mutant| mutant.name));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    for name in &names {
        assert!(!name.is_empty() && name.chars().all(fits), "{name}");
    }
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "{names:?}");
}
