//! `rha keepalived render|lint|install`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};

use crate::config::Config;
use crate::keepalived::finding::{Finding, Severity};
use crate::keepalived::host::Host;
use crate::keepalived::install::{self, Installer, plan};
use crate::keepalived::lint::{Whose, fold, lint, lint_pair, whose};
use crate::keepalived::load::{Document, load};
use crate::keepalived::render::render;
use crate::keepalived::verify::{ADVICE, verify};

use super::render::{Problem, counted};

/// Write, check or install keepalived's configuration
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the keepalived.conf of a node
    Render {
        /// The node; left out, this host
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
    /// Find the mistakes in any keepalived.conf
    ///
    /// Also those that keepalived -t lets through, and with the files of two nodes, where the two contradict
    /// each other. What a file needs of its host is looked at if its addresses are those of this host. Exit
    /// status: 3 if there are errors, 0 if there are only warnings or nothing at all.
    ///
    /// Example: `rha keepalived lint /etc/keepalived/keepalived.conf`
    Lint {
        /// The file, and the other node's if there is one
        #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Read the files only: do not run keepalived -t, and do not look at this host
        #[arg(long)]
        no_exec: bool,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Put this node's files in place
    ///
    /// keepalived.conf, the notify FIFO, the track files, the systemd units, and files for tmpfiles.d and
    /// sysctl.d. An older keepalived.conf is kept as keepalived.conf.bak-N, and what is in place already is left
    /// alone. Nothing is started or restarted: the commands for that are printed at the end.
    ///
    /// Example: `rha keepalived install --dry-run`
    Install(Install),
}

#[derive(Debug, clap::Args)]
struct Install {
    /// The node; left out, this host
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Put everything below this directory
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do not ask keepalived -t before keepalived.conf is replaced
    #[arg(long)]
    no_exec: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line for each
    Table,
    /// A JSON array
    Json,
}

/// Runs the command: data goes to `out`, talk to `err`. Returns the exit code.
///
/// # Errors
/// There is no configuration, a file cannot be read or written, or the installation fails.
pub fn run(
    args: &Args,
    config: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    match &args.command {
        Command::Render { node } => {
            let config = Config::load_for(config, node.as_deref())?;
            let text = render(&config, &config.node.name, &program()?)?;
            out.write_all(text.as_bytes())?;
            Ok(0)
        }
        Command::Lint {
            files,
            no_exec,
            output,
        } => run_lint(files, *no_exec, *output, out, err),
        Command::Install(args) => {
            let config = Config::load_for(config, args.node.as_deref())?;
            install(args, &config, out)
        }
    }
}

/// The program that runs now is the one that keepalived and systemd are told to run.
fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find out where this program is")
}

fn run_lint(
    files: &[PathBuf],
    no_exec: bool,
    output: Output,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let documents = files
        .iter()
        .map(|file| load(file).with_context(|| format!("cannot read {}", file.display())))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let found = findings(&documents, no_exec, err)?;
    match output {
        Output::Table => {
            for finding in &found {
                writeln!(out, "{finding}")?;
            }
        }
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &found)?;
            writeln!(out)?;
        }
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|finding| finding.severity == Severity::Error);
    writeln!(
        err,
        "{}, {}",
        counted(u64::try_from(errors.len())?, "error"),
        counted(u64::try_from(warnings.len())?, "warning")
    )?;
    Ok(if errors.is_empty() { 0 } else { 3 })
}

fn findings(
    documents: &[Document],
    no_exec: bool,
    err: &mut dyn Write,
) -> anyhow::Result<Vec<Finding>> {
    let mut found = Vec::new();
    let host = if no_exec { None } else { this_host(err)? };
    for document in documents {
        let ours = lint(document, host_of(document, documents, host.as_ref()));
        if !no_exec {
            let said = ask(document, host.as_ref(), err)?;
            found.extend(fold(document, &ours, said));
        }
        found.extend(ours);
    }
    if let [one, other] = documents {
        found.extend(lint_pair(one, other));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn this_host(err: &mut dyn Write) -> std::io::Result<Option<Host>> {
    match Host::look() {
        Ok(host) => Ok(Some(host)),
        Err(why) => {
            writeln!(
                err,
                "this host's addresses cannot be listed: {why}; what the file needs of its host was left out"
            )?;
            Ok(None)
        }
    }
}

/// The host to look at for `document`: none for the other node's file, if one of the two is for this one.
fn host_of<'h>(
    document: &Document,
    documents: &[Document],
    host: Option<&'h Host>,
) -> Option<&'h Host> {
    let is_here =
        |document: &Document| host.is_some_and(|host| whose(document, host) == Whose::Here);
    host.filter(|_| is_here(document) || !documents.iter().any(is_here))
}

/// What keepalived says. It speaks of this host: of a file that is for another one, it can only warn.
fn ask(
    document: &Document,
    host: Option<&Host>,
    err: &mut dyn Write,
) -> anyhow::Result<Vec<Finding>> {
    let mut said = match verify(&document.file, &document.file) {
        Ok(Some(said)) => said,
        Ok(None) => {
            writeln!(
                err,
                "keepalived is not installed here: its own check was left out"
            )?;
            Vec::new()
        }
        Err(why) => {
            writeln!(err, "keepalived -t could not be run: {why}")?;
            Vec::new()
        }
    };
    if host.is_some_and(|host| whose(document, host) == Whose::Elsewhere) {
        for finding in said.iter_mut().filter(|said| said.todo == ADVICE) {
            finding.severity = Severity::Warning;
            finding
                .todo
                .push_str(" on this host, which the file is not for");
        }
    }
    Ok(said)
}

fn install(args: &Install, config: &Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    let steps = plan(config, &program()?)?;
    let installer = Installer::new(config, &args.root)?;
    if args.no_exec {
        writeln!(out, "did not ask keepalived about the new configuration")?;
    } else if let Some(said) = installer.verify(&steps).map_err(judged)? {
        writeln!(out, "keepalived accepts the new configuration")?;
        for finding in said {
            writeln!(out, "{finding}")?;
        }
    } else {
        writeln!(
            out,
            "keepalived is not installed: the new configuration was not checked"
        )?;
    }
    for step in &steps {
        let change = match args.dry_run {
            true => installer.look(step)?,
            false => installer.take(step)?,
        };
        let told = change.tell(&installer.at(step), args.dry_run);
        writeln!(out, "{told}")?;
    }
    if !args.dry_run {
        out.write_all(NEXT.as_bytes())?;
    }
    Ok(0)
}

/// keepalived judges scripts by their owner, and by who asks.
fn judged(refused: install::Error) -> anyhow::Error {
    if rustix::process::geteuid().is_root() {
        return refused.into();
    }
    Problem::failed(refused.to_string())
        .hint("keepalived was not asked as root, and may judge otherwise then: run this as root.")
        .into()
}

const NEXT: &str = "
Next, on this node:
    systemd-tmpfiles --create /etc/tmpfiles.d/rha.conf
    sysctl --load=/etc/sysctl.d/60-rha.conf
    systemctl daemon-reload
    systemctl enable --now rha-event.service rha.service
    systemctl enable keepalived.service
    systemctl restart keepalived.service    # if this node has the VIP, it moves
Then the same on the other nodes, and rha status on each.
";
