//! Puts a node's files in place: what `as.master.sh` and `as.backup.sh` did.
//!
//! A plan of small steps, each of which finds out what is there already: installing twice changes
//! nothing, and the track files of a running node are left alone.

mod look;
mod place;

use std::path::{Path, PathBuf};

use super::finding::{Finding, Severity};
use super::render;
use super::verify::verify;
use super::{accounts, host};
use crate::config::value::is_plain_path;
use crate::config::{Config, Paths};
pub use look::Change;

/// What is filled in where `@NAME@` stands, and the file that it makes.
const TEMPLATES: [(&str, &str); 5] = [
    (
        "/etc/sysctl.d/60-rha.conf",
        include_str!("../../../config/sysctl.d/60-rha.conf"),
    ),
    (
        "/etc/tmpfiles.d/rha.conf",
        include_str!("../../../config/tmpfiles.d/rha.conf"),
    ),
    (
        "/etc/systemd/system/rha.service",
        include_str!("../../../config/systemd/rha.service"),
    ),
    (
        "/etc/systemd/system/rha-event.service",
        include_str!("../../../config/systemd/rha-event.service"),
    ),
    (
        "/etc/systemd/system/keepalived.service.d/rha.conf",
        include_str!("../../../config/systemd/keepalived.service.d/rha.conf"),
    ),
];

/// Why the node was not installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be rendered.
    #[error(transparent)]
    Render(#[from] render::Error),
    /// keepalived refuses what was rendered; nothing was replaced.
    #[error("keepalived refuses the new configuration (rha keepalived render shows it); nothing was replaced:\n{}", lines(.0))]
    Refused(Vec<Finding>),
    /// `keepalived.user` or `keepalived.group` is not on this host.
    #[error("there is no {kind} \"{name}\" in {}; create it, or set keepalived.{kind}", place.display())]
    Account {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: PathBuf,
    },
    /// Something else is at the place of a file.
    #[error("{} is there and is no {expected}; move it away", path.display())]
    Occupied {
        /// Where.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// A path that a systemd unit cannot carry.
    #[error("a systemd unit cannot carry the path {}; letters, digits and / _ - . + : , @", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// One thing that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where, without the root.
    pub path: PathBuf,
    /// What.
    pub what: What,
    /// It belongs to `keepalived.user` and `keepalived.group` instead of root.
    pub owned: bool,
}

/// What must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Directory,
    /// A named pipe that only its owner can use.
    Fifo,
    /// A file with this text, if there is none yet.
    Initial(&'static str),
    /// A file with this text. An older one is kept as `.bak-N` if `backup` is set.
    File {
        /// The text.
        text: String,
        /// Keep what is replaced.
        backup: bool,
    },
}

/// What there is to be done on this node, keepalived.conf last. `rha` is the installed program.
///
/// # Errors
/// The configuration cannot be rendered, or a path cannot stand in a unit.
pub fn plan(config: &Config, rha: &Path) -> Result<Vec<Step>, Error> {
    let paths = &config.paths;
    let mut steps = vec![
        step(paths.state.clone(), What::Directory, true),
        step(paths.runtime.clone(), What::Directory, true),
        step(paths.track(), What::Directory, true),
        step(paths.fifo(), What::Fifo, true),
    ];
    for instance in &config.instances {
        for path in [paths.eligible(&instance.name), paths.bias(&instance.name)] {
            steps.push(step(path, What::Initial("0\n"), true));
        }
    }
    let values = values(config, rha)?;
    for (path, template) in TEMPLATES {
        let text = values
            .iter()
            .fold(template.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            });
        steps.push(step(
            path.into(),
            What::File {
                text,
                backup: false,
            },
            false,
        ));
    }
    let text = render::render(config, &config.node.name, rha)?;
    steps.push(step(
        config.keepalived.config.clone(),
        What::File { text, backup: true },
        false,
    ));
    Ok(steps)
}

fn step(path: PathBuf, what: What, owned: bool) -> Step {
    Step { path, what, owned }
}

