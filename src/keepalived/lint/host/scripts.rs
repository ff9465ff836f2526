//! The scripts that keepalived is to run when states change: it drops what it cannot run, and
//! `keepalived -t` does not mind. Those of vrrp_script it does tell.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::files::is_missing;
use super::{globals, is_secured};
use crate::keepalived::finding::Finding;
use crate::keepalived::host;
use crate::keepalived::lint::globals::{FIFO_SCRIPTS, STATE_SCRIPTS};
use crate::keepalived::lint::view::View;
use crate::keepalived::parse::Statement;

/// Scripts of the daemon itself.
const DAEMON_SCRIPTS: [&str; 2] = ["startup_script", "shutdown_script"];
/// The user that runs scripts where none is named, if there is such a user; root otherwise.
const DEFAULT_USER: &str = "keepalived_script";

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for line in scripts(view) {
        if let Some(path) = program(line) {
            script(path, line, view, found);
        }
    }
}

/// The lines that name a script to be run when something happens, perhaps with a user and a group.
pub(super) fn scripts<'d>(view: &View<'d>) -> Vec<&'d Statement> {
    let groups = view.blocks("vrrp_sync_group");
    let blocks: Vec<_> = view.blocks("vrrp_instance").chain(groups).collect();
    let lines = blocks.into_iter().flat_map(Statement::children);
    let of_states =
        lines.filter(|line| line.keyword() == "notify" || STATE_SCRIPTS.contains(&line.keyword()));
    let of_all = globals(view).filter(|line| {
        FIFO_SCRIPTS.contains(&line.keyword()) || DAEMON_SCRIPTS.contains(&line.keyword())
    });
    of_states
        .chain(of_all)
        .filter(|line| line.words.len() > 1 && !line.conditional)
        .collect()
}

/// The program of the command: keepalived itself looks for a bare name.
fn program(line: &Statement) -> Option<&Path> {
    let command = line.argument()?.split_ascii_whitespace().next()?;
    Some(Path::new(command)).filter(|path| path.is_absolute())
}

fn script(path: &Path, line: &Statement, view: &View<'_>, found: &mut Vec<Finding>) {
    let name = path.display();
    let (text, todo) = match fs::metadata(path) {
        Err(why) if is_missing(&why) => (
            format!("{name} is not there: keepalived does not run it"),
            "correct the path",
        ),
        // Nothing can be known of what may not be looked at.
        Err(_) => return,
        Ok(found) if !found.is_file() => (format!("{name} is no file"), "correct the path"),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => (
            format!("{name} is not executable: keepalived does not run it"),
            "chmod +x",
        ),
        Ok(_) if is_secured(view) && is_run_by_root(line, view) => match unsafe_part(path) {
            Some(part) => (
                format!(
                    "others than root can write {}: keepalived does not run {name}",
                    part.display()
                ),
                "chown root, and chmod go-w",
            ),
            None => return,
        },
        Ok(_) => return,
    };
    found.push(Finding::error(&line.place, text, todo));
}

fn is_run_by_root(line: &Statement, view: &View<'_>) -> bool {
    let own = line.words.get(2);
    let user = own.or_else(|| view.global("script_user")?.words.get(1));
    match user {
        Some(user) => user == "root",
        None => matches!(host::user(DEFAULT_USER), Ok(None)),
    }
}

/// The first part of the path that others than root can write, as keepalived looks at it: the owner, and
/// the right to write, but for a directory with the sticky bit.
fn unsafe_part(path: &Path) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    let mut parts: Vec<_> = path.ancestors().collect();
    parts.reverse();
    let part = parts
        .into_iter()
        .find(|part| fs::symlink_metadata(part).is_ok_and(|found| is_unsafe(&found)))?;
    Some(part.to_owned())
}

fn is_unsafe(found: &Metadata) -> bool {
    let mode = found.mode();
    let is_sticky = found.is_dir() && mode & 0o1000 != 0;
    let by_group = found.gid() != 0 && mode & 0o020 != 0;
    found.uid() != 0 || (!is_sticky && (by_group || mode & 0o002 != 0))
}
