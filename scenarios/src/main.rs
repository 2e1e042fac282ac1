//! The `steadfast-sim` binary: runs the stories, and runs one of them again.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
