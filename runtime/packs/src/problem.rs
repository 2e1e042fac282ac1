//! What is wrong with a file, and where.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can be used, but probably does not do what its author meant.
    Warning,
}

/// One thing that is wrong with a file. Displayed as `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1; 0 when the problem is not in one line, and then it is not displayed.
    pub line: u32,
    /// The column, from 1; 0 when there is none.
    pub column: u32,
    /// Whether the file can still be used.
    pub severity: Severity,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Problem {
    /// An error that concerns a file or directory as a whole.
    pub(crate) fn without_place(file: &str, message: String) -> Self {
        let (file, severity) = (file.to_string(), Severity::Error);
        Self { file, line: 0, column: 0, severity, message }
    }

    /// Whether it keeps the file from being used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A place in a file; line and column from 1, or 0 when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// The file as a whole.
    pub(crate) const NOWHERE: Self = Self { line: 0, column: 0 };
}

/// Collects the problems of one file.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    file: Arc<str>,
    problems: Vec<Problem>,
}

impl Findings {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: Arc::from(file), problems: Vec::new() }
    }

    pub(crate) fn error(&mut self, at: Position, message: impl Into<String>) {
        self.push(at, Severity::Error, message.into());
    }

    pub(crate) fn warning(&mut self, at: Position, message: impl Into<String>) {
        self.push(at, Severity::Warning, message.into());
    }

    fn push(&mut self, at: Position, severity: Severity, message: String) {
        let Position { line, column } = at;
        self.problems.push(Problem {
            file: self.file.to_string(),
            line,
            column,
            severity,
            message,
        });
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error()).count()
    }

    /// The problems in the order of the file.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }
}

/// `; did you mean ...?` when one of `known` is close to `word`, otherwise nothing.
#[must_use]
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::damerau_levenshtein(word, candidate);
        let allowed = word.chars().count().max(candidate.chars().count()) / 3;
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}
