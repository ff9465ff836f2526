//! `rha machine`: the transition table itself, as text or as a diagram. It cannot drift from what
//! is decided, for it is printed from the table that decides.

use std::io::Write;

use clap::Args;

use super::render::{Screen, machine as render};

/// Print the transition table, every decision that rha can take
///
/// It is the table that decides, so it cannot be out of date.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct MachineArgs {
    /// Print text for people, rule by rule (the default)
    #[arg(long)]
    pub table: bool,

    /// Print a state diagram for Mermaid, which GitHub draws
    #[arg(long)]
    pub mermaid: bool,

    /// Print a graph for Graphviz
    #[arg(long)]
    pub dot: bool,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Prints the table.
///
/// # Errors
/// Those of `out`.
pub fn run(args: &MachineArgs, screen: &Screen, out: &mut dyn Write) -> anyhow::Result<u8> {
    if args.mermaid {
        render::mermaid(out)?;
    } else if args.dot {
        render::dot(out)?;
    } else if args.json {
        render::json(out)?;
    } else {
        render::table(screen, out)?;
    }
    out.flush()?;
    Ok(0)
}
