//! `[quorum]`: keys, types, and what must hold of them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};
use toml::de::DeValue;

use super::document::{Source, Table};
use super::problem::{Place, Problem};
use super::read::RawInstance;
use super::secret::{Secret, SecretError, read_password};
use super::types::{Config, Instance};
use super::value::{self, show_duration};
use super::{Health, show};
use crate::model::quorum::Quorum as Needed;
use crate::model::redis::Endpoint;

/// Most witnesses, or members of etcd.
const VOTERS_MAX: usize = 9;
/// How all members of etcd are called: they vote as one.
pub const ETCD: &str = "etcd";

/// Whose votes are needed to lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quorum {
    /// Redis servers that are no node's; empty where etcd is used.
    #[serde(serialize_with = "show_witnesses")]
    pub witnesses: Vec<Endpoint>,
    /// The members of one etcd; empty where witnesses are used.
    #[serde(serialize_with = "show_urls")]
    pub etcd: Vec<reqwest::Url>,
    /// How long a vote is given for, in whole seconds.
    #[serde(serialize_with = "show::duration")]
    pub ttl: Duration,
    /// Before the names of all keys.
    pub prefix: String,
    /// Who logs in to the voters; empty for nobody.
    pub username: String,
    /// File with the password in its first line; see [`Quorum::password`].
    #[serde(serialize_with = "show::optional_path")]
    pub password_file: Option<PathBuf>,
    /// Where that file is named.
    #[serde(skip)]
    pub password_place: Place,
}

impl Quorum {
    /// Reads the password; `None` where none is configured.
    ///
    /// # Errors
    /// The file cannot be read, or its first line is none.
    pub fn password(&self) -> Result<Option<Secret>, SecretError> {
        let file = self.password_file.as_ref();
        let key = "quorum.password_file";
        file.map(|file| read_password(file, &self.password_place, key))
            .transpose()
    }

