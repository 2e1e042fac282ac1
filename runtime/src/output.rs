//! What goes to standard output: a table for people, JSON or YAML for programs.

mod table;

use std::io::{self, ErrorKind, Write};

use clap::ValueEnum;
use serde_json::Value;

pub(crate) use table::Table;

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

impl Format {
    /// The text of `value`; `table` says what people get instead.
    pub(crate) fn render(self, value: &Value, table: impl FnOnce() -> String) -> String {
        match self {
            Self::Table => table(),
            Self::Json => format!("{value}\n"),
            Self::Yaml => yaml(value),
        }
    }
}

/// A value as YAML, ending in a newline.
pub(crate) fn yaml(value: &Value) -> String {
    serde_yaml_ng::to_string(value).unwrap_or_else(|_| format!("{value}\n"))
}

/// Writes the whole text to standard output and flushes it.
///
/// # Errors
/// If it could not be written, for example because the disk below a redirection is full.
pub(crate) fn deliver(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes as [`deliver`] does; a reader that has gone away, such as `head`, has what it wanted.
///
/// # Errors
/// If it could not be written for another reason.
pub(crate) fn show(text: &str) -> io::Result<()> {
    match deliver(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
