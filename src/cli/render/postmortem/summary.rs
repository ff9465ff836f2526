//! What stands at the head of a postmortem: cause, first sign, how long, who.

use super::document::{Block, Writer, apart, between, milliseconds};
use crate::cli::incidents::seconds;
use crate::postmortem::{Evidence, Span};

const UNKNOWN: &str = "not known without the other journals (--with)";
/// More times, and acts, are not told one by one.
const TIMES_MOST: usize = 4;
/// Clocks that are kept are not so far apart.
const FAR_US: i64 = 2_000_000;

impl Writer<'_> {
    pub(super) fn summary(&mut self) {
        let told = self.told;
        let incident = &told.incident;
        let role = |role: &Option<String>| role.clone().unwrap_or_else(|| "?".to_owned());
        let lasted = match told.ended_us {
            Some(ended) => seconds(between(told.began_us, ended)),
            None => "not over where these records end".to_owned(),
        };
        let first_sign = match told.cause.evidence.first() {
            Some(sign) => self.evidence(sign),
            None => incident.cause.clone(),
        };
        let mut rows = vec![
            ("suspected cause", told.cause.text.clone()),
            ("first sign", first_sign),
            ("lasted", lasted),
            ("nobody served", self.served()),
            ("two took writes", self.doubled()),
            (
                "role of this node",
                format!("{} -> {}", role(&incident.from), role(&incident.to)),
            ),
            ("operators", self.operators()),
            ("alarms", self.alarm_counts()),
        ];
        rows.extend(self.doubt().map(|doubt| ("NOTICE", doubt)));
        let rows = rows.into_iter();
        let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
        self.table(&["", ""], rows.collect());
        if !told.cause.evidence.is_empty() {
            self.blocks
                .push(Block::Text("What speaks for that cause:".to_owned()));
            let evidence = told.cause.evidence.iter();
            let evidence = evidence.map(|sign| self.evidence(sign));
            self.blocks.push(Block::List(evidence.collect()));
        }
    }

    fn evidence(&self, sign: &Evidence) -> String {
        let (
            Evidence {
                node, seq, what, ..
            },
            at,
        ) = (sign, self.after(sign.at_us));
        format!("{at}, {node} {seq}: {what}")
    }

    /// For how long nobody served, and when.
    fn served(&self) -> String {
        match &self.told.outages {
            Some(outages) => self.times(outages),
            None => UNKNOWN.to_owned(),
        }
    }

    /// For how long two took writes. What is shorter than the clocks are known is no certainty.
    fn doubled(&self) -> String {
        let told = self.told;
        if told.outages.is_none() && told.doubles.is_empty() {
            return UNKNOWN.to_owned();
        }
        let clocks = told.nodes.iter().filter_map(|node| node.clock.as_ref());
        let within = clocks
            .filter_map(|clock| clock.within_us)
            .max()
            .unwrap_or(0);
        let within = within.unsigned_abs();
        let all = sum(&told.doubles);
        match (1..2 * within).contains(&all) {
            true => format!(
                "not certain: {}, and the clocks are known to within {} only",
                self.times(&told.doubles),
                milliseconds(within)
            ),
            false => self.times(&told.doubles),
        }
    }

    /// How long in all, and each with its beginning.
    fn times(&self, spans: &[Span]) -> String {
        let one = |span: &Span| {
            let took = milliseconds(between(span.from_us, span.to_us));
            format!("{took} at {}", self.after(span.from_us))
        };
        match spans {
            [] => "at no time".to_owned(),
            [only] => one(only),
            several => {
                let mut each: Vec<String> = several.iter().take(TIMES_MOST).map(one).collect();
                if several.len() > TIMES_MOST {
                    each.push(format!("and {} more", several.len() - TIMES_MOST));
                }
                format!("{}: {}", milliseconds(sum(several)), each.join(", "))
            }
        }
    }

    /// Who did something, and what.
    fn operators(&self) -> String {
        let acts = self.told.moments.iter().filter_map(|moment| {
            let who = moment.operator.as_ref()?;
            Some(format!(
                "{} {}: {} [{who}]",
                moment.node, moment.seq, moment.what
            ))
        });
        let acts: Vec<String> = acts.take(TIMES_MOST).collect();
        if acts.is_empty() {
            return "did nothing".to_owned();
        }
        acts.join("; ")
    }

    /// Journals of two times look as if a clock was far off.
    fn doubt(&self) -> Option<String> {
        let far = self.told.nodes.iter().find(|node| {
            let clock = node.clock.as_ref();
            clock.is_some_and(|clock| {
                clock.ahead_us.abs() > FAR_US || clock.within_us > Some(FAR_US)
            })
        })?;
        let apart = far.clock.as_ref().map(apart).unwrap_or_default();
        let name = &far.name;
        Some(format!(
            "by what the nodes saw of each other, the clock of {name} is far off ({apart}): is its journal of the same incident? \
             If not, what is said here of two nodes is wrong."
        ))
    }

    fn alarm_counts(&self) -> String {
        let sent = &self.told.alarms.sent;
        let count = |status: &str| sent.iter().filter(|(_, _, _, one)| one == status).count();
        let suppressed: u64 = self
            .told
            .alarms
            .suppressed
            .iter()
            .map(|(_, count)| count)
            .sum();
        format!(
            "{} raised, {} resolved, {} repeated, {suppressed} kept back",
            count("raised"),
            count("resolved"),
            count("repeated")
        )
    }
}

fn sum(spans: &[Span]) -> u64 {
    let spans = spans.iter();
    spans.map(|span| between(span.from_us, span.to_us)).sum()
}
