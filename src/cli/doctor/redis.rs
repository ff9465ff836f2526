//! The Redis of this node: can rha speak to it, may it order what it orders, and is it what was decided?

use std::fs;
use std::path::Path;

use tokio::runtime::Runtime;

use super::boot::{self, Boot, unit_directories};
use super::finding::Findings;
use super::settings::{self, Said, Wanted};
use crate::agent::hands::own_target;
use crate::cli::drill::daemon::unit_of;
use crate::config::{Config, Instance};
use crate::model::redis::{Grade, RedisRole};
use crate::views::explained;
use crate::views::status::InstanceStatus;
use crate::wire::redis::{Error, Link, Target, probe};

/// The words of a command, and what for.
type Order = (&'static [&'static str], &'static str);

/// What rha sends, as far as it orders something.
const ORDERS: [Order; 12] = [
    (&["PING"], "checks"),
    (&["INFO", "replication"], "checks"),
    (&["ROLE"], "promotions are confirmed by it"),
    (&["REPLICAOF", "NO", "ONE"], "promotions"),
    (&["CLIENT", "PAUSE", "1", "WRITE"], "switchovers"),
    (&["CLIENT", "UNPAUSE"], "switchovers"),
    (
        &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        "clients are sent to the new primary",
    ),
    (
        &["CONFIG", "SET", "min-replicas-to-write", "0"],
        "replicated_writes",
    ),
    (&["SHUTDOWN"], "rha redis stop"),
    (&["BGSAVE"], "what the new primary lacks is saved by it"),
    (&["CONFIG", "GET", "*"], "rha doctor"),
    (&["CLIENT", "LIST"], "rha doctor"),
];
/// How agents see each other; without, they go by Redis alone.
const SIGNS: [Order; 2] = [
    (&["SUBSCRIBE", "rha:leads"], "other agents see who leads"),
    (&["PUBSUB", "NUMSUB", "rha:leads"], "it sees them"),
];
/// Before it, REPLICAOF has another name, and there is no CLIENT PAUSE WRITE: switchovers make clients wait longer.
const OLDEST: (u32, u32) = (6, 2);

/// What is known of the local Redis, for the other subjects.
#[derive(Debug, Clone, Default)]
pub struct Local {
    /// `redis_version`.
    pub version: Option<String>,
    /// `run_id`.
    pub run_id: Option<String>,
}

/// Everything about the Redis of an instance.
pub fn check(
    config: &Config,
    instance: &Instance,
    status: Option<&InstanceStatus>,
    runtime: &Runtime,
    found: &mut Findings,
) -> Local {
    let target = match own_target(instance) {
        Ok(target) => target,
        Err(error) => {
            found.trouble("reach", error.to_string(), "correct password_file");
            return Local::default();
        }
    };
    let mut link = None;
    let health = &config.health;
    let answer = runtime.block_on(probe(&mut link, &target, health.timeout, health.slow));
    let grade = answer.grade;
    let endpoint = &target.endpoint;
    if grade.is_ready() {
        found.ok("reach", format!("{endpoint} answers"));
    } else {
        let text = format!("{endpoint}: {grade}");
        let todo = match grade {
            Grade::Refused | Grade::Unreachable => "rha redis start",
            Grade::Auth => "see username and password_file",
            _ => explained(grade.word()).map_or("see Redis' log", |_| "see Redis' log"),
        };
        found.trouble("reach", text, todo);
    }
    if let (Some(seen), Some(status)) = (&answer.observation, status) {
        role(seen.role, &status.role, found);
    }
    let Some(link) = link else {
        return Local::default();
    };
    let local = runtime.block_on(inspect(config, instance, &target, &link, found));
    local.unwrap_or_else(|error| {
        found.warning(
            "looked-at",
            format!("not all of it: {error}"),
            "see Redis' ACL of that user",
        );
        Local::default()
    })
}

/// Is it what was decided?
fn role(is: RedisRole, decided: &str, found: &mut Findings) {
    let wanted = match decided {
        "primary" => RedisRole::Master,
        "replica" => RedisRole::Replica,
        _ => {
            let text = format!("this node is {decided}, and neither leads nor follows");
            found.warning("role", text, "rha status, and rha history --why");
            return;
        }
    };
    if is == wanted {
        found.ok("role", format!("a {is}, as decided ({decided})"));
    } else {
        let text = format!("it is a {is}, and this node was decided to be {decided}");
        found.trouble(
            "role",
            text,
            "who else changes it? rha puts it right within seconds",
        );
    }
}

