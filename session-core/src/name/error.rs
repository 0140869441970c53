//! Why a text is not a name, told so that it is safe to print.

use std::fmt;

/// How many characters of a refused input are shown. An input may be of any length, a message not.
const SHOWN_CHARACTERS: usize = 40;

/// A text that is not a name, the rule it breaks, and a name to use instead.
///
/// A refused input may hold anything. `Display` shows the first 40 characters of it, with control
/// and other unprintable characters escaped; [`NameError::input`] gives it as it came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid name {}: {fault}", Shown(input))]
pub struct NameError {
    input: Box<str>,
    fault: NameFault,
    suggestion: Option<Box<str>>,
}

/// The rule that a refused name breaks: the first one, in the order in which they are checked.
///
/// `Display` is a lower-case fragment that states the rule. Offsets and lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameFault {
    /// There is no text at all.
    Empty,
    /// The text has more bytes than the rules allow.
    TooLong {
        /// The length of the text, in bytes.
        bytes: usize,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// Two hyphens stand side by side.
    DoubleHyphen {
        /// The offset of the first of the two, in bytes.
        at: usize,
    },
    /// A character is outside the set that the rules allow.
    Character {
        /// The offset of the first such character, in bytes.
        at: usize,
        /// That character.
        character: char,
        /// The set, in words.
        allowed: &'static str,
    },
    /// A character that is allowed inside a name stands at an end that must be a letter or digit.
    Edge {
        /// The offset of the character, in bytes: 0 for the beginning, anything else is the end.
        at: usize,
        /// That character.
        character: char,
    },
    /// The text has the form of a ULID, and such text always means an id.
    LooksLikeId,
}

impl NameError {
    /// The refused text, whole and unescaped: print the error itself instead.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The rule that was broken.
    pub fn fault(&self) -> NameFault {
        self.fault
    }

    /// The valid name that sanitising the input gives, or nothing when the input was empty. It may
    /// be taken.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    pub(super) fn new(input: &str, fault: NameFault, suggest: impl FnOnce() -> Box<str>) -> Self {
        let suggestion = (!input.is_empty()).then(suggest);
        Self { input: input.into(), fault, suggestion }
    }
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a name is not empty"),
            Self::TooLong { bytes, limit } => {
                write!(f, "a name is at most {limit} bytes long, and this is {bytes} bytes")
            }
            Self::DoubleHyphen { at } => {
                write!(f, "a name has no two hyphens in a row, as at byte {at}")
            }
            Self::Character { at, character, allowed } => {
                write!(f, "a name is made of {allowed}, not {character:?} as at byte {at}")
            }
            Self::Edge { at: 0, character } => {
                write!(f, "a name begins with a letter or digit, not {character:?}")
            }
            Self::Edge { character, .. } => {
                write!(f, "a name ends with a letter or digit, not {character:?}")
            }
            Self::LooksLikeId => write!(f, "a name does not have the form of an id"),
        }
    }
}

/// A refused input in quotes, escaped, and cut where a message would grow too long.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN_CHARACTERS) {
            Some((end, _)) => write!(f, "{:?}...", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SessionName;

    #[test]
    fn a_message_is_short_and_printable() {
        let told = |input: &str| SessionName::parse(input).expect_err(input).to_string();
        assert_eq!(told(""), r#"invalid name "": a name is not empty"#);
        assert_eq!(
            told("a\u{1b}[2J\u{202e}"),
            concat!(
                r#"invalid name "a\u{1b}[2J\u{202e}": "#,
                r"a name is made of A-Z, a-z, 0-9, '-' and '_', not '\u{1b}' as at byte 1"
            )
        );
        assert_eq!(
            told(&"é".repeat(5000)),
            format!(
                r#"invalid name "{}"...: a name is at most 100 bytes long, and this is 10000 bytes"#,
                "é".repeat(40)
            )
        );
        let error = SessionName::parse("a b").expect_err("a space");
        assert_eq!((error.input(), error.suggestion()), ("a b", Some("a-b")));
        assert_eq!(SessionName::parse("").expect_err("empty").suggestion(), None);
    }
}
