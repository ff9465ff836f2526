//! Any keepalived.conf as a tree of statements. Never fails: what does not fit becomes a finding.
//!
//! The grammar is keepalived's own (`lib/parser.c`, keepalived.conf(5)): one statement a line, words
//! between blanks, quotes around words with blanks, `#` and `!` begin a comment, `{` opens a block on
//! the same line or the next one, `\` joins lines. Of the preprocessor, `@id` conditions are kept as
//! a mark; `$NAME=` definitions and `~SEQ`, `~LST` lines are statements that nobody expands.

use std::sync::Arc;

use super::finding::{Finding, Place};
use super::token::{Token, Tokens};

/// Deepest nesting of blocks; keepalived knows four levels.
const DEPTH_MAX: usize = 32;

/// One statement: words, and a block where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it begins.
    pub place: Place,
    /// The line in which it ends: that of the closing brace, where there is a block.
    pub end: usize,
    /// Its words without quotes; the first is the keyword. May be empty before a stray block.
    pub words: Vec<String>,
    /// It stands behind an `@id` condition, so that it may not apply here.
    pub conditional: bool,
    /// The statements between its braces.
    pub body: Option<Vec<Self>>,
}

impl Statement {
    /// The first word.
    #[must_use]
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The word after the keyword, unless a definition (`$NAME`) stands there: its value is unknown.
    #[must_use]
    pub fn argument(&self) -> Option<&str> {
        self.words
            .get(1)
            .map(String::as_str)
            .filter(|word| !word.contains('$'))
    }

    /// A line for the preprocessor: a definition or a repetition.
    #[must_use]
    pub fn is_macro(&self) -> bool {
        self.keyword().starts_with(['$', '~'])
    }

    /// The statements of the block, none where there is no block.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        self.body.as_deref().unwrap_or_default()
    }

    /// The statements of the block with this keyword.
    pub fn all<'s>(&'s self, keyword: &'s str) -> impl Iterator<Item = &'s Self> {
        self.children()
            .iter()
            .filter(move |child| child.keyword() == keyword)
    }

    /// The last statement of the block with this keyword: keepalived lets the last one win.
    #[must_use]
    pub fn last(&self, keyword: &str) -> Option<&Self> {
        self.children()
            .iter()
            .rfind(|child| child.keyword() == keyword)
    }
}

/// Reads `text`, which came from `file`. Includes are left as statements.
#[must_use]
pub fn parse(text: &str, file: &str) -> (Vec<Statement>, Vec<Finding>) {
    let mut parser = Parser {
        file: file.into(),
        open: Vec::new(),
        done: Vec::new(),
        current: None,
        findings: Vec::new(),
    };
    for token in Tokens::new(text) {
        parser.take(token);
    }
    parser.finish()
}

struct Parser {
    file: Arc<str>,
    /// The statements whose blocks are open, each with what the enclosing block holds so far.
    open: Vec<(Statement, Vec<Statement>)>,
    /// The statements of the innermost open block.
    done: Vec<Statement>,
    current: Option<Statement>,
    findings: Vec<Finding>,
}

impl Parser {
    fn take(&mut self, token: Token) {
        match token {
            Token::Word { text, line } => {
                let place = self.place(line);
                let current = self.current.get_or_insert_with(|| Statement {
                    place,
                    end: line,
                    words: Vec::new(),
                    conditional: false,
                    body: None,
                });
                if current.words.is_empty() && text.starts_with('@') {
                    current.conditional = true;
                } else {
                    current.words.push(text);
                }
            }
            Token::EndOfLine => self.end_statement(),
            Token::Open { line } => self.open_block(line),
            Token::Close { line } => self.close_block(line),
            Token::Unterminated { line } => self.findings.push(Finding::error(
                &self.place(line),
                "a quote is opened and not closed on this line",
                "close it",
            )),
        }
    }

    fn finish(mut self) -> (Vec<Statement>, Vec<Finding>) {
        self.end_statement();
        while let Some((owner, outer)) = self.open.pop() {
            self.findings.push(Finding::error(
                &owner.place,
                format!(
                    "the block of \"{}\" is never closed; keepalived 2.2.7 crashes on it",
                    owner.words.join(" ")
                ),
                "add the missing }",
            ));
            self.end_block(owner, outer, usize::MAX);
        }
        (self.done, self.findings)
    }

    fn end_statement(&mut self) {
        if let Some(statement) = self.current.take()
            && !statement.words.is_empty()
        {
            self.done.push(statement);
        }
    }

