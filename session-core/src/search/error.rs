//! Why a text is not a query, told so that the next attempt works.

/// How many characters of a refused query are kept. A query may be of any length, a message not.
const SHOWN_CHARACTERS: usize = 40;

/// A text that cannot be searched for. `Display` is one line that names the fault and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// There is no letter and no digit to look for.
    #[error(
        "nothing to search for in {query:?}: give a word of letters or digits; AND, OR and NOT are words inside quotes"
    )]
    Nothing {
        /// The query, cut to 40 characters.
        query: String,
    },
    /// The query, or one side of an `OR`, has exclusions and nothing else: it would find almost everything.
    #[error("only exclusions in {query:?}: add a word to find, on each side of an OR")]
    OnlyExclusions {
        /// The query, cut to 40 characters.
        query: String,
    },
    /// A parenthesis without its counterpart.
    #[error(
        "the '{parenthesis}' at byte {at} has no counterpart: add it, or put the text in quotes"
    )]
    Unbalanced {
        /// `(` or `)`.
        parenthesis: char,
        /// Its offset in the query, in bytes.
        at: usize,
    },
    /// Groups inside groups, beyond a limit.
    #[error("parentheses are nested more than {limit} deep: take some away")]
    TooDeep {
        /// The greatest depth allowed.
        limit: usize,
    },
    /// More words than can be looked for at once. Each token counts, those of phrases and exclusions too.
    #[error("more than {limit} words to search for: leave some out")]
    TooManyWords {
        /// The greatest number of words allowed.
        limit: usize,
    },
}

impl SearchError {
    pub(super) fn nothing(query: &str) -> Self {
        Self::Nothing { query: shown(query) }
    }

    pub(super) fn only_exclusions(query: &str) -> Self {
        Self::OnlyExclusions { query: shown(query) }
    }
}

fn shown(query: &str) -> String {
    match query.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", &query[..end]),
        None => query.into(),
    }
}
