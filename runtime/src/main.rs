//! The `steadfast` binary.

use std::process::ExitCode;

/// Exit code for bad usage.
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    eprintln!("steadfast: no verb is built yet; usage: steadfast VERB [ARGUMENT]...");
    ExitCode::from(BAD_USAGE)
}
