//! The users and groups that a file names: keepalived drops a FIFO or a script whose owner it does not
//! find, and `keepalived -t` does not mind.

use std::io;

use super::globals;
use super::scripts::scripts;
use crate::keepalived::finding::Finding;
use crate::keepalived::host;
use crate::keepalived::lint::globals::FIFOS;
use crate::keepalived::lint::view::View;
use crate::keepalived::parse::Statement;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for line in globals(view).filter(|line| FIFOS.contains(&line.keyword())) {
        owner(line, "keepalived goes on without the FIFO", found);
    }
    for line in scripts(view) {
        owner(line, "the script is not run", found);
    }
}

/// The user and the group behind the path or command of `line`.
fn owner(line: &Statement, loss: &str, found: &mut Vec<Finding>) {
    let user: fn(&str) -> _ = host::user;
    for (position, kind, look) in [(2, "user", user), (3, "group", host::group)] {
        if let Some(name) = line
            .words
            .get(position)
            .filter(|name| is_missing(name, look))
        {
            found.push(Finding::error(
                &line.place,
                format!("there is no {kind} \"{name}\" on this host: {loss}"),
                format!("create the {kind}, or name another one"),
            ));
        }
    }
}

/// What cannot be found out is not judged.
fn is_missing(name: &str, look: fn(&str) -> io::Result<Option<u32>>) -> bool {
    !name.contains('$') && matches!(look(name), Ok(None))
}
