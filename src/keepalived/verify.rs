//! keepalived's own opinion of a file: `keepalived -t`.

use std::collections::BTreeSet;
use std::io::{PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::finding::{Finding, Place};

/// How long keepalived may take: thousands of addresses take a second.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked whether it has finished.
const POLL: Duration = Duration::from_millis(10);
/// Most output that is kept, in bytes.
const OUTPUT_MAX: u64 = 1 << 20;
/// Most of its lines that are passed on.
const LINES_MAX: usize = 100;
/// Where it may be; the search path of an ordinary user lacks the second.
const PROGRAMS: [&str; 2] = ["keepalived", "/usr/sbin/keepalived"];

/// What to do about a line of keepalived's: it seldom says more than what is wrong.
pub const ADVICE: &str = "as keepalived -t says";

/// What keepalived says of `file`, as if it stood in `name`: nothing if it is good. `None` where there is
/// no keepalived.
///
/// Death by a signal counts as a refusal, and so does a run without end: 2.2.7 does both on an undefined
/// track_file or a missing brace instead of naming them.
///
/// # Errors
/// keepalived is there and cannot be run.
pub fn verify(file: &Path, name: &Path) -> std::io::Result<Option<Vec<Finding>>> {
    let Some((child, output)) = start(file)? else {
        return Ok(None);
    };
    let (status, text) = finish(child, output, PATIENCE)?;
    let whole = Place {
        file: name.to_string_lossy().into(),
        line: 0,
    };
    Ok(Some(findings(status, &text, file, &whole)))
}

fn start(file: &Path) -> std::io::Result<Option<(Child, PipeReader)>> {
    for program in PROGRAMS {
        let (output, input) = std::io::pipe()?;
        let child = Command::new(program)
            .arg("-t")
            .arg("-f")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(input.try_clone()?)
            .stderr(input)
            .spawn();
        match child {
            Ok(child) => return Ok(Some((child, output))),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        }
    }
    Ok(None)
}

/// The exit status, `None` after `patience`, and the beginning of what was said.
fn finish(
    mut child: Child,
    mut output: PipeReader,
    patience: Duration,
) -> std::io::Result<(Option<ExitStatus>, String)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error ends the text early; the exit status decides anyway.
        let _ = output.by_ref().take(OUTPUT_MAX).read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        // A pipe that nobody empties would stop keepalived, one that is closed would kill it.
        let _ = std::io::copy(&mut output, &mut std::io::sink());
    });
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if waited >= patience {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(POLL);
        waited += POLL;
    };
    let text = receiver
        .recv_timeout(Duration::from_secs(1))
        .unwrap_or_default();
    Ok((status, text))
}

fn findings(status: Option<ExitStatus>, text: &str, file: &Path, whole: &Place) -> Vec<Finding> {
    let good = status.is_some_and(|status| status.success());
    let mut found: Vec<_> = said(text, file, whole)
        .into_iter()
        .map(|(place, text)| {
            let text = format!("keepalived: {text}");
            if good {
                Finding::warning(&place, text, ADVICE)
            } else {
                Finding::error(&place, text, ADVICE)
            }
        })
        .collect();
    let end = match status {
        None => format!("keepalived -t did not finish in {} s", PATIENCE.as_secs()),
        Some(status) => match status.signal() {
            Some(signal) => format!("keepalived -t died of signal {signal}"),
            None if !good && found.is_empty() => {
                format!("keepalived -t failed without a word ({status})")
            }
            None => return found,
        },
    };
    found.push(Finding::error(
        whole,
        end,
        "usually a track_file that is used and not declared, or a missing }",
    ));
    found
}

/// The lines of the output with their places, each once, and not too many of them.
fn said(text: &str, file: &Path, whole: &Place) -> Vec<(Place, String)> {
    let mut seen = BTreeSet::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut said: Vec<_> = lines
        .map(|line| located(line, file, whole))
        .map(|(place, text)| (place, text.to_owned()))
        .filter(|said| seen.insert(said.clone()))
        .collect();
    if said.len() > LINES_MAX {
        let more = format!("{} more lines like these", said.len() - LINES_MAX);
        said.truncate(LINES_MAX);
        said.push((whole.clone(), more));
    }
    said
}

