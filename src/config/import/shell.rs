//! Reads the assignments of an old `config.sh`. Never executes anything.

use std::collections::BTreeMap;

/// What was understood, and what was passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assignments {
    /// Variables by name; the last assignment wins. `None` is a value that a shell would have to find out.
    pub(super) values: BTreeMap<String, Option<String>>,
    /// Line, text and reason of everything else.
    pub(super) ignored: Vec<(usize, String)>,
}

/// Words that declare what is assigned behind them.
const DECLARATIONS: [&str; 5] = ["export", "readonly", "declare", "typeset", "local"];

/// How much of a statement is quoted, in characters.
const QUOTE_MAX: usize = 100;

/// Reads lines of the form `NAME=value`: comments, quotes, `export` and its like, several on a line, and references
/// to variables assigned above are understood.
pub(super) fn assignments(text: &str) -> Assignments {
    let mut found = Assignments::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        found.take(number, line);
    }
    found
}

impl Assignments {
    fn take(&mut self, number: usize, line: &str) {
        let mut rest = line.trim();
        let mut behind = None;
        loop {
            let (statement, declared) = declared(rest);
            if statement.is_empty() || statement.starts_with('#') {
                return;
            }
            let assignment = statement.split_once('=');
            let Some((name, value)) = assignment.filter(|(name, _)| is_variable(name)) else {
                // `export NAME` assigns nothing.
                if !declared || statement.contains('=') {
                    self.ignore(number, rest, behind);
                }
                return;
            };
            match value_of(value, &self.values) {
                Ok((value, more)) => {
                    self.values.insert(name.to_owned(), Some(value));
                    rest = more.strip_prefix(';').unwrap_or(more).trim_start();
                }
                Err(why) => {
                    self.values.insert(name.to_owned(), None);
                    self.ignored
                        .push((number, format!("{}: {why}", quoted(statement))));
                    return;
                }
            }
            behind = Some(name);
        }
    }

    fn ignore(&mut self, number: usize, statement: &str, behind: Option<&str>) {
        let statement = quoted(statement);
        let text = match behind {
            None => format!("{statement}: not executed"),
            Some(name) => format!("what stands behind {name}=: {statement}"),
        };
        self.ignored.push((number, text));
    }
}

/// What follows `export` and its like, with their options; and whether there was one of them.
fn declared(statement: &str) -> (&str, bool) {
    let word = |text: &str| text.split_whitespace().next().map_or(0, str::len);
    let (first, mut rest) = statement.split_at(word(statement));
    if !DECLARATIONS.contains(&first) {
        return (statement, false);
    }
    rest = rest.trim_start();
    while rest.starts_with(['-', '+']) {
        rest = rest[word(rest)..].trim_start();
    }
    (rest, true)
}

