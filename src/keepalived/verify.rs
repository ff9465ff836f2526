//! keepalived's own opinion of a file: `keepalived -t`.

use std::io::{PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::finding::{Finding, Place};

/// How long keepalived may take: thousands of addresses take a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is asked whether it has finished.
const POLL: Duration = Duration::from_millis(10);
/// Most output that is read, in bytes.
const OUTPUT_MAX: u64 = 1 << 20;
/// Where it may be; the search path of an ordinary user lacks the second.
const PROGRAMS: [&str; 2] = ["keepalived", "/usr/sbin/keepalived"];

/// What keepalived says of `file`: nothing if it is good. `None` where there is no keepalived.
///
/// Death by a signal counts as a refusal: 2.2.7 crashes on an undefined track_file and on a missing
/// brace instead of naming them.
///
/// # Errors
/// keepalived is there and cannot be run, or does not finish.
pub fn verify(file: &Path) -> std::io::Result<Option<Vec<Finding>>> {
    let Some((child, output)) = start(file)? else {
        return Ok(None);
    };
    let (status, text) = finish(child, output)?;
    let place = Place {
        file: file.to_string_lossy().into(),
        line: 0,
    };
    Ok(Some(findings(status, &text, &place)))
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

fn finish(mut child: Child, output: PipeReader) -> std::io::Result<(ExitStatus, String)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error ends the text early; the exit status decides anyway.
        let _ = output.take(OUTPUT_MAX).read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if waited >= PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!(
                "keepalived -t did not finish in {} s",
                PATIENCE.as_secs()
            )));
        }
        thread::sleep(POLL);
        waited += POLL;
    };
    let text = receiver
        .recv_timeout(Duration::from_secs(1))
        .unwrap_or_default();
    Ok((status, text))
}

fn findings(status: ExitStatus, text: &str, place: &Place) -> Vec<Finding> {
    const ADVICE: &str = "as keepalived -t says";
    let finding = |place: &Place, text: String| {
        if status.success() {
            Finding::warning(place, text, ADVICE)
        } else {
            Finding::error(place, text, ADVICE)
        }
    };
    let mut found: Vec<_> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (place, text) = located(line, place);
        let said = finding(&place, format!("keepalived: {text}"));
        if !found.contains(&said) {
            found.push(said);
        }
    }
    if let Some(signal) = status.signal() {
        let text = format!("keepalived -t died of signal {signal}");
        found.push(Finding::error(
            place,
            text,
            "look for a missing } or a track_file that is not defined",
        ));
    } else if !status.success() && found.is_empty() {
        found.push(finding(
            place,
            format!("keepalived -t failed without a word ({status})"),
        ));
    }
    found
}

/// Takes `(FILE: Line N) text` or `(Line N) text` apart; any other line speaks of the whole file.
fn located<'l>(line: &'l str, whole: &Place) -> (Place, &'l str) {
    let split = || {
        let (place, text) = line.strip_prefix('(')?.split_once(") ")?;
        let (file, number) = match place.rsplit_once(": Line ") {
            Some((file, number)) => (file.into(), number),
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

    fn lines(status: i32, text: &str) -> Vec<String> {
        let place = Place {
            file: "k.conf".into(),
            line: 0,
        };
        let found = findings(ExitStatus::from_raw(status), text, &place);
        found.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn what_keepalived_says_gets_its_place() {
        let text = "(/a b.conf: Line 3) Unknown keyword 'global_def'\n(/a b.conf: Line 3) Unknown keyword 'global_def'\n(Line 5) Unknown keyword '}'\nplain\n";
        assert_eq!(
            lines(5 << 8, text),
            [
                "/a b.conf:3: error: keepalived: Unknown keyword 'global_def' (as keepalived -t says)",
                "k.conf:5: error: keepalived: Unknown keyword '}' (as keepalived -t says)",
                "k.conf: error: keepalived: plain (as keepalived -t says)",
            ]
        );
        assert_eq!(
            lines(0, "notice\n"),
            ["k.conf: warning: keepalived: notice (as keepalived -t says)"]
        );
        assert_eq!(lines(0, ""), Vec::<String>::new());
    }

    #[test]
    fn a_death_by_signal_is_a_refusal() {
        assert_eq!(
            lines(11, ""),
            [
                "k.conf: error: keepalived -t died of signal 11 (look for a missing } or a track_file that is not defined)"
            ]
        );
        assert_eq!(lines(5 << 8, "").len(), 1);
    }
}
