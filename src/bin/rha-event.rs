//! `rha-event`: what keepalived's notify pipe runs into. See `--help`, [`rha::ingest::follow`] and
//! [`rha::ingest::spool`].
//!
//! Uses the standard library, rustix and crc32fast only, and parses its few arguments by hand: as a
//! notify script it is started for each event, and start-up time is most of what it costs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use rha::ingest::follow::{Sink, follow};
use rha::ingest::notify;
use rha::ingest::spool::{Doorbell, Line, Source, Splitter, Writer};
use rha::model::time::{At, BootId};
use rustix::time::{ClockId, Timespec, clock_gettime};

const SPOOL: &str = "/var/lib/rha/spool";
const DOORBELL: &str = "/run/rha/doorbell.sock";

const HELP: &str = "\
rha-event takes keepalived's notifications in for rha, and never loses one.

It stamps each line with the time, appends it to the spool (a directory of plain files) and wakes
the rha agent. It needs no configuration and no running agent, and never makes keepalived wait.

Usage:
  rha-event [OPTIONS] --follow FIFO                   read a notify FIFO until stopped (a service)
  rha-event [OPTIONS] INSTANCE|GROUP NAME STATE [PRIORITY]   record one event (a notify script)
  rha-event [OPTIONS] < LINES                         record the lines on standard input

Options:
  --follow FIFO       The FIFO that keepalived writes to. It is made if there is none, and found
                      again if it is replaced. One rha-event follows one FIFO.
  --spool DIR         Where lines wait for the agent. It is made if there is none.
                      [env: RHA_SPOOL] [default: /var/lib/rha/spool]
  --doorbell SOCKET   The agent's datagram socket, to wake it. It need not be there.
                      [env: RHA_DOORBELL] [default: /run/rha/doorbell.sock]
  -h, --help          Print this.
  -V, --version       Print the version.

In keepalived.conf, either (better: events stay in order, and no process is started for them)

    global_defs {
        vrrp_notify_fifo /run/rha/keepalived.fifo
    }

with a service that runs `rha-event --follow /run/rha/keepalived.fifo`, or in each vrrp_instance

    notify /usr/bin/rha-event

