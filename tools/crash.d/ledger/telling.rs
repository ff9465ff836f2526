//! What one writer has told, against what the journal holds of it.

use std::collections::BTreeSet;
use std::fmt;

use crate::load::{Told, Writer};

/// In what way something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Acknowledged, and not there.
    Lost,
    /// There twice.
    Doubled,
    /// Behind something that was told later.
    Disordered,
    /// Never told.
    Strange,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In what way.
    pub fault: Fault,
    /// Whose it is.
    pub writer: Writer,
    /// What was told.
    pub what: String,
}

impl Finding {
    /// A finding of this sort.
    pub fn is(&self, fault: Fault, writer: Writer) -> bool {
        (self.fault, self.writer) == (fault, writer)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.fault {
            Fault::Lost => "is lost",
            Fault::Doubled => "is there twice",
            Fault::Disordered => "was overtaken",
            Fault::Strange => "was never said",
        };
        write!(f, "{:?}: {} {how}", self.writer, self.what)
    }
}

/// What differs between `told` and `found`; `known`: told in earlier rounds.
pub fn compare(writer: Writer, told: &[Told], found: &[String], known: &[Told]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |fault, what: &String| {
        let what = what.clone();
        findings.push(Finding {
            fault,
            writer,
            what,
        });
    };
    let mut missing = BTreeSet::new();
    let mut next = 0;
    for what in found {
        if let Some(ahead) = told[next..].iter().position(|one| one.what == *what) {
            missing.extend(certain(&told[next..next + ahead]));
            next += ahead + 1;
        } else if missing.remove(what) {
            note(Fault::Disordered, what);
        } else if told.iter().chain(known).any(|one| one.what == *what) {
            note(Fault::Doubled, what);
        } else {
            note(Fault::Strange, what);
        }
    }
    missing.extend(certain(&told[next..]));
    missing.iter().for_each(|what| note(Fault::Lost, what));
    findings
}

fn certain(told: &[Told]) -> impl Iterator<Item = String> {
    told.iter()
        .filter(|one| one.certain)
        .map(|one| one.what.clone())
}

/// What was told but for what was `found`, in order.
pub fn without(told: &[Told], found: &[String]) -> Vec<Told> {
    let mut found = found.iter().peekable();
    told.iter()
        .filter(|one| found.next_if(|what| **what == one.what).is_none())
        .cloned()
        .collect()
}
