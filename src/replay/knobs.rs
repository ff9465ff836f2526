//! Settings by their names in the configuration, as far as the machine is told of them: what a what-if can change.

use crate::model::redis::Grade;
use crate::model::settings::Settings;

/// A setting with another value.
#[derive(Debug, Clone)]
pub struct Knob {
    /// `table.key`, as in the configuration.
    pub name: &'static str,
    /// The value, as it was typed.
    pub value: String,
    set: Set,
}

/// A value that has been read, and where it goes.
#[derive(Debug, Clone)]
enum Set {
    Count(fn(&mut Settings) -> &mut u16, u16),
    Millis(fn(&mut Settings) -> &mut u64, u64),
    Flag(fn(&mut Settings) -> &mut bool, bool),
    Grades(Vec<Grade>),
}

/// What kind of value a setting takes.
#[derive(Clone, Copy)]
enum Sort {
    /// Least, most.
    Count(fn(&mut Settings) -> &mut u16, u16, u16),
    Millis(fn(&mut Settings) -> &mut u64),
    Flag(fn(&mut Settings) -> &mut bool),
    Prefer,
    Grades,
}

const KNOBS: [(&str, Sort); 18] = [
    ("health.fall", Sort::Count(|s| &mut s.fall, 1, 1000)),
    ("health.rise", Sort::Count(|s| &mut s.rise, 1, 1000)),
    ("health.fall_on", Sort::Grades),
    ("failover.prefer", Sort::Prefer),
    (
        "failover.last_primary_wait",
        Sort::Millis(|s| &mut s.last_primary_ms),
    ),
    (
        "failover.replicated_writes",
        Sort::Flag(|s| &mut s.replicated_writes),
    ),
    ("failover.kill_hung", Sort::Flag(|s| &mut s.kill_hung)),
    ("failover.drain", Sort::Millis(|s| &mut s.drain_ms)),
    (
        "failover.negotiation_wait",
        Sort::Millis(|s| &mut s.negotiation_ms),
    ),
    ("failover.retry", Sort::Millis(|s| &mut s.retry_ms)),
    (
        "failover.reconcile_wait",
        Sort::Millis(|s| &mut s.reconcile_ms),
    ),
    (
        "failover.keepalived_gone_wait",
        Sort::Millis(|s| &mut s.keepalived_gone_ms),
    ),
    ("failover.tilt", Sort::Millis(|s| &mut s.tilt_ms)),
    (
        "failover.max_promotions",
        Sort::Count(|s| &mut s.max_promotions, 0, 1000),
    ),
    (
        "failover.promotions_window",
        Sort::Millis(|s| &mut s.promotions_window_ms),
    ),
    ("alarm.unserved_wait", Sort::Millis(|s| &mut s.unserved_ms)),
    (
        "alarm.redundancy_wait",
        Sort::Millis(|s| &mut s.redundancy_ms),
    ),
    ("alarm.repeat", Sort::Millis(|s| &mut s.repeat_ms)),
];

impl Knob {
    /// The names of all of them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOBS.iter().map(|(name, _)| *name)
    }

    /// Reads `name=value`; `millis` reads times.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn read(name: &str, value: &str, millis: fn(&str) -> Option<u64>) -> Result<Self, String> {
        let found = KNOBS.iter().find(|(known, _)| *known == name);
        let Some((name, sort)) = found else {
            let names: Vec<&str> = Self::names().collect();
            return Err(format!(
                "a what-if knows no setting {name}; it knows {}",
                names.join(", ")
            ));
        };
        let wrong = |expected: &str| format!("{name} = {value}: {expected}");
        let set =
            match *sort {
                Sort::Count(field, least, most) => {
                    let count = value
                        .parse()
                        .ok()
                        .filter(|count| (least..=most).contains(count));
                    Set::Count(
                        field,
                        count.ok_or_else(|| wrong(&format!("a number from {least} to {most}")))?,
                    )
                }
                Sort::Millis(field) => {
                    let ms = millis(value)
                        .ok_or_else(|| wrong("a time such as 200ms, 5s, 0.5 (seconds) or 2m"))?;
                    Set::Millis(field, ms)
                }
                Sort::Flag(field) => {
                    Set::Flag(field, value.parse().map_err(|_| wrong("true or false"))?)
                }
                Sort::Prefer => match value {
                    "availability" => Set::Flag(|s| &mut s.prefer_availability, true),
                    "consistency" => Set::Flag(|s| &mut s.prefer_availability, false),
                    _ => return Err(wrong("availability or consistency")),
                },
                Sort::Grades => {
                    let grade = |word: &str| {
                        Grade::ALL
                            .into_iter()
                            .find(|grade| grade.word() == word.trim())
                    };
                    let grades: Option<Vec<Grade>> = value.split(',').map(grade).collect();
                    Set::Grades(grades.ok_or_else(|| {
                        wrong("grades, with commas between them: timeout,refused")
                    })?)
                }
            };
        Ok(Self {
            name,
            value: value.to_owned(),
            set,
        })
    }

    /// Puts the value into the settings.
    pub fn turn(&self, settings: &mut Settings) {
        match &self.set {
            Set::Count(field, value) => *field(settings) = *value,
            Set::Millis(field, value) => *field(settings) = *value,
            Set::Flag(field, value) => *field(settings) = *value,
            Set::Grades(grades) => settings.fall_on.clone_from(grades),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u64> {
        text.strip_suffix("s")?.parse().ok()
    }

    #[test]
    fn every_knob_turns_its_setting() {
        for name in Knob::names() {
            let value = match name {
                "health.fall_on" => "timeout, busy",
                "failover.prefer" => "availability",
                "failover.replicated_writes" | "failover.kill_hung" => "true",
                "health.fall" | "health.rise" | "failover.max_promotions" => "7",
                _ => "7s",
            };
            let knob = Knob::read(name, value, millis).unwrap();
            let mut settings = Settings::default();
            knob.turn(&mut settings);
            assert_ne!(settings, Settings::default(), "{name}");
            assert!(
                Knob::read(name, "nonsense", millis)
                    .unwrap_err()
                    .starts_with(name)
            );
        }
        assert!(
            Knob::read("health.fal", "3", millis)
                .unwrap_err()
                .contains("health.fall")
        );
        assert!(Knob::read("health.fall", "0", millis).is_err());
    }
}
