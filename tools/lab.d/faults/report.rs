//! The matrix: a line for each fault, and all of it as JSON.

use rha::cli::render::{Screen, wrap};
use serde_json::{Value, json};

use super::promise::Promise;
use super::round::Round;
use super::table::find;
use crate::report::{BOLD, GREEN, RED, Verdict, YELLOW, say, styled};

const INDENT: &str = "    ";

/// All faults so far.
pub struct Matrix {
    rounds: u32,
    /// The rounds of the fault that is being played.
    open: Vec<Round>,
    faults: Vec<Value>,
    kept: usize,
    broken: usize,
    skipped: usize,
    troubled: bool,
}

impl Matrix {
    /// So many rounds of each fault are to come.
    pub fn begin(rounds: u32) -> Self {
        let titles = line(
            "fault",
            ["outage", "masters", "VIPs", "lost", "rescued", "alarms"].map(str::to_owned),
            "promise",
        );
        say(styled(BOLD, titles));
        Self {
            rounds,
            open: Vec::new(),
            faults: Vec::new(),
            kept: 0,
            broken: 0,
            skipped: 0,
            troubled: false,
        }
    }

    /// Something that belongs to no fault, and is not as it should be.
    pub fn trouble(&mut self, what: &str) {
        say(styled(RED, what));
        self.troubled = true;
    }

    /// One more round.
    pub fn add(&mut self, round: Round) {
        self.open.push(round);
        if self.open.len() == self.rounds as usize {
            let rounds = std::mem::take(&mut self.open);
            self.close(&rounds);
        }
    }

    fn close(&mut self, rounds: &[Round]) {
        let kept = rounds.iter().filter(|round| round.is_ok()).count();
        let skipped = rounds.iter().find_map(|round| round.skipped.as_deref());
        let is_broken = rounds.iter().any(|round| !round.broken.is_empty());
        let (style, word) = match (is_broken, skipped) {
            (true, _) => (RED, "BROKEN"),
            (false, Some(_)) => (YELLOW, "skipped"),
            (false, None) => (GREEN, "kept"),
        };
        let count = match (self.rounds, kept == rounds.len()) {
            (1, _) | (_, true) => String::new(),
            _ => format!(" {}/{}", rounds.len() - kept, rounds.len()),
        };
        let worst = Worst::of(rounds);
        let word = styled(style, format_args!("{word}{count}"));
        say(line(&rounds[0].name, worst.cells(), &word));
        for round in rounds {
            for why in round.skipped.iter().chain(&round.broken) {
                self.tell(round, why);
            }
        }
        match (is_broken, skipped) {
            (true, _) => self.broken += 1,
            (false, Some(_)) => self.skipped += 1,
            (false, None) => self.kept += 1,
        }
        self.faults.push(figures(rounds, &worst));
    }

    fn tell(&self, round: &Round, why: &str) {
        let which = match self.rounds {
            1 => String::new(),
            _ => format!("round {}: ", round.round),
        };
        let width = Screen::detect().width.saturating_sub(INDENT.len());
        for text in wrap(&format!("{which}{why}"), width) {
            say(format_args!("{INDENT}{text}"));
        }
    }

    /// The last line, and the figures. A fault that is skipped has kept nothing.
    pub fn end(self) -> Verdict {
        say(format_args!(
            "{} promises kept, {} broken, {} skipped; times in milliseconds, the worst of {} each",
            self.kept, self.broken, self.skipped, self.rounds
        ));
        let ok = self.broken == 0 && self.skipped == 0 && !self.troubled;
        let figures = json!({
            "ok": ok,
            "rounds": self.rounds,
            "kept": self.kept,
            "broken": self.broken,
            "skipped": self.skipped,
            "faults": self.faults,
        });
        Verdict {
            told: true,
            ..Verdict::measured(ok, figures)
        }
    }
}

/// The worst of all rounds, and their sums.
struct Worst {
    /// `None` where the writes did not come back.
    outage_ms: Option<f64>,
    two_masters_ms: f64,
    two_vips_ms: f64,
    lost: Option<u64>,
    rescued: u64,
    raised: usize,
    resolved: usize,
}

impl Worst {
    fn of(rounds: &[Round]) -> Self {
        let most = |figure: fn(&Round) -> f64| rounds.iter().map(figure).fold(0.0, f64::max);
        let outages: Option<Vec<f64>> = rounds.iter().map(|round| round.outage_ms).collect();
        Self {
            outage_ms: outages.map(|all| all.into_iter().fold(0.0, f64::max)),
            two_masters_ms: most(|round| round.two_masters_ms),
            two_vips_ms: most(|round| round.two_vips_ms),
            lost: rounds.iter().map(|round| round.lost).sum(),
            rescued: rounds.iter().map(|round| round.rescued).sum(),
            raised: rounds.iter().map(|round| round.raised).sum(),
            resolved: rounds.iter().map(|round| round.resolved).sum(),
        }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.outage_ms
                .map_or_else(|| "for ever".to_owned(), |ms| format!("{ms:.1}")),
            format!("{:.0}", self.two_masters_ms),
            format!("{:.0}", self.two_vips_ms),
            self.lost
                .map_or_else(|| "?".to_owned(), |lost| lost.to_string()),
            self.rescued.to_string(),
            format!("{}/{}", self.raised, self.resolved),
        ]
    }
}

/// Name, six figures at the right side of their columns, and a word.
fn line(name: &str, cells: [String; 6], word: &str) -> String {
    let [outage, masters, vips, lost, rescued, alarms] = cells;
    format!(
        "{name:<24} {outage:>9} {masters:>8} {vips:>7} {lost:>6} {rescued:>7} {alarms:>7}  {word}"
    )
}

fn figures(rounds: &[Round], worst: &Worst) -> Value {
    let name = &rounds[0].name;
    let fault = find(name).ok();
    json!({
        "name": name,
        "what": fault.map(|fault| fault.what),
        "hosts": fault.map(|fault| fault.hosts),
        "promise": fault.map(|fault| -> Promise { fault.promise }),
        "ok": rounds.iter().all(Round::is_ok),
        "outage_ms": worst.outage_ms,
        "two_masters_ms": worst.two_masters_ms,
        "two_vips_ms": worst.two_vips_ms,
        "lost": worst.lost,
        "rescued": worst.rescued,
        "alarms": {"raised": worst.raised, "resolved": worst.resolved},
        "rounds": rounds,
    })
}
