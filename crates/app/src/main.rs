//! The binary: roles and tools as subcommands.

use std::process::ExitCode;

fn main() -> ExitCode {
    trapline::cli::main()
}
