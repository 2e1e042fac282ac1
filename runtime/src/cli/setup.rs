//! What several verbs need before they begin: logging, an executor, packs, a clock.

use std::path::PathBuf;
use std::time::Instant;

use steadfast_runtime::packs::{Catalog, Problem, Sources};
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::config::{Config, Environment};

/// Sends the log to standard error, as `RUST_LOG` says or from `level` on.
pub(crate) fn logging(environment: &Environment, level: &str) {
    let filter = environment.get("RUST_LOG").map(EnvFilter::try_new);
    let (filter, complaint) = match filter {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(level), Some(error)),
        None => (EnvFilter::new(level), None),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people who look at it now.
    let log = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    log.init();
    if let Some(error) = complaint {
        tracing::warn!(%error, "RUST_LOG cannot be understood and has no effect");
    }
}

/// The executor that a verb runs on.
///
/// # Errors
/// If the system gives no threads.
pub(crate) fn executor() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("no threads can be started: {error}")))
}

/// Loads the configured packs and those that were named on the command line. Warnings go to
/// standard error.
///
/// # Errors
/// With every problem if any is an error.
pub(crate) fn load_catalog(config: &Config, packs: &[PathBuf]) -> Result<Catalog, Failure> {
    let sources = Sources { search: config.packs.clone(), packs: packs.to_vec() };
    let (catalog, problems) = Catalog::load(&sources);
    report(problems)?;
    Ok(catalog)
}

/// Prints warnings.
///
/// # Errors
/// With every problem if any is an error.
pub(crate) fn report(problems: Vec<Problem>) -> Result<(), Failure> {
    if problems.iter().any(Problem::is_error) {
        return Err(Failure::problems(&problems));
    }
    for problem in problems {
        eprintln!("{problem}");
    }
    Ok(())
}

/// For how long things took; people and benchmarks look at it, nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "measures for show, decides nothing")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Microseconds since 1970 by the clock that all processes of this machine share; benchmarks look at
/// it, nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "measures for show, decides nothing")]
pub(crate) fn micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