Try it:

    rha-event --spool /tmp/spool INSTANCE VI_1 MASTER 150; cat /tmp/spool/*

Exit status: 0 all lines are in the spool, 1 they are not (one line says why), 2 wrong usage.
";

fn main() -> ExitCode {
    let command = match parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(wrong) => {
            say(&format!("{wrong}; see rha-event --help"));
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&e);
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug)]
struct Command {
    spool: PathBuf,
    doorbell: PathBuf,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Print(String),
    Follow(PathBuf),
    Stdin,
    Args(Vec<OsString>),
}

/// Options come first; from the first word on, everything belongs to the event.
fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut command = Command {
        spool: from_env("RHA_SPOOL", SPOOL),
        doorbell: from_env("RHA_DOORBELL", DOORBELL),
        form: Form::Stdin,
    };
    while let Some(arg) = args.next() {
        if !arg.as_bytes().starts_with(b"-") {
            return with_event(command, [arg].into_iter().chain(args).collect());
        }
        let (name, value) = match arg.as_bytes().iter().position(|b| *b == b'=') {
            Some(at) => (&arg.as_bytes()[..at], Some(&arg.as_bytes()[at + 1..])),
            None => (arg.as_bytes(), None),
        };
        let name = String::from_utf8_lossy(name);
        let mut path = || {
            let value = value
                .map(|v| OsStr::from_bytes(v).to_owned())
                .or_else(|| args.next());
            let value = value.filter(|v| !v.is_empty());
            value
                .map(PathBuf::from)
                .ok_or(format!("{name} needs a path behind it"))
        };
        match &*name {
            "--spool" => command.spool = path()?,
            "--doorbell" => command.doorbell = path()?,
            "--follow" => command.form = Form::Follow(path()?),
            "-h" | "--help" => {
                return Ok(Command {
                    form: Form::Print(HELP.to_owned()),
                    ..command
                });
            }
            "-V" | "--version" => {
                let version = concat!("rha-event ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
                return Ok(Command {
                    form: Form::Print(version),
                    ..command
                });
            }
            _ => return Err(format!("unknown option {name:?}")),
        }
    }
    Ok(command)
}

fn with_event(command: Command, event: Vec<OsString>) -> Result<Command, String> {
    match (&command.form, event.len()) {
        (Form::Follow(_), _) => Err(format!("--follow takes no event, but got {:?}", event[0])),
        (_, 1 | 2) => Err(format!(
            "{:?} is no event: INSTANCE NAME STATE [PRIORITY]",
            event[0]
        )),
        _ => Ok(Command {
            form: Form::Args(event),
            ..command
        }),
    }
}

fn from_env(name: &str, default: &str) -> PathBuf {
    env::var_os(name)
        .filter(|v| !v.is_empty())
        .map_or_else(|| default.into(), PathBuf::from)
}

fn run(command: Command) -> Result<(), String> {
    let doorbell = Doorbell::new(&command.doorbell);
    match command.form {
        Form::Print(text) => {
            // A reader that has seen enough is no failure.
            let _ = io::stdout().write_all(text.as_bytes());
            Ok(())
        }
        Form::Follow(fifo) => {
            let sink = Sink {
                spool: &command.spool,
                doorbell,
                now,
                say,
            };
            match follow(&fifo, &sink) {
                Ok(never) => match never {},
                Err(e) => Err(e.to_string()),
            }
        }
        Form::Stdin => take_stdin(&command.spool, &doorbell),
        Form::Args(event) => {
            let line = Line::new(now(), Source::Args, &notify::from_args(&event));
            let mut writer = Writer::new(&command.spool);
            take(&mut writer, &doorbell, &[line])
        }
    }
}

fn take_stdin(spool: &Path, doorbell: &Doorbell) -> Result<(), String> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        say("reading notify lines from the terminal, Ctrl-D ends (rha-event --help says more)");
    }
    let mut writer = Writer::new(spool);
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let length = match stdin.read(&mut chunk) {
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(format!("standard input: {e}")),
        };
        let stamped = now();
        let mut lines = Vec::new();
        splitter.feed(&chunk[..length], stamped, Source::Stdin, &mut lines);
        if length == 0 {
            lines.extend(splitter.finish(stamped, Source::Stdin));
        }
        take(&mut writer, doorbell, &lines)?;
        if length == 0 {
            return Ok(());
        }
    }
}

/// Appends, wakes the agent, and only then waits for the disk: the agent need not.
fn take(writer: &mut Writer, doorbell: &Doorbell, lines: &[Line]) -> Result<(), String> {
    if lines.is_empty() {
        return Ok(());
    }
    let lost = if lines.len() == 1 {
        "the line is lost"
    } else {
        "lines are lost"
    };
    writer.append(lines).map_err(|e| format!("{e}; {lost}"))?;
    doorbell.ring();
    if let Err(e) = writer.sync() {
        say(&format!(
            "the spool may not survive a power failure: fdatasync: {e}"
        ));
    }
    Ok(())
}

/// Reads the clocks: this program is where the time of an event comes from.
fn now() -> At {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    let micros = |t: Timespec| t.tv_sec * 1_000_000 + t.tv_nsec / 1000;
    At {
        wall_us: micros(clock_gettime(ClockId::Realtime)),
        mono_us: micros(clock_gettime(ClockId::Boottime)).unsigned_abs(),
        boot: *BOOT.get_or_init(boot),
    }
}

/// The first eight bytes of the boot id (random(4)); 0 where /proc is not mounted.
fn boot() -> BootId {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect();
    BootId(u64::from_str_radix(&digits, 16).unwrap_or_default())
}

fn say(what: &str) {
    // Nowhere left to complain to.
    let _ = writeln!(io::stderr(), "rha-event: {what}");
}
