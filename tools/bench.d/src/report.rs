//! The table.

use serde_json::Value;

use crate::stats::Times;

/// What goes on, for who waits.
#[expect(clippy::print_stderr)]
pub fn talk(text: &str) {
    eprintln!("{text}");
}

/// One line of stdout.
#[expect(clippy::print_stdout)]
pub fn say(text: &str) {
    println!("{text}");
}

/// Rows that are printed as they come.
pub struct Table;

impl Table {
    pub fn head(&self, text: &str) {
        say(&format!("\n{text}"));
    }

    pub fn row(&self, what: &str, value: &str) {
        say(&format!("  {what:44} {value:>12}"));
    }

    pub fn times(&self, what: &str, times: &Times) {
        say(&format!(
            "  {what:44} {:>9.0} us {:>9.0} us {:>9.0}/s",
            times.median(),
            times.quantile(0.99),
            times.per_second()
        ));
    }

    /// Milliseconds to the first row and to the end, and the most memory that it took.
    pub fn question(&self, figures: &Value) {
        let number = |key: &str| figures[key].as_f64().unwrap_or(f64::NAN);
        let rate = figures["records_per_second"].as_f64();
        say(&format!(
            "  {:44} {:>10} ms {:>10} ms {:>9} MiB{}",
            figures["what"].as_str().unwrap_or_default(),
            number("first_row_ms"),
            number("ms"),
            number("peak_mib"),
            rate.map_or_else(String::new, |rate| format!("  {rate} records/s")),
        ));
    }

    pub fn volume(&self, figures: &Value) {
        let number = |key: &str| figures[key].as_f64().unwrap_or(f64::NAN);
        self.head(&format!(
            "{} records, {} of them no checks",
            number("records"),
            number("notable")
        ));
        for (what, key, unit) in [
            ("a record on the disk", "bytes_per_record", "B"),
            (
                "the same, when all is sealed",
                "sealed_bytes_per_record",
                "B",
            ),
            ("volumes", "volumes", ""),
            ("sealing one", "seal_ms", "ms"),
            ("written one by one", "written_per_second", "/s"),
            ("first open, verified and folded", "first_open_ms", "ms"),
            ("open, verified and folded", "open_ms", "ms"),
            ("memory when just opened", "rss_mib", "MiB"),
            ("the agent's memory", "agent_rss_mib", "MiB"),
            ("replay", "replay_per_second", "/s"),
            (
                "the last 50 records without quiet checks",
                "history_50_ms",
                "ms",
            ),
            ("the last 50 records of all", "history_50_quiet_ms", "ms"),
        ] {
            let text = match number(key) {
                number if number.is_nan() => "-".to_owned(),
                number => format!("{number} {unit}"),
            };
            self.row(what, text.trim());
        }
    }
}
