//! The `steadfast-sim` binary: runs the stories, and runs one of them again.

mod command;

use std::process::ExitCode;

/// A simulated second is a hundred thousand small allocations, so the allocator counts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::main()
}
