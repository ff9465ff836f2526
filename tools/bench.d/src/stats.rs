//! Times, and what is said of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What was measured, one by one, and how long all of it took.
#[derive(Debug, Clone, Default)]
pub struct Times {
    us: Vec<f64>,
    /// Beginning to end, where that is not their sum.
    span: Option<Duration>,
}

impl Times {
    /// Runs it and notes how long it took.
    pub fn take<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = run();
        self.add(begun.elapsed());
        result
    }

    pub fn add(&mut self, one: Duration) {
        self.us.push(one.as_secs_f64() * 1e6);
    }

    /// All that others noted in so long.
    pub fn together(all: impl IntoIterator<Item = Self>, span: Duration) -> Self {
        Self {
            us: all.into_iter().flat_map(|times| times.us).collect(),
            span: Some(span),
        }
    }

    pub fn join(&mut self, other: Self) {
        self.us.extend(other.us);
        if let Some(span) = other.span {
            *self.span.get_or_insert_default() += span;
        }
    }

    /// In microseconds; `share` of 0.5 is the median.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.us.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn per_second(&self) -> f64 {
        let span = self.span.map_or_else(
            || self.us.iter().sum::<f64>() / 1e6,
            |span| span.as_secs_f64(),
        );
        self.us.len() as f64 / span
    }

    pub fn json(&self) -> Value {
        json!({
            "count": self.us.len(),
            "p50_us": round(self.median()),
            "p99_us": round(self.quantile(0.99)),
            "per_second": round(self.per_second()),
        })
    }
}

/// The median of ratios: each of two neighbours in time, so that what slows the machine slows both.
pub fn ratio(pairs: &[(f64, f64)]) -> f64 {
    let mut ratios: Vec<_> = pairs.iter().map(|(one, other)| one / other).collect();
    ratios.sort_by(f64::total_cmp);
    round(ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN))
}

/// Two digits behind the point are more than a machine with other work on it can tell.
pub fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
