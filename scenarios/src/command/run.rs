//! `run`: scenarios over a range of seeds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use steadfast_scenarios::{Scenario, Seeds, Tally, jobs_by_default, sweep_and_tell};
use steadfast_sim::{Settings, replay_command, wall_clock};

use super::{BadUsage, Carrier, End, Output, chosen, planted, say, say_json, seeds};

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Which scenarios; all when none is named.
    scenarios: Vec<String>,
    /// Which seeds, as A..B without B.
    #[arg(long, value_parser = seeds, default_value = "0..100")]
    seeds: Seeds,
    /// How many seeds to run at once; as many as there are cores when not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// A bug to have, by its name.
    #[arg(long, value_name = "MUTANT")]
    planted: Option<String>,
    /// How work is carried, wherever a story leaves that to its seed.
    #[arg(long, value_enum)]
    transport: Option<Carrier>,
    /// How to write the result.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Serialize)]
struct Summary {
    scenarios: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    seeds: u64,
    events: u64,
    sim_seconds: f64,
    wall_seconds: f64,
    violations: Vec<Fall>,
    faults: BTreeMap<&'static str, u64>,
    coverage: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Fall {
    law: &'static str,
    seed: u64,
    step: u64,
    replay: String,
}

impl Run {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let jobs = self.jobs.unwrap_or_else(jobs_by_default);
        if jobs == 0 {
            return Err(BadUsage("--jobs 0 would run nothing; give at least 1".into()));
        }
        let settings = Settings {
            planted: planted(self.planted.as_deref())?,
            transport: self.transport.map(Into::into),
            ..Settings::default()
        };
        let mut rows = Vec::new();
        for scenario in chosen(&self.scenarios)? {
            let progress = Progress::of(scenario.name, &self.seeds);
            let tell = |tally: &Tally| progress.tell(tally);
            let tally = sweep_and_tell(scenario, &self.seeds, &settings, jobs, &tell);
            if let Some((_, report)) = &tally.first_report {
                eprint!("{report}");
            }
            let row = row(scenario, tally, &settings);
            if self.output == Output::Table {
                say(&line(&row));
            }
            rows.push(row);
        }
        let failed = rows.iter().any(|row| !row.violations.is_empty());
        if self.output == Output::Json {
            say_json(&Summary { scenarios: rows });
        }
        Ok(if failed { End::Failed } else { End::Done })
    }
}

/// How often a long run says how far it is.
const EVERY: Duration = Duration::from_secs(5);

/// Says now and then how far a run is, on stderr, where it is in no program's way.
struct Progress {
    name: &'static str,
    seeds: u64,
    begun: Instant,
    told: Mutex<Instant>,
}

impl Progress {
    fn of(name: &'static str, seeds: &Seeds) -> Self {
        let begun = wall_clock();
        Self { name, seeds: seeds.count(), begun, told: Mutex::new(begun) }
    }

    fn tell(&self, tally: &Tally) {
        let now = wall_clock();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(*told) < EVERY || tally.seeds == self.seeds {
            return;
        }
        *told = now;
        let (name, done, all, broken) = (self.name, tally.seeds, self.seeds, tally.broken.len());
        let spent = now.duration_since(self.begun).as_secs();
        eprintln!("       {name}: {done} of {all} seeds in {spent} s, {broken} broke a law");
    }
}

fn row(scenario: &Scenario, tally: Tally, settings: &Settings) -> Row {
    let planted = settings.planted.map(|mutant| format!(" --planted {mutant}"));
    let transport = settings.transport.map(|transport| format!(" --transport {transport}"));
    let asked = planted.unwrap_or_default() + &transport.unwrap_or_default();
    let falls = tally.broken.iter().map(|broken| Fall {
        law: broken.law,
        seed: broken.seed,
        step: broken.step,
        replay: replay_command(scenario.name, broken.seed) + &asked,
    });
    Row {
        name: scenario.name,
        seeds: tally.seeds,
        events: tally.events,
        sim_seconds: tally.sim_time.as_secs_f64(),
        wall_seconds: tally.wall.as_secs_f64(),
        violations: falls.collect(),
        faults: tally.faults,
        coverage: tally.coverage,
    }
}

fn line(row: &Row) -> String {
    let verdict = if row.violations.is_empty() { "held" } else { "FAILED" };
    let (name, seeds, events) = (row.name, row.seeds, row.events);
    let (inside, outside) = (row.sim_seconds, row.wall_seconds);
    let mut text = format!(
        "{verdict:<6} {name:<28} {seeds} seeds, {events} events, \
         {inside:.1} s simulated in {outside:.1} s\n"
    );
    for fall in &row.violations {
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "       {} fell under seed {}: {}", fall.law, fall.seed, fall.replay);
    }
    text
}
