//! Every decision of simulated processes is made again by the pure core, from what their journals
//! say, and comes out the same.

use std::collections::BTreeSet;

use steadfast_scenarios::{SCENARIOS, Scenario, Seeds};
use steadfast_services::journal::Findings;
use steadfast_sim::Settings;

const SEEDS: Seeds = Seeds(0..3);
/// The random one has what is rare.
const OF_THE_SWARM: Seeds = Seeds(0..60);

fn findings(scenario: &Scenario, seed: u64, planted: Option<&'static str>) -> Findings {
    let settings = Settings { journal: true, planted, ..Settings::default() };
    scenario.run(seed, &settings).journal.expect("journals were kept")
}

#[test]
fn every_decision_comes_out_the_same_again() {
    let (mut steps, mut rows) = (BTreeSet::new(), 0);
    for scenario in SCENARIOS {
        let seeds = if scenario.name == "swarm" { OF_THE_SWARM } else { SEEDS };
        for seed in seeds.0 {
            let Findings { decisions, rows: compared, torn, faults, .. } =
                findings(scenario, seed, None);
            let first = faults.first().map(ToString::to_string);
            assert_eq!((faults.len(), first), (0, None), "{} of seed {seed}", scenario.name);
            assert_eq!(torn, 0, "nothing interrupts a write to memory");
            steps.extend(decisions.into_keys());
            rows += compared;
        }
    }
    assert!(rows > 10_000, "only {rows} rows were compared with what had been written");
    let all = [
        "accept",
        "admit",
        "advance",
        "cancel",
        "change queues",
        "check workers",
        "claim",
        "complete",
        "dispatch",
        "drain",
        "find missed",
        "give up",
        "heartbeat",
        "register",
        "submit",
        "sweep",
        "take back",
        "tell worker",
    ];
    let missing: Vec<_> = all.iter().filter(|step| !steps.contains(**step)).collect();
    assert!(missing.is_empty(), "no seed asked for {missing:?}");
}

/// The core that makes the decisions again has no planted bug.
#[test]
fn a_decision_that_the_core_would_not_make_is_seen() {
    let swarm = Scenario::named("swarm").expect("it is there");
    for mutant in ["promote_without_capacity_check", "readmission_takes_a_new_number"] {
        let seen = |seed| !findings(swarm, seed, Some(mutant)).faults.is_empty();
        assert!((0..20).any(seen), "nobody saw {mutant}");
    }
}