    fn open_block(&mut self, line: usize) {
        let place = self.place(line);
        let waiting = |statement: &mut Statement| statement.body.is_none();
        // The statement before it, on this line or on the one above.
        let owner = self.current.take().or_else(|| self.done.pop_if(waiting));
        let owner = owner.unwrap_or_else(|| {
            self.findings.push(Finding::error(
                &place,
                "a block without a name",
                "name it, or remove the {",
            ));
            Statement {
                place: place.clone(),
                end: line,
                words: Vec::new(),
                conditional: false,
                body: None,
            }
        });
        if self.open.len() >= DEPTH_MAX {
            self.findings.push(Finding::error(
                &place,
                "blocks are nested too deeply",
                "remove the {",
            ));
            self.done.push(owner);
            return;
        }
        self.open.push((owner, std::mem::take(&mut self.done)));
    }

    fn close_block(&mut self, line: usize) {
        self.end_statement();
        match self.open.pop() {
            Some((owner, outer)) => self.end_block(owner, outer, line),
            None => self.findings.push(Finding::error(
                &self.place(line),
                "a } without a block",
                "remove it, or find the { that is missing above",
            )),
        }
    }

    fn end_block(&mut self, mut owner: Statement, outer: Vec<Statement>, line: usize) {
        owner.end = line;
        owner.body = Some(std::mem::replace(&mut self.done, outer));
        self.done.push(owner);
    }

    fn place(&self, line: usize) -> Place {
        Place {
            file: self.file.clone(),
            line,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Statements as nested lists, findings as lines.
    fn shape(text: &str) -> (String, Vec<String>) {
        fn show(statements: &[Statement]) -> String {
            let shown = statements.iter().map(|statement| {
                let words = statement.words.join(",");
                let mark = if statement.conditional { "@" } else { "" };
                match &statement.body {
                    Some(body) => format!("{mark}{words}[{}]", show(body)),
                    None => format!("{mark}{words}"),
                }
            });
            shown.collect::<Vec<_>>().join(" ")
        }
        let (statements, findings) = parse(text, "f");
        (
            show(&statements),
            findings
                .iter()
                .map(|found| format!("{}", found.place))
                .collect(),
        )
    }

    #[test]
    fn blocks_in_every_style() {
        for text in [
            "a b {\n c d\n}\ne",
            "a b\n{\nc d\n}\ne\n",
            "a b{\r\n\tc d\r\n}\r\ne",
            "a b { c d } e",
            "! x\na b { # y {\n c d ! z }\n} # }\ne",
            "a \\\n b {\n c \"d\"\n}\ne",
        ] {
            assert_eq!(shape(text), ("a,b[c,d] e".into(), vec![]), "{text}");
        }
    }

    #[test]
    fn quotes_keep_blanks_braces_and_comment_signs() {
        assert_eq!(
            shape("s \"a b {#!\" 'c d'"),
            ("s,a b {#!,c d".into(), vec![])
        );
    }

    #[test]
    fn an_include_takes_the_rest_of_its_line() {
        assert_eq!(
            shape("a { include {a,b} \"c\".inc # x\n} b include\n@m include [d]!").0,
            "a[include,{a,b} \"c\".inc] b,include @include,[d]"
        );
    }

    #[test]
    fn the_preprocessor_is_kept_apart() {
        assert_eq!(
            shape("@main p 1\n$A=2\np ${A}x $A\n~SEQ(I, 0, {3}) i ${I}").0,
            "@p,1 $A=2 p,${A}x,$A ~SEQ(I, 0, {3}),i,${I}"
        );
    }

    #[test]
    fn what_does_not_fit_is_found_at_its_line() {
        assert_eq!(shape("a {\nb\n"), ("a[b]".into(), vec!["f:1".into()]));
        assert_eq!(shape("a\n}\nb"), ("a b".into(), vec!["f:2".into()]));
        assert_eq!(shape("\n{\na\n}"), ("[a]".into(), vec!["f:2".into()]));
        assert_eq!(shape("a\nb \"c\nd"), ("a b,c d".into(), vec!["f:2".into()]));
        assert_eq!(shape(&"a {\n".repeat(40)).1.len(), 40);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_loses_a_line(text in "[a-z{}\"'#!$~@()\\\\ \r\n]{0,200}") {
            let (statements, findings) = parse(&text, "f");
            let lines = text.lines().count() + 1;
            for place in statements.iter().map(|found| &found.place).chain(findings.iter().map(|found| &found.place)) {
                prop_assert!((1..=lines).contains(&place.line));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&String::from_utf8_lossy(&bytes), "f");
        }
    }
}
