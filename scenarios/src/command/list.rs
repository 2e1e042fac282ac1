//! `list`: what there is to run, to hold and to break.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;
use steadfast_core::catalogue::MUTANTS;
use steadfast_scenarios::SCENARIOS;
use steadfast_sim::{FAULTS, Law, STRIKES};

use super::{BadUsage, End, Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Serialize)]
struct Contents {
    scenarios: Vec<Story>,
    laws: Vec<Statement>,
    faults: Vec<&'static str>,
    mutants: Vec<&'static str>,
}

#[derive(Serialize)]
struct Story {
    name: &'static str,
    story: &'static str,
}

#[derive(Serialize)]
struct Statement {
    name: &'static str,
    statement: &'static str,
}

impl List {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let contents = contents();
        match self.output {
            Output::Json => say_json(&contents),
            Output::Table => say(&table(&contents)),
        }
        Ok(End::Done)
    }
}

fn contents() -> Contents {
    let story = |s: &steadfast_scenarios::Scenario| Story { name: s.name, story: s.story };
    let statement = |law: Law| Statement { name: law.name(), statement: law.statement() };
    let faults = FAULTS.iter().map(|f| f.name());
    let strikes = STRIKES.iter().map(|s| s.name());
    Contents {
        scenarios: SCENARIOS.iter().map(story).collect(),
        laws: Law::all().map(statement).collect(),
        faults: faults.chain(strikes).collect(),
        mutants: MUTANTS.iter().map(|mutant| mutant.name).collect(),
    }
}

fn table(contents: &Contents) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for story in &contents.scenarios {
        let _ = writeln!(text, "scenario  {:<28} {}", story.name, story.story);
    }
    for law in &contents.laws {
        let _ = writeln!(text, "law       {:<28} {}", law.name, law.statement);
    }
    for fault in &contents.faults {
        let _ = writeln!(text, "fault     {fault}");
    }
    for mutant in &contents.mutants {
        let _ = writeln!(text, "mutant    {mutant}");
    }
    text
}
