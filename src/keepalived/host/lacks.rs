//! What a configuration names and this host does not have.

use std::path::{Path, PathBuf};

use super::{Host, group, user};
use crate::config::{Config, Instance};

/// A line for each thing: its key, and what is not there. Nothing where that cannot be found out.
#[must_use]
pub fn lacks(config: &Config) -> Vec<String> {
    let host = Host::look().ok();
    let mut found = Vec::new();
    let accounts = &config.keepalived;
    for (key, name, id) in [
        ("user", &accounts.user, user(&accounts.user)),
        ("group", &accounts.group, group(&accounts.group)),
    ] {
        if let Ok(None) = id {
            found.push(format!("keepalived.{key}: there is no {key} {name:?} here"));
        }
    }
    for instance in &config.instances {
        found.extend(of_instance(instance, host.as_ref()));
    }
    found
}

fn of_instance(instance: &Instance, host: Option<&Host>) -> Vec<String> {
    let name = &instance.name;
    let mut found = Vec::new();
    if host.is_some_and(|host| !host.interfaces.contains_key(&instance.interface)) {
        found.push(format!(
            "instance.interface: there is no {:?} here (instance {name:?}); `ip link` lists those that are",
            instance.interface
        ));
    }
    if let Some(program) = instance.redis.start.first().filter(|one| !is_there(one)) {
        found.push(format!(
            "instance.redis.start: there is no {program:?} here (instance {name:?}): rha cannot start Redis"
        ));
    }
    found
}

/// As execvp(3) looks for it.
fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path).any(|directory: PathBuf| directory.join(program).is_file())
}
