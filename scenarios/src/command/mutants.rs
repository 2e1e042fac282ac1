//! `mutants`: is each law alive? Every known bug is planted, and its law has to fall.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;
use steadfast_core::catalogue::{Due, MUTANTS, Mutant};
use steadfast_scenarios::{Hunt, hunt, jobs_by_default};
use steadfast_sim::replay_command;

use super::{BadUsage, End, Output, say, say_json, unknown};

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Which planted bugs; all that can be planted when none is named.
    names: Vec<String>,
    /// The most seeds to spend on one of them.
    #[arg(long, value_name = "SEEDS", default_value_t = 1000)]
    max_seeds: u64,
    /// How many seeds to run at once; as many as there are cores when not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// How to write the result.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Serialize)]
struct Summary {
    mutants: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    law: &'static str,
    scenario: &'static str,
    killed: bool,
    seeds: u64,
}

impl Mutants {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let jobs = self.jobs.unwrap_or_else(jobs_by_default);
        if jobs == 0 || self.max_seeds == 0 {
            let what = if jobs == 0 { "--jobs" } else { "--max-seeds" };
            return Err(BadUsage(format!("{what} 0 would run nothing; give at least 1")));
        }
        let mut hunts = Vec::new();
        for mutant in self.chosen()? {
            let hunted = hunt(mutant, self.max_seeds, jobs);
            if self.output == Output::Table {
                say(&line(&hunted));
            }
            hunts.push(hunted);
        }
        let survived = hunts.iter().filter(|hunt| hunt.caught.is_none()).count();
        match self.output {
            Output::Json => say_json(&Summary { mutants: hunts.iter().map(row).collect() }),
            Output::Table => {
                if self.names.is_empty() {
                    say(&due_later());
                }
                say(&verdict(&hunts));
            }
        }
        Ok(if survived > 0 { End::Failed } else { End::Done })
    }

    /// The bugs to hunt. One that is named and cannot be planted yet is refused with its reason.
    fn chosen(&self) -> Result<Vec<&'static Mutant>, BadUsage> {
        if self.names.is_empty() {
            return Ok(MUTANTS.iter().filter(|mutant| mutant.is_due()).collect());
        }
        let find = |name: &String| {
            let all = MUTANTS.iter().map(|mutant| mutant.name);
            let mutant = Mutant::by_name(name).ok_or_else(|| unknown("planted bug", name, all))?;
            match mutant.due {
                Due::Now => Ok(mutant),
                Due::Later(missing) => {
                    Err(BadUsage(format!("{name} cannot be planted yet. {missing}")))
                }
            }
        };
        self.names.iter().map(find).collect()
    }
}

fn row(hunt: &Hunt) -> Row {
    Row {
        name: hunt.mutant.name,
        law: hunt.mutant.law.name(),
        scenario: hunt.scenario.name,
        killed: hunt.caught.is_some(),
        seeds: hunt.seeds,
    }
}

/// One bug: whether it was caught, by which law, where, and after how many seeds. What fell first
/// and does not count is said below it.
fn line(hunt: &Hunt) -> String {
    let Hunt { mutant, scenario, seeds, .. } = hunt;
    let (name, scenario) = (mutant.name, scenario.name);
    let mut text = match hunt.caught {
        Some((law, _)) => {
            let code = law.code().unwrap_or_default();
            format!("killed   {name:<36} {code:<4} {scenario:<32} {seeds} seeds\n")
        }
        None => {
            let code = mutant.law.code();
            format!("SURVIVED {name:<36} {code:<4} {scenario:<32} {seeds} seeds\n")
        }
    };
    for (law, seed) in &hunt.strays {
        let replay = replay_command(scenario, *seed);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "         first by {law}, which does not count:");
        let _ = writeln!(text, "         {replay} --planted {name}");
    }
    text
}

fn due_later() -> String {
    let mut text = String::new();
    for mutant in MUTANTS {
        if let Due::Later(reason) = mutant.due {
            let (name, code) = (mutant.name, mutant.law.code());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "later    {name:<36} {code:<4} {reason}");
        }
    }
    text
}

fn verdict(hunts: &[Hunt]) -> String {
    let mut seeds: Vec<u64> =
        hunts.iter().filter(|hunt| hunt.caught.is_some()).map(|hunt| hunt.seeds).collect();
    seeds.sort_unstable();
    let (killed, all) = (seeds.len(), hunts.len());
    match seeds.get(killed / 2) {
        Some(median) => format!("{killed} of {all} killed, the median after {median} seeds\n"),
        None => format!("none of {all} killed\n"),
    }
}
