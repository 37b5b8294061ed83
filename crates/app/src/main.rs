//! The binary.

use std::process::ExitCode;

use clap::Parser as _;
use trapline::cli::{Cli, output};

fn main() -> ExitCode {
    // clap itself exits with 2 on bad usage and 0 after --help.
    let cli = Cli::parse();
    trapline_core::fault::arm();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(format_args!("error: the runtime can't be started: {error}"));
            return ExitCode::from(3);
        }
    };
    let exit = output::finish(runtime.block_on(cli.run()));
    // A read of standard input can't be ended; waiting for it would keep the process after Ctrl-C.
    runtime.shutdown_background();
    exit.into()
}
