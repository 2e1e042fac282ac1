//! How a verb ends: the exit code, and the sentence on standard error.

use std::process::ExitCode;

use steadfast_runtime::packs::Problem;
use steadfast_runtime::{EngineError, OpenError, postgres};
use steadfast_services::port::StoreError;

/// The exit codes, each with its one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// It is done.
    Done,
    /// The execution ended otherwise than completed, or a check failed.
    NotCompleted,
    /// Bad usage or a bad input file.
    Usage,
    /// A server could not be reached.
    Unreachable,
    /// The environment refuses: a directory or port in use, a newer schema, a full disk.
    Environment,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Done => 0,
            Code::NotCompleted => 1,
            Code::Usage => 2,
            Code::Unreachable => 3,
            Code::Environment => 4,
            Code::Interrupted => 130,
            Code::Terminated => 143,
        })
    }
}

/// Why a verb could not do what it was asked: lines for standard error and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    lines: Vec<String>,
    /// Whether the lines begin with the place in a file that they are about.
    has_places: bool,
}

impl Failure {
    fn new(code: Code, line: impl Into<String>) -> Self {
        Self { code, lines: vec![line.into()], has_places: false }
    }

    /// Bad usage or a bad input file.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self::new(Code::Usage, line)
    }

    /// Several things are wrong with what was given.
    pub(crate) fn many(lines: Vec<String>) -> Self {
        Self { code: Code::Usage, lines, has_places: true }
    }

    /// What is wrong with packs or workflow files, warnings included.
    pub(crate) fn problems(problems: &[Problem]) -> Self {
        Self::many(problems.iter().map(ToString::to_string).collect())
    }

    /// A server could not be reached.
    pub(crate) fn unreachable(line: impl Into<String>) -> Self {
        Self::new(Code::Unreachable, line)
    }

    /// The environment refuses.
    pub(crate) fn environment(line: impl Into<String>) -> Self {
        Self::new(Code::Environment, line)
    }

    /// A check failed.
    pub(crate) fn not_completed(line: impl Into<String>) -> Self {
        Self::new(Code::NotCompleted, line)
    }

    /// With which code the process ends.
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// Says it on standard error.
    pub(crate) fn print(&self) {
        for line in &self.lines {
            // Editors find `file:line: message` when nothing stands before it.
            eprintln!("{}{line}", if self.has_places { "" } else { "steadfast: " });
        }
    }

    /// That the result could not be written.
    pub(crate) fn cannot_write(error: &std::io::Error) -> Self {
        Self::environment(format!("the result cannot be written to standard output: {error}"))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Packs(problems) => Self::problems(&problems),
            OpenError::Database(postgres::OpenError::Unreachable { .. })
            | OpenError::Store(StoreError::Unavailable(_)) => Self::unreachable(error.to_string()),
            OpenError::Database(postgres::OpenError::Address(_)) | OpenError::MessageQueue(_) => {
                Self::usage(error.to_string())
            }
            OpenError::Data(_)
            | OpenError::Database(_)
            | OpenError::Store(_)
            | OpenError::Guardian(_)
            | OpenError::Journal(..) => Self::environment(error.to_string()),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::Store(_) | EngineError::Stopped => Code::Environment,
            EngineError::Ended { .. } => Code::NotCompleted,
            EngineError::UnknownAction(_)
            | EngineError::UnknownExecution(_)
            | EngineError::UnknownWorker(_)
            | EngineError::UnknownSchedule(_)
            | EngineError::ScheduleExists(_)
            | EngineError::Schedule(_)
            | EngineError::Timing(_)
            | EngineError::ReservedKey(_)
            | EngineError::Prepare(_)
            | EngineError::Submit(_)
            | EngineError::Execution(_)
            | EngineError::Worker(_)
            | EngineError::Effect(_)
            | EngineError::Type(_) => Code::Usage,
        };
        Self::new(code, error.to_string())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.lines.join("; "))
    }
}