/// As much of a statement as fits into a message.
fn quoted(statement: &str) -> String {
    let mut chars = statement.chars();
    let mut text: String = chars.by_ref().take(QUOTE_MAX).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The value at the beginning of `text`, and what is left of the line apart from a comment.
fn value_of<'t>(
    text: &'t str,
    known: &BTreeMap<String, Option<String>>,
) -> Result<(String, &'t str), String> {
    let mut value = String::new();
    let mut rest = text;
    let mut quote = None;
    if text.starts_with('(') {
        return Err("a list is not understood".into());
    }
    while let Some(next) = rest.chars().next() {
        match (quote, next) {
            (None, _) if next.is_whitespace() => break,
            (None, '"' | '\'') => quote = Some(next),
            (Some(open), _) if open == next => quote = None,
            (None | Some('"'), '`') => return Err("a command is not executed".into()),
            (None | Some('"'), '$') => {
                let (expanded, length) = reference(rest, known)?;
                value.push_str(expanded);
                rest = &rest[length..];
                continue;
            }
            (None | Some('"'), '\\') => {
                rest = &rest[1..];
                let escaped = rest.chars().next();
                // Within double quotes the others keep their backslash (POSIX, Shell Command Language, 2.2.3).
                if quote.is_some() && !matches!(escaped, Some('$' | '`' | '"' | '\\')) {
                    value.push('\\');
                }
                value.push(escaped.ok_or("it goes on in the next line, which is not understood")?);
            }
            (None, ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
            _ => value.push(next),
        }
        rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
    }
    if quote.is_some() {
        return Err("a quote is not closed on its line".into());
    }
    let rest = rest.trim();
    Ok((value, if rest.starts_with('#') { "" } else { rest }))
}

/// The value of `$NAME` or `${NAME}` at the beginning of `text`, and how many bytes it takes there.
fn reference<'k>(
    text: &str,
    known: &'k BTreeMap<String, Option<String>>,
) -> Result<(&'k str, usize), String> {
    let body = &text[1..];
    let (name, length) = if let Some(braced) = body.strip_prefix('{') {
        let name = braced.split_once('}').map_or(braced, |(name, _)| name);
        (name, name.len() + 3)
    } else {
        let end = body
            .bytes()
            .take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
            .count();
        (&body[..end], end + 1)
    };
    if !is_variable(name) {
        return Err(if body.starts_with('(') {
            "a command is not executed".into()
        } else {
            "only $NAME and ${NAME} are understood".into()
        });
    }
    match known.get(name) {
        Some(Some(value)) => Ok((value, length.min(text.len()))),
        Some(None) => Err(format!("the value of ${name} is not known either")),
        None => Err(format!("${name} is not assigned above")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `NAME=value` of each variable, `NAME?` where the value is not known, and what was ignored.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let found = assignments(text);
        let values = found.values.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("{name}?"),
        });
        let ignored = found.ignored.iter();
        let ignored = ignored.map(|(line, text)| format!("{line}: {text}"));
        (values.collect(), ignored.collect())
    }

    #[test]
    fn assignments_are_read_and_nothing_is_executed() {
        let (values, ignored) = read(
            "# c\nA=1\nexport B=\"$A/x y\" # why\nC='$A'\nD=${A}2\nE=$(rm -rf /)\nF=`id`\nif true\nG=$NO\nH=\nI=a;b\nJ=\"open\nK=a\\ b\n",
        );
        assert_eq!(
            values,
            [
                "A=1", "B=1/x y", "C=$A", "D=12", "E?", "F?", "G?", "H=", "I=a", "J?", "K=a b"
            ]
        );
        assert_eq!(
            ignored,
            [
                "6: E=$(rm -rf /): a command is not executed",
                "7: F=`id`: a command is not executed",
                "8: if true: not executed",
                "9: G=$NO: $NO is not assigned above",
                "11: what stands behind I=: b",
                "12: J=\"open: a quote is not closed on its line",
            ]
        );
    }

    #[test]
    fn declarations_and_several_on_a_line_are_read() {
        let (values, ignored) = read(
            "\u{feff}A=1\nreadonly B=2\ndeclare -r -x C=3 D=4\nE=5; F=6 # six\nexport A E\ndeclare -a G=(1 2)\ntypeset H\n",
        );
        assert_eq!(values, ["A=1", "B=2", "C=3", "D=4", "E=5", "F=6", "G?"]);
        assert_eq!(ignored, ["6: G=(1 2): a list is not understood"]);
    }

    #[test]
    fn the_last_assignment_wins_also_if_it_is_not_understood() {
        let (values, ignored) = read("PORT=7000\nPORT=$(cat x)\nURL=http://h:$PORT/\n");
        assert_eq!(values, ["PORT?", "URL?"]);
        assert_eq!(
            ignored[1],
            "3: URL=http://h:$PORT/: the value of $PORT is not known either"
        );
    }

    #[test]
    fn backslashes_are_those_of_a_shell() {
        let (values, _) = read(
            r#"
A="a\nb\$c\"d\\e"
B=a\nb\$c
C='a\nb'
D=a\"#,
        );
        assert_eq!(values, [r#"A=a\nb$c"d\e"#, "B=anb$c", r"C=a\nb", "D?"]);
    }

    #[test]
    fn a_long_line_is_quoted_in_part() {
        let (_, ignored) = read(&"é".repeat(1000));
        assert_eq!(ignored, [format!("1: {}…: not executed", "é".repeat(100))]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-C=;$(\\{}\"'\\\\`# é;\n]{0,80}") {
            assignments(&text);
        }
    }
}
