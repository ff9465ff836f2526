//! Taking hold of the process that answers as Redis, so that its exit is seen at once and needs no counting.

use std::time::Duration;

use crate::wire::process::{Process, REDIS};
use crate::wire::redis::{Error, Link};

/// Takes hold of the process behind `link`, which says that its id is `pid`. `Ok(None)` where it cannot be
/// watched: in a container, on another host, under another name.
///
/// A process id may be given to another process as soon as its first owner is gone. So the order is: Redis
/// tells its id, the id is opened, Redis answers again over the same connection. It was alive all the time,
/// and the id was its own when it was opened.
///
/// # Errors
/// No answer within `timeout`, or the connection is closed: nothing is proved.
pub async fn watch(link: &Link, pid: u32, timeout: Duration) -> Result<Option<Process>, Error> {
    let Some(process) = Process::open(pid, REDIS) else {
        return Ok(None);
    };
    tokio::time::timeout(timeout, link.answers())
        .await
        .unwrap_or(Err(Error::Timeout))?;
    Ok(Some(process))
}
