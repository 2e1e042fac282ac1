//! `list`: what there is to run, to hold and to break.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;
use steadfast_scenarios::SCENARIOS;
use steadfast_sim::{Fault, LAWS, MUTANTS};

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
    let statement = |l: &&steadfast_sim::Law| Statement { name: l.name, statement: l.statement };
    Contents {
        scenarios: SCENARIOS.iter().map(story).collect(),
        laws: LAWS.iter().map(statement).collect(),
        faults: Fault::ALL.iter().map(|fault| fault.name()).collect(),
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
