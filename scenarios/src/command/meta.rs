//! `meta`: is a seed really all there is? Two fresh processes must tell the same, byte for byte.

use std::io;

use clap::Args;
use steadfast_scenarios::{Seeds, compare, pass};

use super::{BadUsage, End, chosen, named, say, seed, seeds};

#[derive(Debug, Args)]
pub(crate) struct Meta {
    /// Which scenarios; all when none is named.
    scenarios: Vec<String>,
    /// Which seeds, as A..B without B.
    #[arg(long, value_parser = seeds, default_value = "0..10")]
    seeds: Seeds,
}

impl Meta {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let program = std::env::current_exe()
            .map_err(|error| BadUsage(format!("cannot find this program to run it: {error}")))?;
        let mut end = End::Done;
        for scenario in chosen(&self.scenarios)? {
            let verdict = compare(&program, scenario.name, &self.seeds)
                .map_err(|error| BadUsage(format!("cannot compare two processes: {error}")))?;
            let seeds = &self.seeds;
            match verdict {
                None => say(&format!("same   {:<28} seeds {seeds}\n", scenario.name)),
                Some(difference) => {
                    say(&format!("DIFFER {:<28} {difference}\n", scenario.name));
                    end = End::Failed;
                }
            }
        }
        Ok(end)
    }
}

/// What the processes of `meta` do.
#[derive(Debug, Args)]
pub(crate) struct Digests {
    scenario: String,
    #[arg(value_parser = seeds)]
    seeds: Seeds,
    #[arg(long)]
    backwards: bool,
    #[arg(long, value_parser = seed)]
    tell: Option<u64>,
}

impl Digests {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let scenario = named(&self.scenario)?;
        pass(scenario, &self.seeds, self.backwards, self.tell, &mut io::stdout().lock())
            .map_err(|error| BadUsage(format!("cannot write: {error}")))?;
        Ok(End::Done)
    }
}
