//! `rha completions`: what the shell needs to complete rha's command line.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;

/// Print the completions for a shell
///
/// Example: `rha completions bash > /etc/bash_completion.d/rha`
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the completions of `command`, under its own name.
///
/// # Errors
/// Those of `out`.
pub fn run(
    args: &CompletionsArgs,
    mut command: Command,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let name = command.get_name().to_owned();
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out.write_all(&script)?;
    out.flush()?;
    Ok(0)
}