    /// How long a voter may take to answer: several may be tried before what they gave counts no more.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let members = u32::try_from(self.etcd.len().max(1)).unwrap_or(1);
        (self.ttl / 2 / members).min(self.ttl / 6)
    }

    /// The key for an instance.
    #[must_use]
    pub fn key(&self, instance: &Instance) -> String {
        format!("{}{}/leader", self.prefix, instance.name)
    }

    /// What the machine is told.
    #[must_use]
    pub fn needed(&self) -> Needed {
        let alone = !self.etcd.is_empty();
        Needed {
            alone,
            voters: match alone {
                true => vec![ETCD.to_owned()],
                false => self.witnesses.iter().map(Endpoint::to_string).collect(),
            },
            ttl_ms: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Reads the table; the inner `None` where there is none.
pub(super) fn quorum(mut table: Table<'_>) -> Option<Option<Quorum>> {
    let is_there = table.is_there();
    let witnesses = table.or("witnesses", Vec::new(), witnesses);
    let etcd = table.or("etcd", Vec::new(), urls);
    let ttl = Duration::from_secs(3);
    let ttl = table.or("ttl", ttl, value::duration("2s", "60s"));
    let prefix = table.or("prefix", "/rha/".to_owned(), prefix);
    let username = table.or("username", String::new(), value::username);
    let password_file = table.or("password_file", None, value::optional_path);
    let password_place = table.place("password_file");
    table.close();
    let quorum = Quorum {
        witnesses: witnesses?,
        etcd: etcd?,
        ttl: ttl?,
        prefix: prefix?,
        username: username?,
        password_file: password_file?,
        password_place,
    };
    Some(is_there.then_some(quorum))
}

/// `tcp://10.0.0.9:6379`, each once.
fn witnesses(found: &DeValue<'_>) -> Result<Vec<Endpoint>, String> {
    let mut witnesses = Vec::new();
    for word in few(found)? {
        let witness = word.strip_prefix("tcp://").and_then(endpoint);
        let witness =
            witness.ok_or_else(|| format!("\"{word}\" is no witness; \"tcp://10.0.0.9:6379\""))?;
        if witnesses.contains(&witness) {
            return Err(format!("\"{word}\" is there twice; each once"));
        }
        witnesses.push(witness);
    }
    Ok(witnesses)
}

fn endpoint(word: &str) -> Option<Endpoint> {
    let (host, port) = word.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let host = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().ok()?.to_string(),
        None if !host.is_empty() && host.chars().all(is_plain) => host.to_owned(),
        None => return None,
    };
    Some(Endpoint { host, port })
}

fn urls(found: &DeValue<'_>) -> Result<Vec<reqwest::Url>, String> {
    let mut urls = Vec::new();
    for word in few(found)? {
        let url = word.parse::<reqwest::Url>().ok();
        let fits = |url: &reqwest::Url| {
            ["http", "https"].contains(&url.scheme())
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
        };
        let url = url.filter(fits);
        let url =
            url.ok_or_else(|| format!("\"{word}\" is no member; \"http://10.0.0.9:2379\""))?;
        if urls.contains(&url) {
            return Err(format!("\"{word}\" is there twice; each once"));
        }
        urls.push(url);
    }
    Ok(urls)
}

fn few(found: &DeValue<'_>) -> Result<Vec<String>, String> {
    let words = value::strings(found)?;
    match words.len() {
        0..=VOTERS_MAX => Ok(words),
        many => Err(format!("there are {many}; at most {VOTERS_MAX}")),
    }
}

fn prefix(found: &DeValue<'_>) -> Result<String, String> {
    let word = value::string(found)?;
    let is_plain = word.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && word.ends_with('/') && word.len() <= 200 {
        Ok(word)
    } else {
        Err(format!(
            "\"{word}\" is no prefix; such as \"/rha/\": it ends with a slash"
        ))
    }
}

/// What must hold.
pub(super) fn check(quorum: Option<&Quorum>, instances: &[RawInstance], source: &Source) {
    let Some(quorum) = quorum else { return };
    let Quorum {
        witnesses, etcd, ..
    } = quorum;
    match (witnesses.is_empty(), etcd.is_empty()) {
        (true, true) => source.wrong(
            "quorum",
            "names nobody who votes; witnesses or etcd, or no [quorum] at all",
        ),
        (false, false) => source.wrong(
            "quorum.etcd",
            "witnesses and etcd exclude each other; one of the two",
        ),
        _ => {}
    }
    if quorum.ttl.subsec_nanos() != 0 {
        source.wrong(
            "quorum.ttl",
            "etcd counts it in whole seconds; \"2s\" or more",
        );
    }
    if !etcd.is_empty() && quorum.username.is_empty() != quorum.password_file.is_none() {
        source.wrong(
            "quorum.username",
            "etcd wants a user and a password; both or neither",
        );
    }
    for instance in instances.iter().filter(|_| !witnesses.is_empty()) {
        let others = instance.nodes.len().saturating_sub(1);
        if witnesses.len() < others {
            source.wrong(
                "quorum.witnesses",
                format!(
                    "{} for the {} nodes of instance \"{}\": a node that is left alone with them is no majority; at least {others}",
                    witnesses.len(), instance.nodes.len(), instance.name
                ),
            );
        }
        let own = |witness: &&Endpoint| {
            let ip = witness.host.parse().ok();
            ip == Some(instance.vip) || instance.nodes.iter().any(|node| ip == Some(node.address))
        };
        if let Some(witness) = witnesses.iter().find(own) {
            source.wrong(
                "quorum.witnesses",
                format!(
                    "{witness} is an address of instance \"{}\", and would be lost with its host; a third host",
                    instance.name
                ),
            );
        }
    }
}

/// What is allowed, and unwise.
pub(super) fn remarks(config: &Config, source: &Source) -> Vec<Problem> {
    let Some(quorum) = &config.quorum else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut unwise = |key: &str, text: String| found.push(source.unwise(key, text));
    let members = quorum.etcd.len();
    if members > 0 && members % 2 == 0 {
        unwise(
            "quorum.etcd",
            format!("{members} members: one less is as safe; an odd number"),
        );
    }
    for instance in config.instances.iter().filter(|_| members == 0) {
        let all = instance.nodes.len() + quorum.witnesses.len();
        if all % 2 == 0 {
            let name = &instance.name;
            let text = format!(
                "instance \"{name}\" has {all} votes with those of its nodes: an odd number is as safe with one less"
            );
            unwise("quorum.witnesses", text);
        }
    }
    let Health {
        interval, timeout, ..
    } = config.health;
    let counts = quorum.ttl / 3 * 2;
    if interval + timeout > counts {
        let text = format!(
            "a check of another node may take \"{}\" with its interval, and what it tells counts for \"{}\": a primary that loses its voters cannot go on; a longer ttl",
            show_duration(interval + timeout),
            show_duration(counts)
        );
        unwise("quorum.ttl", text);
    }
    found
}

fn show_witnesses<S: Serializer>(witnesses: &[Endpoint], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(witnesses.iter().map(|witness| format!("tcp://{witness}")))
}

fn show_urls<S: Serializer>(urls: &[reqwest::Url], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(urls.iter().map(reqwest::Url::as_str))
}
