//! What is allowed but worth a word, and what only the host itself can tell.

use std::os::unix::fs::MetadataExt;

use super::document::Source;
use super::problem::Problem;
use super::quorum;
use super::types::{Config, Instance, Paths};
use crate::model::redis::Grade;

/// What is unwise, to be seen in the file alone.
pub(super) fn remarks(config: &Config, source: &Source) -> Vec<Problem> {
    let mut found = fall_on(config, source);
    found.extend(quorum::remarks(config, source));
    for (index, instance) in config.instances.iter().enumerate() {
        found.extend(reach(instance, index, source));
    }
    let Paths { state, runtime } = &config.paths;
    if state.starts_with(runtime) {
        let text = "is below paths.runtime, which need not survive a reboot: the journal must";
        found.push(source.unwise("paths.state", text.to_owned()));
    }
    found
}

/// Whether the other nodes are there, and can be spoken to.
fn reach(instance: &Instance, index: usize, source: &Source) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut unwise = |key: &str, text: String| {
        found.push(source.unwise(&format!("instance.{index}.{key}"), text));
    };
    if instance.interface == "lo" {
        let text = "keepalived cannot speak to other nodes on \"lo\"; the interface that they are reached on";
        unwise("interface", text.to_owned());
    }
    if instance.nodes.len() == 1 {
        let name = &instance.name;
        let text = format!("instance \"{name}\" has one node: nothing can take over");
        unwise("node", text);
    }
    for (position, node) in instance.nodes.iter().enumerate() {
        let address = node.address;
        if address.is_loopback() {
            let text = format!("{address} is a loopback address: no other node reaches it");
            unwise(&format!("node.{position}.address"), text);
        }
    }
    found
}

fn fall_on(config: &Config, source: &Source) -> Vec<Problem> {
    let fall_on = &config.health.fall_on;
    let risky = [
        (
            Grade::Loading,
            "a restart with a large data set gives the VIP away while it loads",
        ),
        (
            Grade::Auth,
            "a changed password fails over to a node that refuses it as well",
        ),
    ];
    let risky = risky.iter().filter(|(grade, _)| fall_on.contains(grade));
    let mut texts: Vec<_> = risky
        .map(|(grade, why)| format!("\"{grade}\": {why}; leave it out"))
        .collect();
    if !fall_on.contains(&Grade::Timeout) {
        texts.push("without \"timeout\" a hung Redis is never failed over; add it".to_owned());
    }
    texts
        .into_iter()
        .map(|text| source.unwise("health.fall_on", text))
        .collect()
}

impl Config {
    /// What is wrong, or unwise, with files of this host.
    #[must_use]
    pub fn host_remarks(&self) -> Vec<Problem> {
        self.instances.iter().filter_map(password_file).collect()
    }
}

fn password_file(instance: &Instance) -> Option<Problem> {
    let redis = &instance.redis;
    if let Err(error) = redis.password() {
        return Some(error.0);
    }
    let path = redis.password_file.as_ref()?;
    let mode = std::fs::metadata(path).ok()?.mode();
    let text = format!(
        "everyone on this host can read {0}; chmod o= {0}",
        path.display()
    );
    (mode & 0o007 != 0).then(|| redis.password_problem(false, text))
}
