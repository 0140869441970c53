//! From what was typed to a tree in its one normal form.
//!
//! The input is hostile: time is linear in its length, and recursion is as deep as its parentheses, which are bounded.

use super::automaton::MOST_WORDS;
use super::token::Tokens;
use super::{Node, Phrase, SearchError};

/// How deep parentheses may be nested. More than anybody types, and little enough for the parser of SQLite's FTS5
/// (3.54), which has 100 places on its stack: a group takes up to six in the query that [`super::Expression`] shows.
const DEEPEST: usize = 10;

/// Reads a whole query.
pub(super) fn parse(query: &str) -> Result<Node, SearchError> {
    let mut parser = Parser { query, at: 0, words: 0, depth: 0 };
    let found = parser.alternatives()?;
    if parser.at < query.len() {
        return Err(SearchError::Unbalanced { parenthesis: ')', at: parser.at });
    }
    match found {
        Some(Part::Seek(node)) => Ok(node),
        Some(Part::Avoid(_)) => Err(SearchError::only_exclusions(query)),
        None => Err(SearchError::nothing(query)),
    }
}

/// What a stretch of a query says. A stretch without any token says nothing, and is `None` around this.
enum Part {
    /// Find this.
    Seek(Node),
    /// Find none of these, of which there is at least one and no [`Node::Any`].
    Avoid(Vec<Node>),
}

/// What stands side by side, as it is read.
#[derive(Default)]
struct Conjunction {
    of: Vec<Node>,
    except: Vec<Node>,
}

struct Parser<'a> {
    query: &'a str,
    /// The offset of what is read next, in bytes.
    at: usize,
    /// How many tokens have been read.
    words: usize,
    /// How many parentheses are open.
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Reads up to the end of the text or of the group: `a b OR c`.
    fn alternatives(&mut self) -> Result<Option<Part>, SearchError> {
        let mut parts = Vec::new();
        loop {
            parts.extend(self.conjunction()?);
            if !self.takes_word("OR") {
                break;
            }
        }
        if parts.len() < 2 {
            return Ok(parts.pop());
        }
        let mut any = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Seek(Node::Any(nodes)) => any.extend(nodes),
                Part::Seek(node) => any.push(node),
                Part::Avoid(_) => return Err(SearchError::only_exclusions(self.query)),
            }
        }
        Ok(Some(Part::Seek(Node::Any(any))))
    }

    /// Reads up to the next `OR`, or the end of the text or of the group: `a NOT b -c`.
    fn conjunction(&mut self) -> Result<Option<Part>, SearchError> {
        let mut all = Conjunction::default();
        let mut not = false;
        loop {
            self.skip_space();
            let rest = &self.query[self.at..];
            if rest.is_empty() || rest.starts_with(')') || self.word() == "OR" {
                return Ok(all.part());
            }
            if self.takes_word("AND") {
                continue;
            }
            if self.takes_word("NOT") {
                not = !not;
                continue;
            }
            let minus = self.takes_minus();
            // Without a token it is as if it had not been typed, and a `NOT` goes on to what follows.
            if let Some(part) = self.operand()? {
                all.add(if minus == not { part } else { part.negated() });
                not = false;
            }
        }
    }

    /// Reads one group, quoted phrase or word.
    fn operand(&mut self) -> Result<Option<Part>, SearchError> {
        let start = self.at;
        let rest = &self.query[start..];
        if rest.starts_with('(') {
            return self.group();
        }
        let (text, is_quoted) = match rest.strip_prefix('"') {
            Some(inner) => {
                let text = inner.split('"').next().unwrap_or_default();
                self.at = self.query.len().min(start + text.len() + 2);
                (text, true)
            }
            None => {
                let word = self.word();
                self.at += word.len();
                (word.trim_end_matches('*'), false)
            }
        };
        let mut words = Vec::new();
        let mut end = 0;
        for token in Tokens::new(text) {
            if self.words == MOST_WORDS {
                return Err(SearchError::TooManyWords { limit: MOST_WORDS });
            }
            self.words += 1;
            words.push(token.text.into_owned());
            end = token.range.end;
        }
        let prefix = if is_quoted {
            self.takes_stars()
        } else {
            // Something between the word and its star, as in `foo_*`, has ended the word.
            self.query[..self.at].ends_with('*') && end == text.len()
        };
        let phrase = (!words.is_empty()).then(|| Phrase::new(words, prefix));
        Ok(phrase.map(|phrase| Part::Seek(Node::Phrase(phrase))))
    }

    /// Reads a group from its opening parenthesis to its closing one.
    fn group(&mut self) -> Result<Option<Part>, SearchError> {
        let start = self.at;
        if self.depth == DEEPEST {
            return Err(SearchError::TooDeep { limit: DEEPEST });
        }
        self.depth += 1;
        self.at += 1;
        let part = self.alternatives()?;
        if self.at == self.query.len() {
            return Err(SearchError::Unbalanced { parenthesis: '(', at: start });
        }
        self.at += 1;
        self.depth -= 1;
        Ok(part)
    }

    /// What stands here up to white space, a quote or a parenthesis.
    fn word(&self) -> &'a str {
        let rest = &self.query[self.at..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')');
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    }

    fn skip_space(&mut self) {
        self.at = self.query.len() - self.query[self.at..].trim_start().len();
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let takes = self.word() == word;
        self.at += if takes { word.len() } else { 0 };
        takes
    }

    /// A hyphen that excludes: right before something, and neither of an option nor of an arrow.
    fn takes_minus(&mut self) -> bool {
        let after = self.query[self.at..].strip_prefix('-').and_then(|rest| rest.chars().next());
        let takes = after.is_some_and(|c| !c.is_whitespace() && !matches!(c, '-' | '>' | ')'));
        self.at += usize::from(takes);
        takes
    }

    fn takes_stars(&mut self) -> bool {
        let rest = &self.query[self.at..];
        let stars = rest.len() - rest.trim_start_matches('*').len();
        self.at += stars;
        stars > 0
    }
}

impl Part {
    fn negated(self) -> Self {
        match self {
            Self::Seek(Node::Any(nodes)) => Self::Avoid(nodes),
            Self::Seek(node) => Self::Avoid(vec![node]),
            Self::Avoid(mut nodes) => Self::Seek(match (nodes.pop(), nodes.is_empty()) {
                (Some(only), true) => only,
                (last, _) => {
                    nodes.extend(last);
                    Node::Any(nodes)
                }
            }),
        }
    }
}

impl Conjunction {
    fn add(&mut self, part: Part) {
        match part {
            Part::Seek(Node::All { of, except }) => {
                self.of.extend(of);
                self.except.extend(except);
            }
            Part::Seek(node) => self.of.push(node),
            Part::Avoid(nodes) => self.except.extend(nodes),
        }
    }

    fn part(mut self) -> Option<Part> {
        match (self.of.len(), self.except.is_empty()) {
            (0, true) => None,
            (0, false) => Some(Part::Avoid(self.except)),
            (1, true) => self.of.pop().map(Part::Seek),
            _ => Some(Part::Seek(Node::All { of: self.of, except: self.except })),
        }
    }
}
