//! Identity of a session: a ULID that never changes, whatever happens to its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::Timestamp;
use crate::json::from_text;

/// The immutable id of a session: a ULID, 26 characters of Crockford base32, sortable by creation time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Ulid);

/// A text that is not a session id.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?} is no session id: an id has 26 characters, as in 01JD0000000000000000000000")]
pub struct IdError {
    text: String,
}

impl SessionId {
    /// How many of an id's last characters listings show, and the fewest that a selector may give is six.
    pub const SHORT_LEN: usize = 8;

    /// The id of a session created at `at`, told apart from others by the low 80 bits of `random`.
    ///
    /// Those bits come from the operating system, as the `getrandom` crate gives them, or from a generator that was
    /// seeded so: two sessions of one millisecond with the same bits would be the same session. Tests count instead.
    #[must_use]
    pub fn from_parts(at: Timestamp, random: u128) -> Self {
        Self(Ulid::from_parts(at.as_millis().max(0).unsigned_abs(), random))
    }

    /// Reads an id in either case.
    ///
    /// # Errors
    /// [`IdError`] when `text` is not 26 characters of Crockford base32 that fit 128 bits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.chars().take(40).collect() };
        // The first character holds three bits only: anything above 7 would overflow silently.
        if text.len() != 26 || !matches!(text.as_bytes()[0], b'0'..=b'7') {
            return Err(error());
        }
        Ulid::from_string(&text.to_ascii_uppercase()).map(Self).map_err(|_| error())
    }

    /// The last eight characters, as listings show them.
    #[must_use]
    pub fn short(&self) -> String {
        let text = self.to_string();
        text[text.len() - Self::SHORT_LEN..].to_owned()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ulid::ULID_LEN];
        f.pad(self.0.array_to_str(&mut buffer))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_source_sort_by_time() {
        let early = SessionId::from_parts(Timestamp::from_millis(1), u128::MAX);
        let late = SessionId::from_parts(Timestamp::from_millis(2), 0);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn reads_either_case_and_writes_upper() {
        let id = SessionId::from_parts(Timestamp::from_millis(1_700_000_000_000), 7);
        let text = id.to_string();
        assert_eq!(text.len(), 26);
        assert_eq!(SessionId::parse(&text.to_lowercase()).unwrap(), id);
        assert_eq!(id.short(), text[18..]);
    }

    #[test]
    fn refuses_what_is_no_ulid() {
        for text in
            ["", "abc", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01JD00000000000000000000IL", "ééééééééééééé"]
        {
            assert!(SessionId::parse(text).is_err(), "{text}");
        }
    }
}
