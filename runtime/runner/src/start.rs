//! From an invocation to a running process.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use thiserror::Error;

use crate::environment::{Environment, is_executable};
use crate::guardian::Guardian;
use crate::invocation::{Delivery, Interpreter, Invocation};
use crate::parameters::{self, ParameterError, ParameterFile};
use crate::running::Running;

/// Why there is no process.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(
        "this worker has no interpreter for runner_type {runtime}: PATH has no {programs}; \
         install it, or run the action on a worker that has it"
    )]
    NoInterpreter { runtime: &'static str, programs: String },
    #[error("the entry point {} does not exist", .0.display())]
    NoEntryPoint(PathBuf),
    #[error("the entry point {} is not a file", .0.display())]
    NotAFile(PathBuf),
    #[error(
        "the entry point {} is not executable, as runner_type native needs: set its execute bit \
         (chmod +x), or name the runner_type of its language", .0.display()
    )]
    NotExecutable(PathBuf),
    #[error(
        "{} cannot be executed: neither a program for this machine nor a script with a #! line \
         that names one", .0.display()
    )]
    NotAProgram(PathBuf),
    #[error("{} must not be executed here: {}", .0.display(), .1)]
    Denied(PathBuf, io::Error),
    #[error("the working directory {} does not exist", .0.display())]
    NoWorkingDirectory(PathBuf),
    #[error(
        "the parameters are too large for the environment of a process; use parameter_delivery \
         stdin or file"
    )]
    TooLarge,
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    #[error("the parameter file could not be written: {0}")]
    ParameterFile(io::Error),
    #[error("{} is being written by another process", .0.display())]
    Busy(PathBuf),
    #[error("the process could not be started, this machine is short of something: {0}")]
    Machine(io::Error),
    #[error("the process was ended at once, because its guardian cannot watch it: {0}")]
    Unwatched(io::Error),
    #[error("it was cancelled before its process was started")]
    Cancelled,
    #[error("it timed out before its process was started")]
    TooLate,
    #[error("the worker is shutting down")]
    ShuttingDown,
}

impl StartError {
    /// Whether the machine is at fault rather than the action.
    pub(crate) fn is_machine_side(&self) -> bool {
        matches!(
            self,
            Self::Busy(_)
                | Self::Machine(_)
                | Self::ParameterFile(_)
                | Self::Unwatched(_)
                | Self::ShuttingDown
        )
    }
}

/// A process that was just started.
pub(crate) struct Started {
    pub(crate) running: Running,
    /// What its standard input is to receive.
    pub(crate) input: Option<String>,
}

/// Starts the process of `invocation`, unless it may not begin any more when everything is ready.
/// Blocks until the program has taken over.
///
/// Nothing here runs between fork and exec, which lets the standard library use `posix_spawn`:
/// its cost does not grow with the engine's memory.
pub(crate) fn start(
    invocation: &Invocation,
    environment: &Environment,
    guardian: Option<&Guardian>,
    may_begin: impl FnOnce() -> Result<(), StartError>,
) -> Result<Started, StartError> {
    if !invocation.working_dir.is_dir() {
        return Err(StartError::NoWorkingDirectory(invocation.working_dir.clone()));
    }
    let (program, script) = program(invocation, environment)?;
    let mut variables = contract_variables(invocation);
    let mut input = None;
    let mut file = None;
    match invocation.delivery {
        Delivery::Stdin => {
            input = Some(parameters::document(&invocation.parameters, invocation.format)?);
        }
        Delivery::Env => variables.extend(parameters::variables(&invocation.parameters)?),
        Delivery::File => {
            let document = parameters::document(&invocation.parameters, invocation.format)?;
            file = Some(parameter_file(invocation, environment, guardian, &document)?);
        }
    }

    let mut command = Command::new(&program);
    command.args(script).env_clear().envs(environment.variables());
    let mut marks = Vec::new();
    if let Some(guardian) = guardian {
        // Numbers alone would not do: another engine on this machine may count the same.
        marks.push(guardian.mark().to_owned());
        marks.extend(variables[..MARKS].iter().map(|(name, value)| format!("{name}={value}")));
        command.envs(guardian.mark().split_once('='));
    }
    command.envs(variables);
    if let Some(file) = &file {
        command.env("STEADFAST_PARAMETERS_FILE", file.path());
        command.env("ATTUNE_PARAMETER_FILE", file.path());
    }
    command
        .current_dir(&invocation.working_dir)
        .process_group(0)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    may_begin()?;
    let child = command.spawn().map_err(|error| explain(error, &program))?;
    let running = Running::new(child, guardian.cloned(), marks, file);
    running.watch().map_err(StartError::Unwatched)?;
    Ok(Started { running, input })
}

