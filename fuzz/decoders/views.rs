//! What readers are told: the lines of the black box, what they ask of an agent, and what it answers.

use std::fs;

use jiff::tz::TimeZone;
use rha::cli::blackbox::history;
use rha::cli::render::{self, Screen};
use rha::views::history::Filter;
use rha::views::line::{Entry, Line};
use rha::views::status::Status;

/// Files of the black box: as one, and cut into two.
pub fn blackbox(data: &[u8]) -> bool {
    let (lines, whole) = lines_of(&[data], 0);
    let (last, _) = lines_of(&[data], 3);
    assert_eq!(last, lines[lines.len().saturating_sub(3)..]);
    let cut = data.len() / 2;
    lines_of(&[&data[..cut], &data[cut..]], 0);
    for line in &lines {
        let json = line.json().unwrap_or_default();
        assert!(
            !json.contains('\n') && data.windows(json.len()).any(|part| part == json.as_bytes())
        );
    }
    let entries = || lines.iter().cloned();
    print(|out| render::history_table(&screen(), true, entries(), out).map(drop));
    let mut csv = Vec::new();
    render::history_csv(entries(), &mut csv).expect("memory takes it");
    whole && !lines.is_empty()
}

/// The lines, and whether these are all.
fn lines_of(files: &[&[u8]], limit: usize) -> (Vec<Line>, bool) {
    let Ok(dir) = tempfile::tempdir() else {
        return (Vec::new(), false);
    };
    let names = ["records.jsonl", "records.1.jsonl"];
    for (name, bytes) in names.iter().zip(files.iter().rev()) {
        if fs::write(dir.path().join(name), bytes).is_err() {
            return (Vec::new(), false);
        }
    }
    let filter = Filter {
        limit,
        ..Filter::default()
    };
    let mut whole = true;
    let mut lines = Vec::new();
    for line in history(dir.path(), &filter).expect("the files are there") {
        assert!(whole, "goes on behind an error");
        match line {
            Ok(line) => lines.push(line),
            Err(_) => whole = false,
        }
    }
    (lines, whole)
}

/// What is asked in a query.
pub fn query(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(filter) = serde_urlencoded::from_str::<Filter>(text) else {
        return false;
    };
    let again = serde_urlencoded::to_string(&filter).expect("it came as one");
    assert_eq!(
        serde_urlencoded::from_str(&again),
        Ok(filter.clone()),
        "{again}"
    );
    let json = serde_json::to_string(&filter).expect("every filter has its JSON");
    let read: Filter = serde_json::from_str(&json).expect("and is read from it");
    assert_eq!(read, filter, "{json}");
    true
}

/// An agent's answer.
pub fn status(data: &[u8]) -> bool {
    let Ok(status) = serde_json::from_slice::<Status>(data) else {
        return false;
    };
    let _ = status.is_well();
    print(|out| render::status(&status, &screen(), out).map_err(Into::into));
    true
}

fn screen() -> Screen {
    Screen {
        width: 80,
        is_terminal: true,
        zone: TimeZone::UTC,
    }
}

/// Nothing that is printed commands the terminal, but for the colours.
fn print(write: impl FnOnce(&mut dyn std::io::Write) -> anyhow::Result<()>) {
    let mut out = Vec::new();
    write(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text is printed");
    for (number, part) in text.split('\x1b').enumerate() {
        let plain = match part.strip_prefix('[') {
            Some(rest) if number > 0 => rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
                .strip_prefix('m'),
            _ => (number == 0).then_some(part),
        };
        assert!(
            plain.is_some_and(|plain| !plain.contains(|c: char| c.is_control() && c != '\n')),
            "{text:?}"
        );
    }
}