fn values(config: &Config, rha: &Path) -> Result<[(&'static str, String); 9], Error> {
    let plain = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let word = absolute
            .to_str()
            .filter(|word| is_plain_path(word))
            .map(str::to_owned);
        word.ok_or(Error::Path { path: absolute })
    };
    let Paths { runtime, .. } = &config.paths;
    Ok([
        (
            "@BIN@",
            plain(rha.parent().unwrap_or(Path::new("/usr/bin")))?,
        ),
        ("@CONFIG@", plain(&config.file)?),
        ("@RUNTIME@", plain(runtime)?),
        ("@TRACK@", plain(&config.paths.track())?),
        ("@FIFO@", plain(&config.paths.fifo())?),
        ("@SPOOL@", plain(&config.paths.spool())?),
        ("@DOORBELL@", plain(&config.paths.doorbell_socket())?),
        ("@USER@", config.keepalived.user.clone()),
        ("@GROUP@", config.keepalived.group.clone()),
    ])
}

/// Where and for whom steps are taken.
#[derive(Debug)]
pub struct Installer {
    root: PathBuf,
    owner: (u32, u32),
}

impl Installer {
    /// Prepares to install below `root` (`/` for this host). User and group are those of this host, or of the
    /// account files below another `root`, where numbers may be others.
    ///
    /// # Errors
    /// User or group do not exist, or it cannot be found out.
    pub fn new(config: &Config, root: &Path) -> Result<Self, Error> {
        type Look = fn(&str) -> std::io::Result<Option<u32>>;
        let find = |kind, look: Look, file: &str, name: &str| {
            let own = below(root, Path::new(file));
            let (id, place) = if root != Path::new("/") && own.exists() {
                (accounts::id(&own, name), own)
            } else {
                (look(name), "this host".into())
            };
            let id = id.map_err(|source| io(&place, source))?;
            id.ok_or_else(|| Error::Account {
                kind,
                name: name.to_owned(),
                place,
            })
        };
        let user = find("user", host::user, "/etc/passwd", &config.keepalived.user)?;
        let group = find("group", host::group, "/etc/group", &config.keepalived.group)?;
        Ok(Self {
            root: root.to_owned(),
            owner: (user, group),
        })
    }

    /// Asks keepalived about the keepalived.conf of `steps`, and changes nothing. `None` where
    /// there is no keepalived to ask, else what it has to say without refusing.
    ///
    /// # Errors
    /// keepalived refuses it, or cannot be run.
    pub fn verify(&self, steps: &[Step]) -> Result<Option<Vec<Finding>>, Error> {
        let kept = steps.iter().find_map(|step| match &step.what {
            What::File { text, backup: true } => Some((self.at(step), text)),
            _ => None,
        });
        let Some((path, text)) = kept else {
            return Ok(Some(Vec::new()));
        };
        let directory = tempfile::tempdir().map_err(|source| io(&std::env::temp_dir(), source))?;
        let candidate = directory.path().join("keepalived.conf");
        std::fs::write(&candidate, text).map_err(|source| io(&candidate, source))?;
        let verdict = verify(&candidate, &path).map_err(|source| io(&path, source))?;
        match verdict {
            Some(found) if found.iter().any(|said| said.severity == Severity::Error) => {
                Err(Error::Refused(found))
            }
            verdict => Ok(verdict),
        }
    }

    /// What taking the step would do.
    ///
    /// # Errors
    /// Something else is in the way, or the file system does not let us look.
    pub fn look(&self, step: &Step) -> Result<Change, Error> {
        let owner = step.owned.then_some(self.owner);
        look::look(&self.at(step), &step.what, owner)
    }

    /// Takes one step; returns what was done.
    ///
    /// # Errors
    /// The file system refuses, or something else is in the way.
    pub fn take(&self, step: &Step) -> Result<Change, Error> {
        let path = self.at(step);
        place::make_parent(&path)?;
        let mut change = self.look(step)?;
        match (&change, &step.what) {
            (Change::MakeDirectory, _) => place::directory(&path)?,
            (Change::MakeFifo, _) => place::fifo(&path)?,
            (Change::Close, _) => place::close(&path)?,
            (Change::Write, What::Initial(text)) => place::initial(&path, text)?,
            (Change::Supersede(_), What::File { text, .. }) => {
                change = Change::Supersede(place::keep(&path)?);
                place::file(&path, text)?;
            }
            (_, What::File { text, .. }) if change != Change::Keep => place::file(&path, text)?,
            _ => {}
        }
        if step.owned && change != Change::Keep {
            place::own(&path, self.owner)?;
        }
        Ok(change)
    }

    /// Where the step is taken.
    #[must_use]
    pub fn at(&self, step: &Step) -> PathBuf {
        below(&self.root, &step.path)
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}

fn lines(found: &[Finding]) -> String {
    let lines: Vec<_> = found.iter().map(Finding::to_string).collect();
    lines.join("\n")
}
