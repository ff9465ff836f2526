//! What is allowed but worth a word, and what only the host itself can tell.

use std::fmt;
use std::os::unix::fs::MetadataExt;

use super::types::{Config, Instance};
use crate::model::redis::Grade;

/// One remark of `rha config check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// True if rha cannot work like this; false if it is merely unwise.
    pub fatal: bool,
    /// The key, such as `health.fall_on`.
    pub key: String,
    /// What, and what to do.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.fatal { "error" } else { "warning" };
        write!(f, "{severity}: {}: {}", self.key, self.text)
    }
}

impl Config {
    /// Remarks that need no look at this host.
    #[must_use]
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let mut warn = |key: &str, text: String| {
            remarks.push(Remark {
                fatal: false,
                key: key.into(),
                text,
            });
        };
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
        for (grade, why) in risky {
            if self.health.fall_on.contains(&grade) {
                warn(
                    "health.fall_on",
                    format!("\"{grade}\": {why}; leave it out"),
                );
            }
        }
        if !self.health.fall_on.contains(&Grade::Timeout) {
            warn(
                "health.fall_on",
                "without \"timeout\" a hung Redis is never failed over; add it".into(),
            );
        }
        for instance in &self.instances {
            if instance.nodes.len() == 1 {
                let name = &instance.name;
                warn(
                    "instance.node",
                    format!("instance \"{name}\" has one node: nothing can take over"),
                );
            }
        }
        remarks
    }

    /// Remarks on files of this host.
    #[must_use]
    pub fn host_remarks(&self) -> Vec<Remark> {
        self.instances.iter().filter_map(password_file).collect()
    }
}

fn password_file(instance: &Instance) -> Option<Remark> {
    let path = instance.redis.password_file.as_ref()?;
    let remark = |fatal, text| Remark {
        fatal,
        key: "instance.redis.password_file".into(),
        text,
    };
    if let Err(why) = instance.redis.password() {
        return Some(remark(true, why.to_string()));
    }
    let mode = std::fs::metadata(path).ok()?.mode();
    let text = format!(
        "everyone on this host can read {0}; chmod o= {0}",
        path.display()
    );
    (mode & 0o007 != 0).then(|| remark(false, text))
}
