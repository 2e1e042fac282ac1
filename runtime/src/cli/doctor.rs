//! `doctor`: a row for everything that must be right, and exit code 1 if anything is not.

mod data;
mod servers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::json;
use steadfast_runner::Interpreter;
use steadfast_runtime::packs::{Catalog, Kind, Problem, Sources};

use super::arguments::{Doctor, Global};
use super::client::ApiClient;
use super::failure::{Code, Failure};
use super::setup;
use crate::config::{Config, Environment};
use crate::output::{Format, Table, show};

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Not wrong, but worth knowing.
    Warning,
    /// Wrong.
    Failed,
    /// Not looked at.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
struct Row {
    check: String,
    state: State,
    detail: String,
}

fn row(check: &str, state: State, detail: impl Into<String>) -> Row {
    Row { check: check.to_owned(), state, detail: detail.into() }
}

/// Checks everything, whether or not the configuration can be read.
pub(crate) fn doctor(
    asked: Doctor,
    loaded: Result<Config, Vec<String>>,
    global: &Global,
    environment: &Environment,
    format: Format,
) -> Result<Code, Failure> {
    let mut rows = vec![configuration(&loaded)];
    // The other checks make sense with the defaults as well.
    let config = match loaded {
        Ok(config) => config,
        Err(_) => Config::load(Some(Path::new("/dev/null")), &Environment::default(), &[])
            .map_err(Failure::many)?,
    };
    let catalog = packs(&config, &asked.pack, &mut rows);
    interpreters(&catalog, &mut rows);
    rows.push(clock());
    let directory = asked.data.or_else(|| {
        let url = config.database_url.as_deref()?;
        url.strip_prefix("sqlite://").map(PathBuf::from)
    });
    let executor = setup::executor()?;
    rows.extend(executor.block_on(data::look_at(directory.as_deref(), config.durability)));
    rows.extend(executor.block_on(servers::look_at(&config)));
    rows.push(api(config, global, environment));
    report(&rows, format)
}

fn report(rows: &[Row], format: Format) -> Result<Code, Failure> {
    let failed: Vec<&str> =
        rows.iter().filter(|r| r.state == State::Failed).map(|r| r.check.as_str()).collect();
    let value = json!({ "ok": failed.is_empty(), "checks": rows });
    let text = format.render(&value, || {
        let mut table = Table::new(&["check", "state", "detail"]);
        for row in rows {
            let state = match row.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Failed => "failed",
                State::Skipped => "skipped",
            };
            table.row([row.check.clone(), state.to_owned(), row.detail.clone()]);
        }
        table.render()
    });
    show(&text).map_err(|error| Failure::cannot_write(&error))?;
    if failed.is_empty() {
        return Ok(Code::Done);
    }
    let failed = failed.join(", ");
    Err(Failure::not_completed(format!("not in order: {failed}; see the details of these checks")))
}

fn configuration(loaded: &Result<Config, Vec<String>>) -> Row {
    match loaded {
        Err(errors) => row("configuration", State::Failed, errors.join("; ")),
        Ok(config) => {
            let file = match &config.file {
                Some(file) => file.display().to_string(),
                None => "no file; defaults and environment".to_owned(),
            };
            if config.warnings.is_empty() {
                return row("configuration", State::Ok, file);
            }
            row("configuration", State::Warning, config.warnings.join("; "))
        }
    }
}

fn packs(config: &Config, named: &[PathBuf], rows: &mut Vec<Row>) -> Catalog {
    let sources = Sources { search: config.packs.clone(), packs: named.to_vec() };
    let (catalog, problems) = Catalog::load(&sources);
    let count = catalog.iter().count();
    let errors: Vec<String> =
        problems.iter().filter(|p| p.is_error()).map(Problem::to_string).collect();
    rows.push(if !errors.is_empty() {
        row("packs", State::Failed, errors.join("; "))
    } else if problems.is_empty() {
        row("packs", State::Ok, format!("{count} actions"))
    } else {
        let warnings: Vec<String> = problems.iter().map(Problem::to_string).collect();
        row("packs", State::Warning, warnings.join("; "))
    });
    catalog
}

fn interpreters(catalog: &Catalog, rows: &mut Vec<Row>) {
    let needed: BTreeSet<&str> = catalog
        .iter()
        .filter_map(|definition| match &definition.kind {
            Kind::Process(spec) => Some(spec.runtime.as_str()),
            Kind::Handler | Kind::Workflow(_) => None,
        })
        .collect();
    let environment = steadfast_runner::Environment::inherit();
    for interpreter in Interpreter::ALL {
        let programs = interpreter.programs();
        if programs.is_empty() {
            continue;
        }
        let check = format!("interpreter {}", interpreter.name());
        let programs = programs.join(" or ");
        rows.push(match environment.interpreter(interpreter) {
            Some(path) => row(&check, State::Ok, path.display().to_string()),
            None if needed.contains(interpreter.name()) => row(
                &check,
                State::Failed,
                format!("no {programs} on the PATH, and loaded packs need it; install it"),
            ),
            None => row(
                &check,
                State::Skipped,
                format!("no {programs} on the PATH; no loaded pack needs it"),
            ),
        });
    }
}

/// Before this moment nobody had this program: 2025-01-01.
const EARLIEST: u64 = 1_735_689_600;
/// After this one the clock is surely wrong: 2100-01-01.
const LATEST: u64 = 4_102_444_800;

fn clock() -> Row {
    #[expect(clippy::disallowed_methods, reason = "the clock is what is checked")]
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if !(EARLIEST..LATEST).contains(&seconds) {
        let detail = format!("the system's clock is at {seconds} s after 1970; set it");
        return row("clock", State::Failed, detail);
    }
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    let detail = if synchronised {
        "plausible, and kept by systemd-timesyncd"
    } else {
        "plausible; whether it is kept by a time server is not known"
    };
    row("clock", State::Ok, detail)
}

/// The API must answer if somebody says where it is.
fn api(mut config: Config, global: &Global, environment: &Environment) -> Row {
    let is_expected = global.api_url.is_some()
        || environment.get("STEADFAST_API_URL").is_some()
        || config.api.listen_is_chosen;
    config.api.url = global.api_url.clone().or(config.api.url);
    let client = match ApiClient::new(&config) {
        Ok(client) => client,
        Err(failure) => return row("api", State::Failed, failure.to_string()),
    };
    match client.get("health/ready") {
        Ok(_) => row("api", State::Ok, format!("{} is ready", client.base())),
        Err(failure) if is_expected => row("api", State::Failed, failure.to_string()),
        Err(_) => {
            let detail = format!("nothing answers at {}, and nobody said it should", client.base());
            row("api", State::Skipped, detail)
        }
    }
}