async fn inspect(
    config: &Config,
    instance: &Instance,
    target: &Target,
    link: &Link,
    found: &mut Findings,
) -> Result<Local, Error> {
    let server = link.facts("server").await?;
    let version = server.get("redis_version").cloned();
    age(version.as_deref().unwrap_or_default(), found);
    rights(link, target.username.as_deref().unwrap_or("default"), found).await;
    let mut said = Said {
        info: server.clone(),
        ..Said::default()
    };
    for section in ["replication", "persistence", "stats"] {
        said.info.extend(link.facts(section).await?);
    }
    match link.settings().await {
        Ok(settings) => {
            said.settings = settings;
            settings::check(&said, &wanted(config, instance, target), found);
        }
        Err(error) => {
            let text = format!("its settings cannot be read: {error}");
            found.warning("settings", text, "allow CONFIG GET to that user");
        }
    }
    match link.sentinels().await {
        Ok(0) => found.ok("sentinel", "no Sentinel is connected"),
        Ok(many) => {
            let text =
                format!("{many} Sentinel(s) watch this Redis: they promote what rha does not");
            found.trouble("sentinel", text, "stop them: one pilot is enough");
        }
        Err(error) => found.warning(
            "sentinel",
            format!("not known: {error}"),
            "allow CLIENT LIST",
        ),
    }
    boot::check(&booted(config, instance, &server), found);
    Ok(Local {
        version,
        run_id: server.get("run_id").cloned(),
    })
}

fn age(version: &str, found: &mut Findings) {
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let known = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if known >= OLDEST {
        found.ok("version", format!("version {version}"));
    } else {
        let text = format!("version {version} has no CLIENT PAUSE WRITE: no switchovers");
        found.warning("version", text, "6.2 or newer");
    }
}

/// May this user do what rha does?
async fn rights(link: &Link, user: &str, found: &mut Findings) {
    let may = match refused(link, user, &ORDERS).await {
        Ok(Some(refused)) => refused,
        Ok(None) => {
            found.ok(
                "rights",
                "Redis cannot tell what its users may do (before 7.0)",
            );
            return;
        }
        Err(error) => {
            let text = format!("what {user} may do is not known: {error}");
            found.warning("rights", text, format!("ACL SETUSER {user} +acl|dryrun"));
            return;
        }
    };
    if may.is_empty() {
        found.ok("rights", format!("{user} may do what rha does"));
    } else {
        let text = format!("{user} may not {}", may.join(", "));
        let todo = format!(
            "ACL SETUSER {user} +ping +info +role +replicaof +client +config|get +config|set +shutdown +bgsave +time"
        );
        found.trouble("rights", text, todo);
    }
    if let Ok(Some(signs)) = refused(link, user, &SIGNS).await
        && !signs.is_empty()
    {
        let text = format!("{user} may not {}", signs.join(", "));
        let todo = format!("ACL SETUSER {user} +subscribe +unsubscribe +pubsub &rha:*");
        found.warning("signs", text, todo);
    }
}

/// Those that the user may not send; `None` where Redis cannot tell.
async fn refused(
    link: &Link,
    user: &str,
    commands: &[Order],
) -> Result<Option<Vec<String>>, Error> {
    let mut refused = Vec::new();
    for (command, purpose) in commands {
        match link.may(user, command).await? {
            Some(Ok(())) => {}
            Some(Err(_)) => refused.push(format!("{} ({purpose})", command.join(" "))),
            None => return Ok(None),
        }
    }
    Ok(Some(refused))
}

fn wanted(config: &Config, instance: &Instance, target: &Target) -> Wanted {
    Wanted {
        vip: instance.vip,
        address: instance
            .member(&config.node.name)
            .map(|member| member.address),
        has_password: target.password.is_some(),
        replicated_writes: config.failover.replicated_writes,
    }
}

fn booted(
    config: &Config,
    instance: &Instance,
    server: &std::collections::BTreeMap<String, String>,
) -> Boot {
    let redis = &instance.redis;
    let file = server.get("config_file").filter(|file| !file.is_empty());
    let running = || {
        let pid = server.get("process_id")?;
        unit_of(&fs::read_to_string(Path::new("/proc").join(pid).join("cgroup")).ok()?)
    };
    let named = Some(redis.unit.clone()).filter(|unit| !unit.is_empty());
    Boot {
        config_file: file.map(Into::into),
        unit: named.or_else(running).map(with_suffix),
        start_as_replica: redis.start_as_replica.clone(),
        units: unit_directories(),
        replicated_writes: config.failover.replicated_writes,
    }
}

fn with_suffix(unit: String) -> String {
    if unit.contains('.') {
        unit
    } else {
        format!("{unit}.service")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    #[test]
    fn roles_and_versions() {
        let mut found = Findings::of("redis");
        role(RedisRole::Master, "primary", &mut found);
        role(RedisRole::Replica, "replica", &mut found);
        age("7.0.15", &mut found);
        assert_eq!(unwell(&found), []);
        role(RedisRole::Master, "replica", &mut found);
        role(RedisRole::Master, "fault", &mut found);
        age("5.0.3", &mut found);
        assert_eq!(
            unwell(&found),
            [
                ("role", State::Trouble),
                ("role", State::Warning),
                ("version", State::Warning)
            ]
        );
        assert_eq!(with_suffix("redis".to_owned()), "redis.service");
    }
}
