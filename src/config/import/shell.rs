//! Reads the assignments of an old `config.sh`. Never executes anything.

use std::collections::BTreeMap;

/// What was understood, and what was passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assignments {
    /// Variables by name; the last assignment wins.
    pub(super) values: BTreeMap<String, String>,
    /// Line and reason of everything else.
    pub(super) ignored: Vec<(usize, String)>,
}

/// Reads lines of the form `NAME=value`: comments, quotes, `export` and references to variables
/// assigned above are understood.
pub(super) fn assignments(text: &str) -> Assignments {
    let mut found = Assignments::default();
    for (line, statement) in (1..).zip(text.lines()) {
        let statement = statement.trim();
        if statement.is_empty() || statement.starts_with('#') {
            continue;
        }
        let statement = statement
            .strip_prefix("export ")
            .unwrap_or(statement)
            .trim_start();
        let Some((name, value)) = statement
            .split_once('=')
            .filter(|(name, _)| is_variable(name))
        else {
            found
                .ignored
                .push((line, "not an assignment: not executed".into()));
            continue;
        };
        match value_of(value, &found.values) {
            Ok((value, rest)) => {
                if !rest.is_empty() {
                    found
                        .ignored
                        .push((line, format!("what stands behind {name}=: {rest}")));
                }
                found.values.insert(name.to_owned(), value);
            }
            Err(why) => found.ignored.push((line, format!("{name}: {why}"))),
        }
    }
    found
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
    known: &BTreeMap<String, String>,
) -> Result<(String, &'t str), String> {
    let mut value = String::new();
    let mut rest = text;
    let mut quote = None;
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
            (None, '\\') | (Some('"'), '\\') => {
                rest = &rest[1..];
                value.extend(rest.chars().next());
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
    known: &'k BTreeMap<String, String>,
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
        return Err("only $NAME and ${NAME} are understood: nothing is executed".into());
    }
    match known.get(name) {
        Some(value) => Ok((value, length.min(text.len()))),
        None => Err(format!("${name} is not assigned above")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn assignments_are_read_and_nothing_is_executed() {
        let text = "# c\nA=1\nexport B=\"$A/x y\" # why\nC='$A'\nD=${A}2\nE=$(rm -rf /)\nF=`id`\nif true\nG=$NO\nH=\nI=a;b\nJ=\"open\nK=a\\ b\n";
        let found = assignments(text);
        let values: Vec<_> = found
            .values
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            values,
            ["A=1", "B=1/x y", "C=$A", "D=12", "H=", "I=a", "K=a b"]
        );
        let ignored: Vec<_> = found.ignored.iter().map(|(line, _)| *line).collect();
        assert_eq!(ignored, [6, 7, 8, 9, 11, 12]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-C=$\\{}\"'\\\\`# é;\n]{0,80}") {
            assignments(&text);
        }
    }
}
