//! A query as a tree that cannot be wrong: what [`Expression::parse`] read, and what a store renders.

use std::fmt;
use std::str::FromStr;

use super::SearchError;
use super::automaton::Automaton;
use super::parse;

/// What is searched for: a query that has something to find, within the bounds that keep any text safe to parse.
///
/// `Display` is the query in its normal form: lower-case words, phrases in quotes, exclusions last. It parses to an
/// equal expression.
///
/// A store with a full-text index renders the tree and parses nothing again. It is at most 10 groups deep, which in this
/// form is within what FTS5 can parse. For FTS5 of SQLite over tokens joined by
/// spaces, tokenizer `ascii`:
///
/// ```
/// use session_core::search::{Expression, Node};
///
/// fn fts5(node: &Node) -> String {
///     let join = |nodes: &[Node], by: &str| nodes.iter().map(fts5).collect::<Vec<_>>().join(by);
///     match node {
///         // Tokens hold letters and digits only, so there is nothing to escape.
///         Node::Phrase(phrase) => {
///             let star = if phrase.is_prefix() { "*" } else { "" };
///             format!("\"{}\"{star}", phrase.tokens().join(" "))
///         }
///         Node::Any(nodes) => format!("({})", join(nodes, " OR ")),
///         Node::All { of, except } if except.is_empty() => format!("({})", join(of, " AND ")),
///         Node::All { of, except } => {
///             format!("(({}) NOT ({}))", join(of, " AND "), join(except, " OR "))
///         }
///     }
/// }
///
/// let query = Expression::parse("foo_bar conf* -draft")?;
/// assert_eq!(fts5(query.root()), r#"(("foo bar" AND "conf"*) NOT ("draft"))"#);
/// assert_eq!(query.to_string(), r#""foo bar" conf* -draft"#);
/// # Ok::<(), session_core::search::SearchError>(())
/// ```
// Invariant: the root is as `Node` says, of at most 256 tokens, and the automaton was made of it. Only `parse`
// constructs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    root: Node,
    pub(super) automaton: Automaton,
}

/// A part of a query. Inside an [`Expression`] no part can be purely negative, and there is one way to say a thing:
/// no list is empty but `except`, no `Any` stands directly in an `Any` or in an `except`, no `All` directly in an
/// `All`'s `of`, and an `Any` or an `All` has two parts or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// These words, side by side.
    Phrase(Phrase),
    /// Every one of some parts, and none of others.
    All {
        /// What has to be there.
        of: Vec<Self>,
        /// Of which nothing may be there.
        except: Vec<Self>,
    },
    /// At least one of these.
    Any(Vec<Self>),
}

/// One or more tokens that stand side by side in this order, whatever separates them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    tokens: Vec<String>,
    prefix: bool,
}

impl Expression {
    /// Reads a query as the documentation of [`search`](crate::search) says.
    ///
    /// # Errors
    ///
    /// [`SearchError`] when there is nothing to find, only exclusions on one side of an `OR`, a parenthesis without its
    /// counterpart, groups nested more than 10 deep, or more than 256 tokens.
    pub fn parse(query: &str) -> Result<Self, SearchError> {
        let root = parse::parse(query)?;
        let automaton = Automaton::new(&root);
        Ok(Self { root, automaton })
    }

    /// The whole query as a tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }
}

impl Phrase {
    /// A phrase of `tokens`, which are as [`super::tokens`] gives them and not empty.
    pub(super) fn new(tokens: Vec<String>, prefix: bool) -> Self {
        Self { tokens, prefix }
    }

    /// The words in order, as [`tokens`](super::tokens) gives them; at least one.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Whether the last word may go on: it is then found in every token that begins with it.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.prefix
    }
}

impl FromStr for Expression {
    type Err = SearchError;

    fn from_str(query: &str) -> Result<Self, Self::Err> {
        Self::parse(query)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.root, f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phrase(phrase) => fmt::Display::fmt(phrase, f),
            Self::Any(nodes) => separated(f, nodes, " OR "),
            Self::All { of, except } => {
                for (index, node) in of.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    match node {
                        // `OR` binds less than standing side by side.
                        Self::Any(_) => write!(f, "{space}({node})")?,
                        Self::Phrase(_) | Self::All { .. } => write!(f, "{space}{node}")?,
                    }
                }
                except.iter().try_for_each(|node| match node {
                    Self::Phrase(phrase) => write!(f, " -{phrase}"),
                    Self::Any(_) | Self::All { .. } => write!(f, " -({node})"),
                })
            }
        }
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tokens[..] {
            [word] => f.write_str(word)?,
            words => {
                f.write_str("\"")?;
                separated(f, words, " ")?;
                f.write_str("\"")?;
            }
        }
        f.write_str(if self.prefix { "*" } else { "" })
    }
}

fn separated(f: &mut fmt::Formatter<'_>, parts: &[impl fmt::Display], by: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        write!(f, "{}{part}", if index == 0 { "" } else { by })?;
    }
    Ok(())
}
