//! `rha switchover`.

use std::io::Write;
use std::time::Duration;

use super::client::Client;
use super::pause::command_line;
use super::render::Problem;
use super::{exit, source};
use crate::agent::api::{self, SwitchoverAsk, SwitchoverCheck};
use crate::config::{Paths, is_name, parse_duration};

/// Hand the VIP and the writes to another node, without losing any
///
/// Run it on the primary. Everything that must be so is looked at first, one by one. Then writes are held back, until
/// the other node has all of them; the VIP is handed over; the other node is promoted, this one follows it, and the
/// clients are sent there: they wait for some milliseconds, and see no error if they try again once when their
/// connection is closed (as Redis' client libraries do). Nothing changes if the other node does not get so far
/// in time: then this one goes on.
///
/// Exit status: 0 done, 1 refused or given up, 3 with --dry-run if something is not as it must be.
#[derive(Debug, clap::Args)]
pub struct SwitchoverArgs {
    /// The instance; can be left out where there is only one
    #[arg(value_parser = name)]
    instance: Option<String>,
    /// To which node; left out, to the one that VRRP would choose
    #[arg(long, value_name = "NODE", value_parser = name)]
    to: Option<String>,
    /// Look only, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How long each half may take: until the other node has all writes, and until it serves
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = timeout)]
    timeout: Duration,
}

/// It becomes a part of an address.
fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("nothing has such a name".to_owned())
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout =
        parse_duration(text).ok_or("a duration is a whole number and ms or s, such as 2s")?;
    match timeout {
        Duration::ZERO => Err("it takes some time".to_owned()),
        timeout if timeout > api::SWITCHOVER_LONGEST => {
            Err("at most 60s: clients wait so long".to_owned())
        }
        timeout => Ok(timeout),
    }
}

/// Runs `rha switchover`.
///
/// # Errors
/// No agent, or it refuses; the message says why.
pub fn run(args: &SwitchoverArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let client = Client::require(&paths.agent_socket())?;
    let instance = source::instance_of_agent(&client, args.instance.as_deref())?;
    let to = args
        .to
        .as_ref()
        .map(|to| format!("?to={to}"))
        .unwrap_or_default();
    let path = format!("{}/{instance}{to}", api::SWITCHOVER);
    let checks: Vec<SwitchoverCheck> = client.get(&path)?;
    for SwitchoverCheck { name, asks, passes } in &checks {
        let word = if *passes { "ok" } else { "no" };
        writeln!(out, "{word}  {name}: {asks}")?;
    }
    out.flush()?;
    let failed = checks.iter().find(|check| !check.passes);
    if args.dry_run {
        return Ok(if failed.is_none() {
            exit::OK
        } else {
            exit::TROUBLE
        });
    }
    if let Some(failed) = failed {
        let why = format!("not now: {}. Nothing was changed", failed.name);
        return Err(Problem::failed(why).into());
    }
    let body = SwitchoverAsk {
        instance,
        to: args.to.clone(),
        within_ms: u64::try_from(args.timeout.as_millis()).unwrap_or(u64::MAX),
        command: command_line(),
    };
    writeln!(out, "{}", client.post(api::SWITCHOVER, &body)?)?;
    Ok(exit::OK)
}
