//! keepalived.conf as words, braces and ends of lines.

/// The keywords that include files; the letters behind say what is an error.
pub(super) const INCLUDES: [&str; 6] = [
    "include", "includer", "includem", "includew", "includeb", "includea",
];

/// A piece of the text and the line in which it begins.
pub(super) enum Token {
    Word { text: String, line: usize },
    Open { line: usize },
    Close { line: usize },
    EndOfLine,
    Unterminated { line: usize },
}

/// The tokens of a text.
pub(super) struct Tokens<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
    unterminated: Option<usize>,
    position: Position,
}

/// What the next word is to its statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// The keyword.
    First,
    /// The pattern of an include: the rest of the line, whatever it contains.
    Pattern,
    /// Any other one.
    Other,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars().peekable(),
            line: 1,
            unterminated: None,
            position: Position::First,
        }
    }

    /// The next word, whichever kind is due.
    fn due(&mut self) -> String {
        let text = match self.position {
            Position::Pattern => self.pattern(),
            Position::First | Position::Other => self.word(),
        };
        self.position = match self.position {
            Position::First if text.starts_with('@') => Position::First,
            Position::First if INCLUDES.contains(&text.as_str()) => Position::Pattern,
            _ => Position::Other,
        };
        text
    }

    /// All up to a comment or the end of the line: keepalived gives it to glob(3) as it stands.
    fn pattern(&mut self) -> String {
        let mut pattern = String::new();
        while let Some(next) = self.rest.next_if(|next| !['\n', '#', '!'].contains(next)) {
            pattern.push(next);
        }
        pattern.trim_end().to_owned()
    }

    /// A word: up to a blank, a brace or a comment outside of quotes. `${NAME}` and the parentheses of
    /// `~SEQ(…)` belong to it.
    fn word(&mut self) -> String {
        let mut word = String::new();
        let mut parentheses = 0_u32;
        let mut definition = false;
        while let Some(&next) = self.rest.peek() {
            match next {
                '\n' => break,
                '"' | '\'' => {
                    self.rest.next();
                    self.quoted(next, &mut word);
                    continue;
                }
                '{' if word.ends_with('$') => definition = true,
                '}' if definition => definition = false,
                '(' if word.starts_with('~') => parentheses += 1,
                ')' if parentheses > 0 => parentheses -= 1,
                _ if parentheses > 0 || definition => {}
                '{' | '}' | '#' | '!' => break,
                _ if next.is_whitespace() => break,
                _ => {}
            }
            word.push(next);
            self.rest.next();
        }
        word
    }

    fn quoted(&mut self, quote: char, word: &mut String) {
        while let Some(&next) = self.rest.peek() {
            if next == '\n' {
                break;
            }
            self.rest.next();
            if next == quote {
                return;
            }
            word.push(next);
        }
        self.unterminated = Some(self.line);
    }

    fn skip_comment(&mut self) {
        while self.rest.next_if(|&next| next != '\n').is_some() {}
    }

    /// `\` at the end of a line joins the next one to it.
    fn joins_lines(&mut self) -> bool {
        let mut ahead = self.rest.clone();
        ahead.next();
        let joins = match ahead.next() {
            Some('\r') => ahead.next() == Some('\n'),
            next => next == Some('\n'),
        };
        if joins {
            self.rest = ahead;
            self.line += 1;
        }
        joins
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if let Some(line) = self.unterminated.take() {
            return Some(Token::Unterminated { line });
        }
        loop {
            let line = self.line;
            let next = *self.rest.peek()?;
            match next {
                '\n' => {
                    self.rest.next();
                    self.line += 1;
                    self.position = Position::First;
                    return Some(Token::EndOfLine);
                }
                '#' | '!' => self.skip_comment(),
                '{' | '}' if self.position != Position::Pattern => {
                    self.rest.next();
                    self.position = Position::First;
                    return Some(match next {
                        '{' => Token::Open { line },
                        _ => Token::Close { line },
                    });
                }
                '\\' if self.joins_lines() => {}
                _ if next.is_whitespace() => {
                    self.rest.next();
                }
                _ => {
                    return Some(Token::Word {
                        text: self.due(),
                        line,
                    });
                }
            }
        }
    }
}
