//! `replay`: the same run again, told in full.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use steadfast_scenarios::{Scenario, library, timeline};
use steadfast_sim::{Case, Outcome, Report, Settings, about, log_line};

use super::{BadUsage, Carrier, End, named, planted, replay_of_case, say, seed, write};

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
    /// Print the events about one of them: ex-7, worker-2, tx-12, msg-9.
    #[arg(long, value_name = "ENTITY")]
    only: Vec<String>,
    /// Write a timeline to this file, which a browser shows offline.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replay an exported case.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "seed", "planted", "transport"])]
    case: Option<PathBuf>,
    /// A bug to have, by its name.
    #[arg(long, value_name = "MUTANT")]
    planted: Option<String>,
    /// How work is carried, wherever a story leaves that to its seed.
    #[arg(long, value_enum)]
    transport: Option<Carrier>,
    /// Tell every fault, and how often each law judged.
    #[arg(long)]
    verbose: bool,
}

impl Replay {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let (scenario, seed, mut settings) = self.asked()?;
        settings.until = self.until;
        let outcome = scenario.run(seed, &settings);
        if let Some(file) = &self.html {
            write(file, &timeline(scenario.name, &outcome))?;
        }
        let mut text = String::new();
        let (events, unmatched) = self.wanted(&outcome);
        for event in events {
            text.push_str(&log_line(&outcome.log, &event));
            text.push('\n');
        }
        let mut report = Report::new(scenario.name, &outcome);
        report.is_verbose = self.verbose;
        if let Some(file) = &self.case {
            report.replay = replay_of_case(file);
        }
        text.push_str(&report.to_string());
        if let Some(case) = &settings.case {
            text.push_str(&verdict(case, &outcome));
        }
        text.push_str(&format!("hash {}\n", outcome.digest()));
        say(&text);
        match unmatched {
            Some(what) => Err(BadUsage(what)),
            None => Ok(if outcome.held() { End::Done } else { End::Failed }),
        }
    }

    /// What is to be run.
    fn asked(&self) -> Result<(&'static Scenario, u64, Settings), BadUsage> {
        if let Some(file) = &self.case {
            let case = read_case(file)?;
            let scenario = named(&case.scenario).map_err(|BadUsage(w)| in_file(file, &w))?;
            let planted = case.mutant().map(|mutant| mutant.name);
            let (seed, transport) = (case.seed, case.transport);
            let case = Some(Arc::new(case));
            let settings = Settings { planted, transport, case, ..Settings::default() };
            return Ok((scenario, seed, settings));
        }
        let (Some(name), Some(seed)) = (&self.scenario, self.seed) else {
            return Err(BadUsage("name a scenario and a seed, or a --case".into()));
        };
        let planted = planted(self.planted.as_deref())?;
        let transport = self.transport.map(Into::into);
        Ok((named(name)?, seed, Settings { planted, transport, ..Settings::default() }))
    }

    /// The events to print, and a complaint if a filter matches none.
    fn wanted(&self, outcome: &Outcome) -> (Vec<steadfast_sim::Event>, Option<String>) {
        if self.only.is_empty() {
            let events = if self.log { outcome.log.events().to_vec() } else { Vec::new() };
            return (events, None);
        }
        let mut steps = std::collections::BTreeSet::new();
        let mut complaint = None;
        for entity in &self.only {
            match about(&outcome.log, entity) {
                Ok(found) => steps.extend(found),
                Err(what) => complaint = Some(what),
            }
        }
        let events = outcome.log.events().iter().filter(|event| steps.contains(&event.index));
        (events.copied().collect(), complaint)
    }
}

fn in_file(file: &Path, what: &str) -> BadUsage {
    BadUsage(format!("{}: {what}", file.display()))
}

/// Reads a case and makes sure that there is what it speaks of.
fn read_case(file: &Path) -> Result<Case, BadUsage> {
    let text = std::fs::read_to_string(file).map_err(|error| in_file(file, &error.to_string()))?;
    let case = Case::read(&text).map_err(|error| in_file(file, &error.to_string()))?;
    let items = case.plan.iter().flat_map(|plan| &plan.workload);
    let library = library();
    let known = |action: &str| library.definition(action).is_some();
    match items.map(|item| &item.action).find(|action| !known(action)) {
        None => Ok(case),
        Some(action) => {
            let near = steadfast_packs::suggestion(action, library.names());
            Err(in_file(file, &format!("no action is called `{action}`{near}")))
        }
    }
}

/// Whether the case did what it was kept for.
fn verdict(case: &Case, outcome: &Outcome) -> String {
    let fell = outcome.violations.first().map(|violation| violation.law.name());
    match fell {
        Some(law) if law == case.law => format!("case      {law} falls, as the case says\n"),
        Some(law) => format!("case      it says that {} falls, and {law} fell\n", case.law),
        None => format!("case      it says that {} falls, and every law held\n", case.law),
    }
}
