//! What the doctor says: one line for each thing that was looked at.

use std::fmt;

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and will hurt some day; or it could not be found out.
    Warning,
    /// A failover will not work, or will lose data.
    Trouble,
}

impl State {
    /// The word in the list.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Trouble => "trouble",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub state: State,
    /// What was looked at: `agent`, `keepalived`, `redis`, `boot`, `nodes`, `vip` or `host`.
    pub subject: &'static str,
    /// Of which instance; empty for the whole host.
    pub instance: String,
    /// What it is called: does not change from version to version.
    pub check: &'static str,
    /// How it is, in words.
    pub text: String,
    /// What to do about it; empty where nothing is to be done.
    pub todo: String,
}

/// The findings of one subject.
#[derive(Debug)]
pub struct Findings {
    subject: &'static str,
    instance: String,
    /// In the order in which they were looked at.
    pub all: Vec<Finding>,
}

impl Findings {
    /// None yet, of the whole host.
    #[must_use]
    pub fn of(subject: &'static str) -> Self {
        Self {
            subject,
            instance: String::new(),
            all: Vec::new(),
        }
    }

    /// None yet, of an instance.
    #[must_use]
    pub fn of_instance(subject: &'static str, instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            ..Self::of(subject)
        }
    }

    /// It is as it should be.
    pub fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.push(State::Ok, check, text.into(), String::new());
    }

    /// It will hurt some day.
    pub fn warning(
        &mut self,
        check: &'static str,
        text: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.push(State::Warning, check, text.into(), todo.into());
    }

    /// A failover will not work, or will lose data.
    pub fn trouble(
        &mut self,
        check: &'static str,
        text: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.push(State::Trouble, check, text.into(), todo.into());
    }

    fn push(&mut self, state: State, check: &'static str, text: String, todo: String) {
        self.all.push(Finding {
            state,
            subject: self.subject,
            instance: self.instance.clone(),
            check,
            text,
            todo,
        });
    }
}

/// For tests: the checks that are not well, with how they are.
#[cfg(test)]
pub fn unwell(findings: &Findings) -> Vec<(&'static str, State)> {
    let unwell = findings.all.iter().filter(|one| one.state != State::Ok);
    unwell.map(|one| (one.check, one.state)).collect()
}