/// How many of the contract's variables tell this process from every other one of its engine.
const MARKS: usize = 3;

fn contract_variables(invocation: &Invocation) -> Vec<(String, String)> {
    [
        ("STEADFAST_EXECUTION_ID", invocation.execution.to_string()),
        ("STEADFAST_ATTEMPT", invocation.attempt.to_string()),
        ("STEADFAST_FENCING_TOKEN", invocation.token.to_string()),
        ("STEADFAST_ACTION_REF", invocation.action.clone()),
        ("STEADFAST_IDEMPOTENCY_KEY", invocation.idempotency_key.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What to execute, and the script to give it.
fn program(
    invocation: &Invocation,
    environment: &Environment,
) -> Result<(PathBuf, Option<OsString>), StartError> {
    let entry_point = invocation.working_dir.join("actions").join(&invocation.entry_point);
    // The process runs in another directory, where a relative path would mean something else.
    let entry_point = std::path::absolute(&entry_point).unwrap_or(entry_point);
    match entry_point.metadata() {
        Err(_) => return Err(StartError::NoEntryPoint(entry_point)),
        Ok(meta) if !meta.is_file() => return Err(StartError::NotAFile(entry_point)),
        Ok(_) => {}
    }
    let runtime = invocation.runtime;
    if runtime == Interpreter::Native {
        return if is_executable(&entry_point) {
            Ok((entry_point, None))
        } else {
            Err(StartError::NotExecutable(entry_point))
        };
    }
    let interpreter = environment.interpreter(runtime).ok_or_else(|| {
        let programs = runtime.programs().join(" and no ");
        StartError::NoInterpreter { runtime: runtime.name(), programs }
    })?;
    Ok((interpreter, Some(entry_point.into())))
}

/// In the guardian's directory, which is emptied when the engine dies before it can do so.
fn parameter_file(
    invocation: &Invocation,
    environment: &Environment,
    guardian: Option<&Guardian>,
    document: &str,
) -> Result<ParameterFile, StartError> {
    let directory = guardian.map_or(environment.temporary(), Guardian::scratch);
    let Invocation { execution, attempt, token, .. } = invocation;
    let name = format!("parameters-{execution}-{attempt}-{token}");
    ParameterFile::create(directory.join(name), document).map_err(StartError::ParameterFile)
}

fn explain(error: io::Error, program: &Path) -> StartError {
    let program = program.to_owned();
    match Errno::from_io_error(&error) {
        Some(Errno::TOOBIG) => StartError::TooLarge,
        Some(Errno::TXTBSY) => StartError::Busy(program),
        // The program itself exists, so it is its #! line or its loader that does not.
        Some(Errno::NOENT | Errno::NOEXEC | Errno::LIBBAD) => StartError::NotAProgram(program),
        Some(Errno::ACCESS | Errno::PERM) => StartError::Denied(program, error),
        _ => StartError::Machine(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{OutputFormat, ParameterFormat};

    #[test]
    fn nothing_is_started_that_may_not_begin_any_more() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("actions")).unwrap();
        std::fs::write(directory.path().join("actions/a.sh"), "touch began\n").unwrap();
        let invocation = Invocation {
            execution: 1,
            attempt: 1,
            token: 1,
            action: "t.a".to_owned(),
            idempotency_key: String::new(),
            runtime: Interpreter::Shell,
            entry_point: PathBuf::from("a.sh"),
            working_dir: directory.path().to_owned(),
            delivery: Delivery::Stdin,
            format: ParameterFormat::Json,
            output: OutputFormat::Text,
            secrets: Vec::new(),
            parameters: serde_json::json!({}),
            timeout: None,
        };
        let environment = Environment::inherit();
        let refused = start(&invocation, &environment, None, || Err(StartError::TooLate));
        assert!(matches!(refused, Err(StartError::TooLate)));
        let cancelled = start(&invocation, &environment, None, || Err(StartError::Cancelled));
        assert!(matches!(cancelled, Err(StartError::Cancelled)));
        assert!(!directory.path().join("began").exists());
    }
}
