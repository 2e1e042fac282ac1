//! What to run, and how its parameters and its output look.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// One attempt of one execution, as a process.
#[derive(Clone)]
pub struct Invocation {
    /// The execution; the same for all of its attempts.
    pub execution: u64,
    /// The number of the attempt, from 1. At most one process is started per attempt.
    pub attempt: u32,
    /// The fencing token, rising with every attempt of the execution.
    pub token: u64,
    /// The action's reference, `pack.name`.
    pub action: String,
    /// The same for all attempts, for the action to hand on to others.
    pub idempotency_key: String,
    /// What interprets the entry point.
    pub runtime: Interpreter,
    /// The file to run: absolute, or relative to `actions/` in the working directory.
    pub entry_point: PathBuf,
    /// The pack's directory.
    pub working_dir: PathBuf,
    /// How the parameters reach the process.
    pub delivery: Delivery,
    /// How the parameters are written.
    pub format: ParameterFormat,
    /// How standard output is read.
    pub output: OutputFormat,
    /// The parameters, an object.
    pub parameters: Value,
    /// Values that must not show up in a stored log or in the text of an error.
    pub secrets: Vec<String>,
    /// How long this attempt may take, from the start of the process.
    pub timeout: Option<Duration>,
}

/// Leaves out the parameters and the secrets, so that no log line can show them.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("execution", &self.execution)
            .field("attempt", &self.attempt)
            .field("token", &self.token)
            .field("action", &self.action)
            .field("runtime", &self.runtime)
            .field("entry_point", &self.entry_point)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A `runner_type`: what an entry point is run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// `bash`, or `sh` where there is no bash: scripts written for either run under bash, while
    /// bash's own syntax fails under a plain `sh`.
    Shell,
    /// `python3`, or `python`.
    Python,
    /// `node`.
    NodeJs,
    /// `perl`.
    Perl,
    /// `ruby`.
    Ruby,
    /// The entry point itself, which must be executable.
    Native,
}

impl Interpreter {
    /// Every runtime, in the order in which a worker advertises them.
    pub const ALL: [Self; 6] =
        [Self::Shell, Self::Python, Self::NodeJs, Self::Perl, Self::Ruby, Self::Native];

    /// The name used in `runner_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Python => "python",
            Self::NodeJs => "nodejs",
            Self::Perl => "perl",
            Self::Ruby => "ruby",
            Self::Native => "native",
        }
    }

    /// The runtime that `runner_type` names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|runtime| runtime.name() == name)
    }

    /// The programs that serve, the preferred one first; none for [`Interpreter::Native`].
    #[must_use]
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Shell => &["bash", "sh"],
            Self::Python => &["python3", "python"],
            Self::NodeJs => &["node"],
            Self::Perl => &["perl"],
            Self::Ruby => &["ruby"],
            Self::Native => &[],
        }
    }
}

/// A `parameter_delivery`: how parameters reach the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// On standard input, followed by a newline and the end of the stream.
    Stdin,
    /// As `STEADFAST_PARAM_<NAME>`, and as `ATTUNE_ACTION_<NAME>` for packs written for Attune.
    /// The name is upper-cased, and every character but letters and digits becomes `_`. Plain
    /// names are not set: a parameter called `ld_preload` would choose the code that runs.
    Env,
    /// In a file that only the owner can read and that is removed afterwards; its path is in
    /// `STEADFAST_PARAMETERS_FILE`, and in `ATTUNE_PARAMETER_FILE` for packs written for Attune.
    File,
}

/// A `parameter_format`: how parameters are written on standard input or in the file. Delivery by
/// environment has its own: strings as they are, everything else as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterFormat {
    /// One line of JSON.
    Json,
    /// `name='value'` lines that a shell can read: `'` becomes `'\''`, nested objects get dotted
    /// names, lists are JSON, null is empty.
    Dotenv,
    /// A YAML document in block style.
    Yaml,
}

/// An `output_format`: how standard output becomes the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// The text, without its last newline. Bytes that are not UTF-8 are replaced.
    Text,
    /// Exactly one JSON value; nothing but white space is null.
    Json,
    /// A list with the value of each line; empty lines are skipped.
    Jsonl,
    /// One YAML document.
    Yaml,
}
