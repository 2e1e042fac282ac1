//! `replay`: the same run again, told in full.

use std::path::PathBuf;

use clap::Args;
use steadfast_sim::{Outcome, Settings, log_line, report};

use super::{BadUsage, End, named, not_built, say, seed};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Which scenario.
    #[arg(required_unless_present = "case")]
    scenario: Option<String>,
    /// Which seed.
    #[arg(required_unless_present = "case", value_parser = seed)]
    seed: Option<u64>,
    /// Stop after the event with this number.
    #[arg(long, value_name = "STEP")]
    until: Option<u64>,
    /// Print every event before the report.
    #[arg(long)]
    log: bool,
    /// Write a timeline to this file (not built yet).
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replay an exported case (not built yet).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "seed"])]
    case: Option<PathBuf>,
}

impl Replay {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        if self.html.is_some() {
            return Err(not_built("replay --html"));
        }
        let (Some(name), Some(seed)) = (&self.scenario, self.seed) else {
            return Err(not_built("replay --case"));
        };
        let scenario = named(name)?;
        let settings = Settings { until: self.until, ..Settings::default() };
        let outcome = scenario.run(seed, &settings);
        say(&told(scenario.name, &outcome, self.log));
        Ok(if outcome.held() { End::Done } else { End::Failed })
    }
}

/// The log if it is wanted, the report, and the hash as the last line in every case.
fn told(name: &str, outcome: &Outcome, with_log: bool) -> String {
    let mut text = String::new();
    let wanted = if with_log { outcome.log.events() } else { &[] };
    for event in wanted {
        text.push_str(&log_line(&outcome.log, event));
        text.push('\n');
    }
    text.push_str(&report(name, outcome));
    text.push_str(&format!("hash {}\n", outcome.digest()));
    text
}
