//! Servers that refuse to run as root run as the user that their package brought.

use std::path::Path;
use std::process::Command;

use crate::Failure;

/// Who PostgreSQL and PgBouncer are when we are root.
const USER: &str = "postgres";

/// A command for a program that does not want to be root.
pub(crate) fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
    command.args(user).arg("--clear-groups").arg("--").arg(program);
    command
}

/// Lets [`unprivileged`] programs have a file or directory.
///
/// # Errors
///
/// [`Failure::System`] if it cannot be given away.
pub(crate) fn give(path: &Path) -> Result<(), Failure> {
    if is_root() { run(Command::new("chown").arg(USER).arg(path)).map(|_| ()) } else { Ok(()) }
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
///
/// [`Failure::System`] with what it complained of.
pub(crate) fn run(command: &mut Command) -> Result<String, Failure> {
    let doing = || command_line(command);
    let what = doing();
    let output = command.output().map_err(|error| Failure::system(&what, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::system(what, std::io::Error::other(complaint)))
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