/// Takes `(FILE: Line N) text` or `(Line N) text` apart; any other line speaks of the whole file.
fn located<'l>(line: &'l str, read: &Path, whole: &Place) -> (Place, &'l str) {
    let split = || {
        let (place, text) = line.strip_prefix('(')?.split_once(") ")?;
        let (file, number) = match place.rsplit_once(": Line ") {
            Some((file, number)) if Path::new(file) != read => (file.into(), number),
            Some((_, number)) => (whole.file.clone(), number),
            None => (whole.file.clone(), place.strip_prefix("Line ")?),
        };
        let line = number.parse().ok()?;
        Some((Place { file, line }, text))
    };
    split().unwrap_or_else(|| (whole.clone(), line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(status: Option<i32>, text: &str) -> Vec<String> {
        let whole = Place {
            file: "k.conf".into(),
            line: 0,
        };
        let status = status.map(ExitStatus::from_raw);
        let found = findings(status, text, Path::new("/tmp/new"), &whole);
        found.iter().map(Finding::to_string).collect()
    }

    /// What becomes of the shell's `script` within a second.
    fn finished(script: &str) -> (Option<ExitStatus>, String) {
        let (output, input) = std::io::pipe().unwrap();
        let child = Command::new("sh")
            .args(["-c", script])
            .stdout(input)
            .spawn()
            .unwrap();
        finish(child, output, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn what_keepalived_says_gets_its_place() {
        let text = "(/a b.conf: Line 3) Unknown keyword 'global_def'\n(/a b.conf: Line 3) Unknown keyword 'global_def'\n(Line 5) Unknown keyword '}'\n(/tmp/new: Line 6) x\nplain\n";
        assert_eq!(
            lines(Some(5 << 8), text),
            [
                "/a b.conf:3: error: keepalived: Unknown keyword 'global_def' (as keepalived -t says)",
                "k.conf:5: error: keepalived: Unknown keyword '}' (as keepalived -t says)",
                "k.conf:6: error: keepalived: x (as keepalived -t says)",
                "k.conf: error: keepalived: plain (as keepalived -t says)",
            ]
        );
        assert_eq!(
            lines(Some(0), "notice\n"),
            ["k.conf: warning: keepalived: notice (as keepalived -t says)"]
        );
        assert_eq!(lines(Some(0), ""), Vec::<String>::new());
    }

    #[test]
    fn a_death_by_signal_and_a_run_without_end_are_refusals() {
        const USUALLY: &str =
            "(usually a track_file that is used and not declared, or a missing })";
        assert_eq!(
            lines(Some(11), ""),
            [format!(
                "k.conf: error: keepalived -t died of signal 11 {USUALLY}"
            )]
        );
        assert_eq!(
            lines(None, ""),
            [format!(
                "k.conf: error: keepalived -t did not finish in 5 s {USUALLY}"
            )]
        );
        assert_eq!(lines(Some(5 << 8), "").len(), 1);
    }

    #[test]
    fn many_lines_are_counted_and_not_repeated() {
        let text: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        let said = lines(Some(5 << 8), &text);
        assert_eq!(said.len(), LINES_MAX + 1);
        assert!(
            said[LINES_MAX].contains("19900 more lines"),
            "{}",
            said[LINES_MAX]
        );
    }

    #[test]
    fn much_output_kills_nobody() {
        let (status, text) = finished("yes | head -c 3000000; exit 5");
        assert_eq!(status.and_then(|status| status.code()), Some(5));
        assert_eq!(text.len() as u64, OUTPUT_MAX);
    }

    #[test]
    fn patience_ends() {
        assert_eq!(finished("exec sleep 60"), (None, String::new()));
    }
}
