//! What the operator wants: one TOML file, read into typed values.
//!
//! [`Config::load`] either gives a configuration in which everything holds, or *all* that is wrong
//! with the file, one line each: `FILE:LINE: KEY: what is wrong; what is allowed`. It happens in two
//! passes: the schema (`read`: keys, types, ranges), and where that is clean the sense (`check`:
//! what one key says about another).
//!
//! Every instance must list this node. A fleet whose hosts carry different instances needs different
//! files: an instance that silently runs nowhere because of a typing error in a node's name would be
//! found only by the failover that does not happen.

mod audit;
mod check;
mod document;
mod failover;
pub(crate) mod file;
pub mod import;
mod nodes;
mod problem;
mod quorum;
mod read;
mod secret;
mod settings;
mod show;
mod size;
mod spoiled;
pub(crate) mod suggest;
mod types;
pub(crate) mod value;

use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use toml::de::DeTable;

pub use failover::{Failover, Follow, Prefer};
pub use file::Unreadable;
pub use problem::{Place, Problem};
pub use quorum::{ETCD, Quorum};
pub use secret::{Secret, SecretError};
pub use types::{
    Alarms, BlackBox, Config, Health, Instance, Keepalived, Member, Paths, Redis, Sink, SinkKind,
    ThisNode, Transport, VrrpVersion,
};
pub use value::{is_name, parse_duration};

/// Where the file is by default.
pub const DEFAULT_FILE: &str = "/etc/rha/rha.toml";

/// Largest file, in bytes: room for a thousand instances.
const FILE_MAX: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {why}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        why: Unreadable,
    },
    /// What is wrong with it, in the order of the lines; one line each.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

impl Error {
    /// Where a configuration comes from, if there is none.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let missing = matches!(
            self,
            Self::Unreadable {
                why: Unreadable::Missing,
                ..
            }
        );
        missing.then_some(
            "Begin with rha's own config/rha.toml, or with `rha config import` from the old scripts; \
             --config names a file elsewhere.",
        )
    }
}

impl Config {
    /// Reads the configuration of this host.
    ///
    /// # Errors
    /// The file cannot be read, or anything is wrong with it.
    pub fn load(file: &Path) -> Result<Self, Error> {
        Self::load_for(file, None)
    }

    /// Reads the configuration of `node`, whatever `[node] name` and the host name say.
    ///
    /// # Errors
    /// The file cannot be read, or anything is wrong with it.
    pub fn load_for(file: &Path, node: Option<&str>) -> Result<Self, Error> {
        let bytes = file::read(file, FILE_MAX).map_err(|why| Error::Unreadable {
            file: file.to_owned(),
            why,
        })?;
        let text = String::from_utf8(bytes).map_err(|error| not_text(file, &error))?;
        let host = rustix::system::uname();
        Self::parse(&text, file, node, &host.nodename().to_string_lossy())
    }

    /// Reads `text`, which came from `file`, for `node` or else for `[node] name` or else for the
    /// first part of `host`.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn parse(text: &str, file: &Path, node: Option<&str>, host: &str) -> Result<Self, Error> {
        let source = document::Source::new(file, text);
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            let line = source.line(error.span().map_or(0, |span| span.start));
            source.wrong_at(line, "syntax", error.message().replace('\n', ", "));
        }
        if !syntax.is_empty() {
            return Err(Error::Invalid(source.problems()));
        }
        let raw = read::document(document::Table::root(&source, root.get_ref()));
        let config = raw.map(|raw| check::config(raw, &source, file, node, host));
        match (config, source.problems()) {
            (Some(mut config), problems) if problems.is_empty() => {
                config.remarks = audit::remarks(&config, &source);
                Ok(config)
            }
            (_, problems) => Err(Error::Invalid(problems)),
        }
    }

    /// The effective configuration as TOML, with every default filled in and no secret.
    ///
    /// # Errors
    /// A path that is not UTF-8, which [`Config::load`] does not let through.
    pub fn show(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The instance called `name`.
    #[must_use]
    pub fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.name == name)
    }
}

fn not_text(file: &Path, error: &FromUtf8Error) -> Error {
    let (good, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
    Error::Invalid(vec![Problem {
        fatal: true,
        place: Place {
            file: file.to_owned(),
            line: good.iter().filter(|&&byte| byte == b'\n').count() + 1,
        },
        key: "syntax".to_owned(),
        text: format!(
            "byte {:#04x} is not UTF-8; save the file as UTF-8",
            rest.first().copied().unwrap_or_default()
        ),
    }])
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
