//! How an action ended.

use std::fmt;

use serde_json::Value;

/// How one invocation ended. Texts are free of the invocation's secrets and of control characters.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The process exited with 0 and its output had the declared format.
    Succeeded(Value),
    /// It could not be started, exited otherwise, or its output was not as declared.
    Failed(Failure),
    /// It ran longer than allowed and was stopped.
    TimedOut {
        /// The limit, how it ended, and the end of standard error.
        error: String,
    },
    /// It was asked to stop before it had ended, or before it was started.
    Cancelled,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What happened, with the end of standard error where there is any.
    pub error: String,
    /// How the process ended.
    pub exit: Exit,
    /// True when this machine was the reason (no process, descriptor or memory to be had), not the
    /// action: the same attempt may well succeed later or elsewhere.
    pub retryable: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// There was no process.
    NotStarted,
    /// It exited with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("not started"),
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}
