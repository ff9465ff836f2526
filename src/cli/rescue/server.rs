//! A private Redis with a saved data set: behind a Unix socket in a directory of its own, without persistence. It ends
//! with this value.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::super::render::Problem;
use crate::wire::redis::{Error, Link};

/// How long reading the data set may take.
const LOADING: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);
/// Bound of a connection to a local socket.
const CONNECT: Duration = Duration::from_secs(5);
/// A data set of a Redis with more databases is refused by one with fewer.
const DATABASES: &str = "10000";

/// The private Redis.
pub struct Private {
    /// A connection to it.
    pub link: Link,
    /// Killed when it is dropped: there is nothing that it could lose.
    _child: Child,
    _dir: TempDir,
}

impl Private {
    /// Starts `program` with the data set at `rdb` and waits until it has read it.
    ///
    /// # Errors
    /// It cannot be started, or does not read the file: one line that says why.
    pub async fn start(program: &str, rdb: &Path) -> anyhow::Result<Self> {
        let format = format_of(rdb)?;
        let rdb = fs::canonicalize(rdb)?;
        let dir = tempfile::Builder::new().prefix("rha-rescue-").tempdir()?;
        // Through a link, so that whatever that Redis might write would not touch the file.
        symlink(&rdb, dir.path().join("dump.rdb"))?;
        let log = dir.path().join("log");
        let socket = dir.path().join("redis.sock");
        let mut child = Command::new(program)
            .args(["--port", "0", "--daemonize", "no", "--save", ""])
            .args(["--appendonly", "no", "--databases", DATABASES])
            .args(["--dbfilename", "dump.rdb", "--unixsocketperm", "700"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {program} (--server names another one)"))?;
        let deadline = Instant::now() + LOADING;
        loop {
            if child.try_wait()?.is_some() {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(refused(program, &rdb, format, &said));
            }
            if let Ok(link) = Link::connect_unix(&socket, CONNECT).await {
                match link.role().await {
                    Ok(_) if is_loaded(&link).await? => {
                        return Ok(Self {
                            link,
                            _child: child,
                            _dir: dir,
                        });
                    }
                    _ => {}
                }
            }
            if Instant::now() >= deadline {
                let seconds = LOADING.as_secs();
                bail!(
                    "{program} did not read {} within {seconds} s",
                    rdb.display()
                );
            }
            sleep(LOOK).await;
        }
    }
}

async fn is_loaded(link: &Link) -> anyhow::Result<bool> {
    match link.data_set().await {
        Ok(set) => Ok(!set.loading),
        Err(Error::Reply { .. }) => Ok(false),
        // It has ended: the loop sees that.
        Err(error) if error.is_broken() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The version of the format, from the first nine bytes: `REDIS0010`.
fn format_of(rdb: &Path) -> anyhow::Result<u32> {
    use std::io::Read;
    let mut head = String::new();
    let file = fs::File::open(rdb).with_context(|| format!("cannot read {}", rdb.display()))?;
    // Anything that is no text is no RDB.
    let _ = file.take(9).read_to_string(&mut head);
    let version = head
        .strip_prefix("REDIS")
        .and_then(|text| text.parse().ok());
    version.ok_or_else(|| Problem::failed(format!("{} is no RDB file", rdb.display())).into())
}

/// Why a Redis ended that was to read a file, by its log.
fn refused(program: &str, rdb: &Path, format: u32, said: &str) -> anyhow::Error {
    let rdb = rdb.display();
    if said.contains("Can't handle RDB format version") {
        return Problem::failed(format!(
            "{rdb} has RDB format {format}, which is newer than {program} can read"
        ))
        .hint("`--server PROGRAM` names a redis-server of the version that wrote it, or newer.")
        .into();
    }
    let damaged = [
        "Short read",
        "Unexpected EOF",
        "checksum",
        "Internal error in RDB",
        "corrupt",
    ];
    if damaged.iter().any(|word| said.contains(word)) {
        return Problem::failed(format!(
            "{rdb} is damaged or cut short; redis-check-rdb says where"
        ))
        .into();
    }
    let lines = said.lines().rev();
    let last = lines.map(str::trim).find(|line| line.contains('#'));
    let last = last
        .or_else(|| said.lines().next_back())
        .unwrap_or("it said nothing");
    Problem::failed(format!("{program} ended without reading {rdb}: {last}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &str) -> String {
        refused("redis-server", Path::new("x.rdb"), 12, said).to_string()
    }

    #[test]
    fn a_refusal_is_one_line() {
        let newer = told(
            "1:M # Can't handle RDB format version 12\n1:M # Fatal error loading the DB, check server logs. Exiting.",
        );
        assert_eq!(
            newer,
            "x.rdb has RDB format 12, which is newer than redis-server can read"
        );
        let cut = told("# Short read or OOM loading DB. Unrecoverable error, aborting now.");
        assert!(cut.starts_with("x.rdb is damaged or cut short"), "{cut}");
        let other = told("1:C # Warning\n1:M # Failed opening Unix socket\n");
        assert!(other.ends_with("Failed opening Unix socket"), "{other}");
    }

    #[test]
    fn the_format_is_in_the_first_nine_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.rdb");
        fs::write(&file, b"REDIS0011\xfa\xff").unwrap();
        assert_eq!(format_of(&file).unwrap(), 11);
        fs::write(&file, b"\xfa\xff").unwrap();
        assert!(
            format_of(&file)
                .unwrap_err()
                .to_string()
                .ends_with("is no RDB file")
        );
    }
}
