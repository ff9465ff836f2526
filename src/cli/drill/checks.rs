//! What must be so before something is broken on purpose.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::act::Act;
use crate::model::drill::Drill;
use crate::views::status::{InstanceStatus, PeerStatus};

/// What may be so in a moment, when the other node is checked again.
pub const OTHER_NODE: &str = "other-node";

/// One thing that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it asks for.
    pub asks: String,
    /// It is so.
    pub passes: bool,
    /// `--anyway` goes on without.
    pub can_wait: bool,
}

/// Everything that is asked before `drill`; `status` is what the agent says, where one runs.
pub fn checks(drill: Drill, act: &Act, status: Option<&InstanceStatus>) -> Vec<Check> {
    let (rights, asks) = rights(drill, act);
    let mut checks = vec![Check {
        name: "rights",
        asks,
        passes: rights,
        can_wait: false,
    }];
    checks.extend(of_pair(status));
    if let Err(why) = act.prepare(drill) {
        checks.push(Check {
            name: "undoable",
            asks: format!("it is there, and can be made as before: {why}"),
            passes: false,
            can_wait: false,
        });
    }
    checks
}

/// What the agent knows of the pair.
fn of_pair(status: Option<&InstanceStatus>) -> Vec<Check> {
    let check = |name, asks: &str, holds: &dyn Fn(&InstanceStatus) -> bool| Check {
        name,
        asks: asks.to_owned(),
        passes: status.is_some_and(holds),
        can_wait: true,
    };
    let mut checks = vec![check(
        "agent",
        "the agent runs here: it records the drill, and does something about it",
        &|status| status.journal_out.is_none(),
    )];
    if status.is_none() {
        // Of the rest nothing is known.
        return checks;
    }
    checks.extend([
        check("not-drilled", "no other drill runs", &|status| {
            status.drill.is_none()
        }),
        check(
            "not-paused",
            "automatic actions are not paused: else nothing takes over",
            &|status| status.paused.is_none(),
        ),
        check(
            "no-incident",
            "no incident is open: one trouble is enough",
            &|status| status.incident.is_none(),
        ),
        check(
            OTHER_NODE,
            "another node leads, or follows with a live link: it serves meanwhile",
            &|status| status.peers.iter().any(could_serve),
        ),
    ]);
    checks
}

fn could_serve(peer: &PeerStatus) -> bool {
    let redis = peer.redis.as_ref().filter(|redis| redis.current);
    redis.is_some_and(|redis| peer.serves || (redis.role == "replica" && redis.link_up))
}

/// Root may everything; signals to Redis its own user as well.
fn rights(drill: Drill, act: &Act) -> (bool, String) {
    let uid = rustix::process::geteuid();
    let of_redis = || {
        let pid = act.redis().ok()?;
        Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
    };
    let passes = uid.is_root()
        || match drill {
            Drill::RedisStop | Drill::RedisKill | Drill::RedisHang => {
                of_redis() == Some(uid.as_raw())
            }
            Drill::Link | Drill::KeepalivedStop | Drill::AgentKill => false,
        };
    let asks = match drill {
        Drill::RedisStop | Drill::RedisKill | Drill::RedisHang => "run as root, or as Redis' user",
        Drill::Link | Drill::KeepalivedStop | Drill::AgentKill => "run as root",
    };
    (passes, asks.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::status::{IncidentStatus, PauseStatus, RedisStatus};

    fn well() -> InstanceStatus {
        let redis = RedisStatus {
            current: true,
            role: "replica".to_owned(),
            link_up: true,
            ..RedisStatus::default()
        };
        let peer = PeerStatus {
            name: "lvs2".to_owned(),
            grade: Some("ok".to_owned()),
            serves: false,
            redis: Some(redis),
        };
        InstanceStatus {
            peers: vec![peer],
            ..InstanceStatus::default()
        }
    }

    fn failed(status: Option<&InstanceStatus>) -> Vec<&'static str> {
        let checks = of_pair(status);
        assert!(checks.iter().all(|check| check.can_wait));
        let failed = checks.into_iter().filter(|check| !check.passes);
        failed.map(|check| check.name).collect()
    }

    #[test]
    fn each_can_fail() {
        assert_eq!(failed(None), ["agent"]);
        let mut status = well();
        assert!(failed(Some(&status)).is_empty());
        status.peers[0].redis.as_mut().unwrap().link_up = false;
        assert_eq!(failed(Some(&status)), ["other-node"]);
        status.peers[0].serves = true;
        assert!(failed(Some(&status)).is_empty());
        status.peers[0].redis.as_mut().unwrap().current = false;
        status.paused = Some(PauseStatus {
            until: None,
            reason: "x".to_owned(),
        });
        status.incident = Some(IncidentStatus {
            id: 1,
            opened: String::new(),
            alarms: Vec::new(),
            acked: None,
        });
        assert_eq!(
            failed(Some(&status)),
            ["not-paused", "no-incident", "other-node"]
        );
    }
}
