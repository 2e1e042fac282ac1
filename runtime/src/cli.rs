//! The command line: what is asked for, and with which exit code it ends.

mod arguments;
mod bench;
mod client;
mod dev;
mod doctor;
mod failure;
mod pack;
mod probes;
mod production;
mod run;
mod setup;
mod signals;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::{Config, Environment, Flag};
use arguments::{Arguments, Verb};
use failure::{Code, Failure};

/// What every verb gets.
struct Setting {
    config: Config,
    format: crate::output::Format,
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let ended = dispatch(arguments);
    let code = match ended {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    };
    code.into()
}

fn dispatch(arguments: Arguments) -> Result<Code, Failure> {
    let Arguments { global, verb } = arguments;
    let environment = Environment::read();
    setup::logging(&environment, verb.usual_level());
    let flags: Vec<Flag> = verb.flags();
    let loaded = Config::load(global.config.as_deref(), &environment, &flags);
    let format = global.output.unwrap_or_default();
    if let Verb::Doctor(asked) = verb {
        return doctor::doctor(asked, loaded, &global, &environment, format);
    }
    let mut config = loaded.map_err(Failure::many)?;
    for warning in &config.warnings {
        eprintln!("{warning}");
    }
    config.api.url = global.api_url.or(config.api.url);
    let setting = Setting { config, format };
    match verb {
        Verb::Run(asked) => run::run(asked, &setting),
        Verb::Dev(asked) => dev::dev(asked, &setting),
        Verb::Pack { verb } => pack::pack(verb, &setting),
        Verb::Execution { verb } => client::execution(verb, &setting),
        Verb::Queue { verb } => client::queue(verb, &setting),
        Verb::Schedule { verb } => client::schedule(verb, &setting),
        Verb::Worker(worker) if worker.verb.is_none() => production::worker(worker, &setting),
        Verb::Worker(worker) => client::worker(worker, &setting),
        Verb::Migrate => production::migrate(&setting),
        Verb::Executor(asked) => production::executor(&asked, &setting),
        Verb::Api(asked) => production::api(&asked, &setting),
        Verb::Serve(asked) => production::serve(&asked, &setting),
        Verb::Explain { id } => client::explain(id, &setting),
        Verb::Bench(asked) => bench::bench(&asked, &setting),
        Verb::Witness(asked) => production::witness(&asked, &setting),
        Verb::Drain(asked) => client::drain(asked, &setting),
        Verb::Effects { verb } => client::effects(verb, &setting),
        Verb::Parked { verb } => client::parked(verb, &setting),
        Verb::Doctor(_) => Ok(Code::Usage),
    }
}

/// Says in one sentence what is wrong with the command line, or prints the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let rendered = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told when standard output is closed.
        let _ = std::io::stdout().write_all(rendered.as_bytes());
        return Code::Done.into();
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        eprint!("{rendered}");
        return Code::Usage.into();
    }
    let what = rendered.split("\n\nUsage:").next().unwrap_or_default();
    let what = what.split("\n\nFor more information").next().unwrap_or_default();
    let mut parts = what.split("\n\n").map(one_line);
    let what = parts.next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    // Of the tips, those that know what was meant.
    let meant = parts.filter_map(|tip| Some(format!("; {}", tip.strip_prefix("tip: ")?)));
    let meant: String = meant.filter(|tip| tip.contains("similar")).collect();
    Failure::usage(format!("{what}{meant}; {}", remedy(error))).print();
    Code::Usage.into()
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// What to do about a command line that cannot be understood.
fn remedy(error: &clap::Error) -> String {
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        let usage = usage.to_string();
        let words: Vec<&str> =
            usage.split_whitespace().skip_while(|word| *word == "Usage:").collect();
        let verb: Vec<&str> =
            words.into_iter().take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
        if !verb.is_empty() {
            return format!("see `{} --help`", verb.join(" "));
        }
    }
    "see `steadfast --help`".to_owned()
}
