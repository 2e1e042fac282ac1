//! The checks of a data directory.

use std::fs::{File, remove_file};
use std::io::Write;
use std::path::Path;

use steadfast_embedded::{DataDir, Durability, EmbeddedStore, OpenError, Options, SCHEMA_VERSION};
use steadfast_services::port::Query;

use super::{Row, State, row};

/// How much must fit into the directory.
const ROOM: usize = 1 << 20;

/// Looks at `directory`; without one there is nothing to look at.
pub(super) async fn look_at(directory: Option<&Path>, durability: Durability) -> Vec<Row> {
    let Some(directory) = directory else {
        let detail = "none was named; give one with --data DIR";
        return vec![row("data directory", State::Skipped, detail)];
    };
    let place = directory.display();
    if !directory.is_dir() {
        let detail = format!("{place} is no directory; `run` and `dev` create it");
        return vec![row("data directory", State::Failed, detail)];
    }
    if !directory.join("steadfast.db").exists() {
        let detail = format!("{place} holds no database; `run` and `dev` create it");
        return vec![row("data directory", State::Failed, detail)];
    }
    let opened = match DataDir::open(directory).await {
        Ok(opened) => opened,
        Err(error @ OpenError::InUse { .. }) => {
            return vec![
                row("data directory", State::Warning, error.to_string()),
                row("schema", State::Skipped, "the directory is in use"),
                row("store", State::Skipped, "the directory is in use"),
            ];
        }
        Err(error) => return vec![row("data directory", State::Failed, error.to_string())],
    };
    let mut rows = vec![match writable(directory) {
        Ok(()) => row("data directory", State::Ok, format!("{place} can be written")),
        Err(error) => {
            let detail = format!("{place} cannot take a megabyte: {error}; make room");
            row("data directory", State::Failed, detail)
        }
    }];
    let options = Options { durability, ..Options::default() };
    match EmbeddedStore::open(opened, options).await {
        Ok(store) => {
            rows.push(row("schema", State::Ok, format!("version {SCHEMA_VERSION}, the newest")));
            rows.push(contents(&store).await);
            if let Err(error) = store.close().await {
                rows.push(row("store", State::Failed, error.to_string()));
            }
        }
        Err(error @ OpenError::NewerSchema { .. }) => {
            rows.push(row("schema", State::Failed, error.to_string()));
        }
        Err(error) => rows.push(row("store", State::Failed, error.to_string())),
    }
    rows
}

/// Whether there is room for something.
fn writable(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(".doctor");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    let removed = remove_file(&path);
    written.and(removed)
}

async fn contents(store: &EmbeddedStore) -> Row {
    let health = match store.integrity_check().await {
        Ok(health) => health,
        Err(error) => return row("store", State::Failed, error.to_string()),
    };
    if !health.is_sound() {
        let problems = health.problems.join("; ");
        let detail = format!("{problems}; restore the directory from a backup");
        return row("store", State::Failed, detail);
    }
    match store.count_by_status().await {
        Ok(counts) => {
            let all: u64 = counts.iter().map(|(_, count)| count).sum();
            let open: u64 =
                counts.iter().filter(|(s, _)| !s.is_terminal()).map(|(_, count)| count).sum();
            row("store", State::Ok, format!("sound; {all} executions, {open} of them unfinished"))
        }
        Err(error) => row("store", State::Failed, error.to_string()),
    }
}
