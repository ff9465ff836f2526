//! The command line and the agent.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(rha::cli::main())
}
