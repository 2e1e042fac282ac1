//! The command line: what may be said, and who does it.

mod list;
mod meta;
mod mutants;
mod replay;
mod run;
mod shrink;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use steadfast_core::Transport;
use steadfast_core::catalogue::{Due, MUTANTS, Mutant};
use steadfast_packs::suggestion;
use steadfast_scenarios::{SCENARIOS, Scenario, Seeds, parse_seed};

/// What a verb ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All is well.
    Done,
    /// A law fell, or two runs of one seed differ.
    Failed,
}

/// A request that cannot be met as it was made; says what is wrong and what to do.
#[derive(Debug)]
pub(crate) struct BadUsage(pub(crate) String);

/// Runs the engine in a simulated world, under faults, from a seed.
#[derive(Debug, Parser)]
#[command(name = "steadfast-sim", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the scenarios, the laws, the faults and the planted bugs.
    List(list::List),
    /// Runs scenarios over a range of seeds.
    Run(run::Run),
    /// Runs one seed again and reports on it; the last line is the hash of its event log.
    Replay(replay::Replay),
    /// Runs each seed in two fresh processes and compares them.
    Meta(meta::Meta),
    /// Makes the case behind a failing seed smaller, while the same law falls.
    Shrink(shrink::Shrink),
    /// Plants each known bug and looks whether its law catches it.
    Mutants(mutants::Mutants),
    /// What the processes of `meta` do.
    #[command(hide = true)]
    Digests(meta::Digests),
    /// Turns a production trace into a case (not built yet).
    Import(Anything),
}

/// The arguments of a verb that is not built yet.
#[derive(Debug, Args)]
struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<String>,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => {
            // When even that cannot be printed, the exit code still says it.
            let _ = refusal.print();
            return ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2));
        }
    };
    let result = match cli.verb {
        Verb::List(list) => list.perform(),
        Verb::Run(run) => run.perform(),
        Verb::Replay(replay) => replay.perform(),
        Verb::Meta(meta) => meta.perform(),
        Verb::Shrink(shrink) => shrink.perform(),
        Verb::Digests(digests) => digests.perform(),
        Verb::Mutants(mutants) => mutants.perform(),
        Verb::Import(_) => Err(not_built("import")),
    };
    match result {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Failed) => ExitCode::from(1),
        Err(BadUsage(what)) => {
            eprintln!("steadfast-sim: {what}");
            ExitCode::from(2)
        }
    }
}

/// Refuses what the interface promises and nobody has built.
pub(crate) fn not_built(what: &str) -> BadUsage {
    BadUsage(format!("{what} is not built yet; `steadfast-sim help` shows what is"))
}

/// The scenarios called `names`, or all of them when none is named.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, BadUsage> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    names.iter().map(|name| named(name)).collect()
}

/// The scenario called `name`.
pub(crate) fn named(name: &str) -> Result<&'static Scenario, BadUsage> {
    Scenario::named(name)
        .ok_or_else(|| unknown("scenario", name, SCENARIOS.iter().map(|scenario| scenario.name)))
}

/// How work is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Carrier {
    /// In one process.
    Embedded,
    /// By the database.
    Postgres,
    /// By RabbitMQ.
    Rabbitmq,
}

impl From<Carrier> for Transport {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Embedded => Self::Embedded,
            Carrier::Postgres => Self::Postgres,
            Carrier::Rabbitmq => Self::Rabbitmq,
        }
    }
}

/// The planted bug called `name`, if one is named.
pub(crate) fn planted(name: Option<&str>) -> Result<Option<&'static str>, BadUsage> {
    let Some(name) = name else { return Ok(None) };
    let mutant = Mutant::by_name(name)
        .ok_or_else(|| unknown("planted bug", name, MUTANTS.iter().map(|mutant| mutant.name)))?;
    match mutant.due {
        Due::Now => Ok(Some(mutant.name)),
        Due::Later(missing) => Err(BadUsage(format!("{name} cannot be planted yet. {missing}"))),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> BadUsage {
    let near = suggestion(name, known);
    BadUsage(format!("no {what} is called `{name}`{near}; `steadfast-sim list` shows them all"))
}

/// Writes a file.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), BadUsage> {
    std::fs::write(file, text)
        .map_err(|error| BadUsage(format!("cannot write {}: {error}", file.display())))
}

/// The command that replays the case in a file, to paste.
pub(crate) fn replay_of_case(file: &Path) -> String {
    format!("cargo run --bin steadfast-sim -- replay --case {}", file.display())
}

/// Reads `A..B` for clap.
pub(crate) fn seeds(text: &str) -> Result<Seeds, String> {
    text.parse()
}

/// Reads one seed for clap.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    parse_seed(text)
}

/// Writes a result to stdout. A reader who has seen enough and left is no failure.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes a result to stdout as JSON, on lines of its own.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(value).expect("results have string keys");
    say(&format!("{text}\n"));
}
