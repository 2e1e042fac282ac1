//! The `steadfast` binary.

mod cli;
mod config;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
