//! `shrink`: the smallest case that breaks the same law.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use steadfast_scenarios::{Budget, Shrunk, Size, Unshrinkable, shrink};
use steadfast_sim::{Report, Settings};

use super::{BadUsage, End, named, planted, replay_of_case, say, seed, write};

#[derive(Debug, Args)]
pub(crate) struct Shrink {
    /// Which scenario.
    scenario: String,
    /// Which seed.
    #[arg(value_parser = seed)]
    seed: u64,
    /// Where to write the case; it is printed when no file is named.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A bug to have, by its name.
    #[arg(long, value_name = "MUTANT")]
    planted: Option<String>,
    /// The most runs to spend.
    #[arg(long, value_name = "RUNS", default_value_t = Budget::default().runs)]
    budget: u64,
    /// How many runs at once; as many as there are cores when not given.
    #[arg(long, value_name = "JOBS", default_value_t = Budget::default().jobs)]
    jobs: usize,
    /// The most seconds to spend.
    #[arg(long, value_name = "SECONDS", default_value_t = Budget::default().wall.as_secs())]
    seconds: u64,
}

impl Shrink {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let scenario = named(&self.scenario)?;
        let settings =
            Settings { planted: planted(self.planted.as_deref())?, ..Settings::default() };
        let budget =
            Budget { runs: self.budget, wall: Duration::from_secs(self.seconds), jobs: self.jobs };
        let (name, seed) = (scenario.name, self.seed);
        let shrunk = shrink(scenario, seed, &settings, budget).map_err(|reason| match reason {
            Unshrinkable::Holds => {
                BadUsage(format!("every law holds in {name} under seed {seed}: nothing to shrink"))
            }
            Unshrinkable::Elusive => BadUsage(format!(
                "the law that falls in {name} under seed {seed} does not fall in its case"
            )),
        })?;
        let text = shrunk.case.write();
        if let Some(file) = &self.output {
            write(file, &text)?;
        }
        say(&told(name, &shrunk));
        match &self.output {
            Some(file) => {
                let mut report = Report::new(name, &shrunk.outcome);
                report.replay = replay_of_case(file);
                say(&report.to_string());
            }
            None => say(&text),
        }
        Ok(End::Done)
    }
}

fn told(name: &str, shrunk: &Shrunk) -> String {
    let size = |size: &Size| {
        let Size { faults, items, nodes, events } = size;
        format!("faults {faults:<6} items {items:<6} nodes {nodes:<6} events {events}")
    };
    let Shrunk { case, before, after, runs, .. } = shrunk;
    let (before, after) = (size(before), size(after));
    format!(
        "shrunk    {name}   {}   {runs} runs\nbefore    {before}\nafter     {after}\n",
        case.law
    )
}
