//! `rha config check|show|import`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;

use crate::config::import::{OldConfig, import};
use crate::config::{Config, file};
use crate::keepalived::host;
use crate::keepalived::load::load;
use crate::text::plain;

use super::render::Problem;

/// Check, print or import the configuration
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say everything that is wrong with the configuration
    ///
    /// One line for each mistake: file, line, key, and what to do. Exit status: 2 if there is one.
    Check {
        /// Check it as on this node; left out, this host
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
    /// Print the configuration in force, with every default
    Show {
        /// Print it as on this node; left out, this host
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
    /// Translate the old scripts' config.sh into an rha.toml
    ///
    /// The file is read, never executed. What the old files cannot know is marked FILL IN in the new
    /// one, and `rha config check` names it until it is filled in.
    ///
    /// Example: `rha config import config.sh --keepalived keepalived.conf > rha.toml`
    Import {
        /// The old config.sh
        file: PathBuf,
        /// An old keepalived.conf, for interface, virtual_router_id, priorities and addresses; can be given
        /// several times, once for each node
        #[arg(long, value_name = "FILE")]
        keepalived: Vec<PathBuf>,
    },
}

/// Runs the command: data goes to `out`, talk to `err`. Returns the exit code.
///
/// # Errors
/// There is no configuration, a file cannot be read, or `out` cannot be written.
pub fn run(
    args: &Args,
    config: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    match &args.command {
        Command::Check { node } => check(config, node.as_deref(), out, err),
        Command::Show { node } => {
            let config = Config::load_for(config, node.as_deref())?;
            out.write_all(config.show()?.as_bytes())?;
            Ok(0)
        }
        Command::Import { file, keepalived } => run_import(file, keepalived, out, err),
    }
}

fn check(
    file: &Path,
    node: Option<&str>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let config = Config::load_for(file, node)?;
    let mut remarks = config.remarks.clone();
    let mut lacks = Vec::new();
    if node.is_none() {
        remarks.extend(config.host_remarks());
        lacks = host::lacks(&config);
    }
    for remark in &remarks {
        writeln!(err, "{remark}")?;
    }
    for lack in &lacks {
        writeln!(err, "{}: warning: {}", file.display(), plain(lack))?;
    }
    if remarks.iter().any(|remark| remark.fatal) {
        return Ok(2);
    }
    let names: Vec<_> = config
        .instances
        .iter()
        .map(|instance| instance.name.as_str())
        .collect();
    writeln!(
        out,
        "{}: good for node {} ({})",
        file.display(),
        config.node.name,
        names.join(", ")
    )?;
    Ok(0)
}

fn run_import(
    file: &Path,
    keepalived: &[PathBuf],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    const FILE_MAX: u64 = 1 << 20;
    let cannot = |file: &Path| format!("cannot read {}", file.display());
    let bytes = file::read(file, FILE_MAX).with_context(|| cannot(file))?;
    let text = String::from_utf8_lossy(&bytes);
    let document = |file: &PathBuf| {
        file::regular(file).with_context(|| cannot(file))?;
        load(file).with_context(|| cannot(file))
    };
    let documents = keepalived
        .iter()
        .map(document)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let names: Vec<_> = keepalived
        .iter()
        .map(|file| file.to_string_lossy())
        .collect();
    let old: Vec<_> = names
        .iter()
        .zip(&documents)
        .map(|(file, document)| OldConfig {
            file,
            statements: &document.statements,
        })
        .collect();
    let imported = import(&text, &file.to_string_lossy(), &old)
        .map_err(|mistaken| Problem::usage(mistaken.to_string()))?;
    for line in &imported.ignored {
        writeln!(err, "{}", plain(line))?;
    }
    out.write_all(imported.toml.as_bytes())?;
    Ok(0)
}
