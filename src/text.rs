//! Text for people, wherever it came from: nothing in it commands a terminal, and nothing is said twice.

use std::borrow::Cow;

/// `text` with everything spelled out that could break a line, command a terminal, or turn the direction of writing.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_command(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Unicode's line separators and marks of direction are no control characters, and do the same.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What `error` says, then each of its causes that is not in there already: many an error quotes its cause.
#[must_use]
pub fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
    }
    said
}

/// The same in one line, for a log.
#[must_use]
pub fn one_line(error: &anyhow::Error) -> String {
    let text = causes(error).join(": ");
    let lines: Vec<_> = text.lines().map(plain).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(plain("héllo 世界"), "héllo 世界");
        assert_eq!(plain("a\x1b[2Jb\nc\0"), "a\\u{1b}[2Jb\\nc\\u{0}");
        assert_eq!(plain("a\u{202e}b\u{2028}"), "a\\u{202e}b\\u{2028}");
    }

    #[test]
    fn a_cause_that_is_quoted_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("/x: {source}")]
        struct Quoting {
            source: io::Error,
        }
        let source = || io::Error::from_raw_os_error(2);
        let why = source().to_string();
        let quoting = anyhow::Error::new(Quoting { source: source() });
        assert_eq!(one_line(&quoting), format!("/x: {why}"));
        let plain = Err::<(), _>(source()).context("cannot read /x");
        assert_eq!(
            causes(&plain.unwrap_err()),
            ["cannot read /x", why.as_str()]
        );
        assert_eq!(one_line(&anyhow::anyhow!("a\nb\x1b")), "a; b\\u{1b}");
    }
}
