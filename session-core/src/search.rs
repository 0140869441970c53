//! What it means to search text: the words of a text, a query over them, where it matches, and what to show of it.
//!
//! Every store gives the same answer because it asks this module: one that scans calls [`Expression::matches`] on each
//! text; one with an index of its own keeps the [`tokens`] of a text joined by spaces, and puts the tree of
//! [`Expression::root`] in its own language. Nothing else decides what a word is.
//!
//! # What is typed
//!
//! | typed | found |
//! |---|---|
//! | `disk full` | both words, anywhere and in any order |
//! | `disk AND full` | the same |
//! | `disk OR memory` | either; `a b OR c` is `(a b) OR c` |
//! | `disk -full`, `disk NOT full` | the first without the second, which is one word, phrase or group |
//! | `(disk OR memory) full` | groups |
//! | `"disk full"` | the words side by side, in this order; inside quotes nothing is an operator |
//! | `foo_bar`, `src/main.rs`, `don't`, `日本語` | what is more than one word to [`tokens`] is a phrase |
//! | `cafe`, `Café` | the same: neither case nor marks on letters count |
//! | `conf*`, `"disk fu"*` | words that begin so; the last one of a phrase |
//!
//! Operators are upper-case, and one that lacks an operand is passed over, as is a quote, a `-` or other punctuation
//! that stands alone. A hyphen excludes only where it begins a word and neither `-` nor `>` follows, so that
//! `--verbose` and `->next` look for what they say. A quote that is not closed ends with the text.
//!
//! ```
//! use session_core::search::{Expression, Snippet};
//!
//! let wanted = Expression::parse("disk (full OR quota) -memory")?;
//! let text = "write failed:\n\tDisk is FULL";
//! assert!(wanted.matches(text));
//!
//! let snippet = Snippet::around(text, &wanted, 60);
//! assert_eq!(snippet.text, "write failed: Disk is FULL");
//! assert_eq!(snippet.marks, [(14, 18), (22, 26)]);
//! # Ok::<(), session_core::search::SearchError>(())
//! ```

mod mark;
mod token;

mod error;
mod expression;
mod parse;

mod automaton;
mod evaluate;

mod line;
mod snippet;

pub use error::SearchError;
pub use expression::{Expression, Node, Phrase};
pub(crate) use line::line;
pub(crate) use snippet::ELLIPSIS;
pub use snippet::Snippet;
pub use token::{Token, tokens};
