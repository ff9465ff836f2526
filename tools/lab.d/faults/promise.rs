//! What must come of a fault, whatever rha does today, and whether it came.

use std::fmt;

use serde::Serialize;

use super::round::Round;

/// The promise. Times are in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Promise {
    /// The longest time without an accepted write.
    pub outage_ms: u32,
    /// Acknowledged writes that may be lost.
    pub lost: Loss,
    /// Those of them that are not in what was saved either.
    pub unrescued: Loss,
    /// So long at most two Redis take writes.
    pub two_masters_ms: u32,
    /// So long at most two hosts have the VIP.
    pub two_vips_ms: u32,
    /// Alarms raised: at least and at most so many. Each is resolved in the end.
    pub alarms: (usize, usize),
    /// Who is primary in the end.
    pub primary: Primary,
}

/// How many acknowledged writes may be lost.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// None.
    Nothing,
    /// So many, and why.
    AtMost(u64, &'static str),
    /// Any number, and why.
    Any(&'static str),
}

/// Who is primary in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Primary {
    /// Who was.
    Same,
    /// Another.
    Other,
    /// One of them.
    Any,
}

/// Nobody notices, clients least of all. (On a busy machine a client waits as long as this for nothing.)
pub const UNDISTURBED: Promise = Promise {
    outage_ms: 300,
    lost: Loss::Nothing,
    unrescued: Loss::Nothing,
    two_masters_ms: 0,
    two_vips_ms: 0,
    alarms: (0, 0),
    primary: Primary::Same,
};

/// The other one serves at once, and no client waits the second in which the kernel repeats a lost SYN.
pub const FAILOVER: Promise = Promise {
    alarms: (1, 1),
    primary: Primary::Other,
    ..UNDISTURBED
};

/// The old primary could not say goodbye: three adverts are missed (0.3 s), and the client's kernel repeats a segment
/// some times before it is told that its connection is gone.
pub const SILENT_FAILOVER: Promise = Promise {
    outage_ms: 1_000,
    lost: UNSENT,
    ..FAILOVER
};

/// keepalived says goodbye, and the other one is primary before rha here has heard of it.
pub const GOODBYE: Promise = Promise {
    lost: Loss::AtMost(20, "the old primary takes writes until it is demoted"),
    two_masters_ms: 100,
    // They are rescued, with an alarm.
    alarms: (1, 2),
    ..FAILOVER
};

/// Two nodes think that they serve. One of them stays, within this time.
pub const CONFLICT: Promise = Promise {
    outage_ms: 3_000,
    lost: Loss::Any("until one has given up, both take writes"),
    unrescued: Loss::Nothing,
    two_masters_ms: 2_000,
    two_vips_ms: 2_000,
    alarms: (0, 3),
    primary: Primary::Any,
};

/// Replication is asynchronous.
pub const UNSENT: Loss = Loss::AtMost(20, "acknowledged, and not yet on the wire to the replica");

/// What was in the memory of a Redis that died, and on no disk.
pub const MEMORY: Loss = Loss::AtMost(
    20,
    "they were in the memory of a Redis that died, and on no disk",
);

/// Redis hangs: `fall` checks one second apart, the last of them waited for in vain.
pub const HUNG: Promise = Promise {
    outage_ms: 4_500,
    ..FAILOVER
};

impl Promise {
    /// What was not as promised; nothing where all of it was.
    pub fn judge(&self, round: &Round) -> Vec<String> {
        let within = |ms: f64, most: u32| ms <= f64::from(most);
        let outage = match round.outage_ms {
            Some(ms) => format!("{ms} ms without a write, {} promised", self.outage_ms),
            None => "no write is accepted any more".to_owned(),
        };
        let lost = match round.lost {
            Some(lost) => format!("{lost} of {} acknowledged writes lost", round.acknowledged),
            None => "the client's writes could not be read back".to_owned(),
        };
        let gone = round.lost.unwrap_or_default().saturating_sub(round.rescued);
        let unrescued = format!("{gone} acknowledged writes lost and not rescued");
        let two = |what: &str, ms: f64, most: u32| format!("{what} for {ms} ms, {most} promised");
        let (least, most) = self.alarms;
        let (raised, resolved) = (round.raised, round.resolved);
        let after = round.after.as_deref().unwrap_or("nobody");
        let kept = [
            (
                round.outage_ms.is_some_and(|ms| within(ms, self.outage_ms)),
                outage,
            ),
            (
                round.lost.is_some_and(|lost| lost <= self.lost.most()),
                lost,
            ),
            (gone <= self.unrescued.most(), unrescued),
            (
                within(round.two_masters_ms, self.two_masters_ms),
                two(
                    "two Redis took writes",
                    round.two_masters_ms,
                    self.two_masters_ms,
                ),
            ),
            (
                within(round.two_vips_ms, self.two_vips_ms),
                two("two hosts had the VIP", round.two_vips_ms, self.two_vips_ms),
            ),
            (
                (least..=most).contains(&raised),
                format!("{raised} alarms raised, {least} to {most} promised"),
            ),
            (
                raised == resolved,
                format!("{raised} alarms raised and {resolved} resolved"),
            ),
            (
                self.primary.is_kept(round),
                format!("{after} is primary in the end"),
            ),
        ];
        let broken = kept.into_iter().filter(|(is_kept, _)| !is_kept);
        let broken = broken.map(|(_, told)| told);
        broken.chain(round.audits.iter().cloned()).collect()
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.alarms;
        write!(
            f,
            "at most {} ms without a write, lost: {}, and not rescued: {}, two that take writes: {} ms, two with the VIP: {} ms, \
             alarms: {least} to {most}, primary in the end: {}",
            self.outage_ms,
            self.lost,
            self.unrescued,
            self.two_masters_ms,
            self.two_vips_ms,
            self.primary
        )
    }
}

impl Loss {
    fn most(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::AtMost(most, _) => most,
            Self::Any(_) => u64::MAX,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::AtMost(most, why) => write!(f, "at most {most} ({why})"),
            Self::Any(why) => write!(f, "any ({why})"),
        }
    }
}

impl fmt::Display for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "the same",
            Self::Other => "another",
            Self::Any => "any",
        })
    }
}

impl Primary {
    fn is_kept(self, round: &Round) -> bool {
        match (&round.after, self) {
            (None, _) => false,
            (Some(after), Self::Same) => *after == round.before,
            (Some(after), Self::Other) => *after != round.before,
            (Some(_), Self::Any) => true,
        }
    }
}
