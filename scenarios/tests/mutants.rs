//! Each law is alive: a bug that breaks it is planted and caught, and without the bug the same
//! scenario holds. This is a sample; `steadfast-sim mutants` does it for every bug.

use std::collections::BTreeSet;

use steadfast_core::catalogue::{LAWS, LawId, MUTANTS, Mutant};
use steadfast_scenarios::{GROUNDS, SHARP, Scenario, ground_of, hunt, jobs_by_default};
use steadfast_sim::Settings;

/// The most seeds that a bug of the sample may survive.
const SEEDS: u64 = 50;

/// The laws that no bug can break yet: what they speak of is not built.
const LATER: &[LawId] = &[LawId::S9, LawId::S10, LawId::S18, LawId::L9, LawId::L11];

fn named(name: &str) -> &'static Mutant {
    Mutant::by_name(name).unwrap_or_else(|| panic!("no bug is called {name}"))
}

#[test]
fn every_law_falls_for_a_bug_and_holds_without_it() {
    let mut broken = BTreeSet::new();
    for name in SHARP {
        let hunted = hunt(named(name), SEEDS, jobs_by_default());
        let Some((_, seed)) = hunted.caught else {
            panic!("{name} survives {SEEDS} seeds of {}: {:?}", hunted.scenario.name, hunted.strays)
        };
        assert!(broken.insert(named(name).law), "{name} is planted for a law that has a bug");
        let sound = hunted.scenario.run(seed, &Settings::default());
        assert!(sound.held(), "{} {seed}: {:?}", hunted.scenario.name, sound.violations);
    }
    let all: BTreeSet<LawId> = LawId::ALL.iter().copied().collect();
    let alive: BTreeSet<LawId> = all.into_iter().filter(|law| !LATER.contains(law)).collect();
    let asleep: Vec<&LawId> = alive.difference(&broken).collect();
    assert!(asleep.is_empty(), "no bug of the sample breaks {asleep:?}");
}

#[test]
fn every_law_has_a_bug_now_or_waits_for_what_it_speaks_of() {
    for law in LAWS {
        let due = MUTANTS.iter().any(|mutant| mutant.law == law.id && mutant.is_due());
        assert_eq!(due, !LATER.contains(&law.id), "{}", law.code);
    }
}

#[test]
fn every_bug_is_hunted_where_a_scenario_is() {
    for mutant in MUTANTS.iter().filter(|mutant| mutant.is_due()) {
        assert!(Scenario::named(ground_of(mutant.name).name).is_some());
    }
    let mut seen = BTreeSet::new();
    for (name, _) in GROUNDS {
        assert!(named(name).is_due(), "{name} is hunted and cannot be planted");
        assert!(seen.insert(name), "{name} is hunted at two places");
    }
}
