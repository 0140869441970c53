//! What tells one record from another: its number and its id.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::json::from_text;

/// The number of a record in the history of its session: 1 for the first, one more for each that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(NonZeroU64);

/// The id of a record inside its session: 1 to 256 bytes without control characters.
///
/// Records that come from another tool keep that tool's id, so that reading its files again adds nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RecordId(Box<str>);

/// A text that cannot be the id of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} cannot be a record's id: use 1 to 256 bytes without control characters")]
pub struct RecordIdError {
    text: String,
}

impl Seq {
    /// The first record's number.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The largest number, which no history reaches.
    pub const LAST: Self = Self(NonZeroU64::MAX);

    /// The number `number`; there is no record 0.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number of the record that follows so many.
    #[must_use]
    pub const fn after(records: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(records))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number before this one; the first has none.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RecordId {
    const MAX_BYTES: usize = 256;

    /// Reads an id.
    ///
    /// # Errors
    /// [`RecordIdError`] when `text` breaks the rule of the type.
    pub fn parse(text: &str) -> Result<Self, RecordIdError> {
        if (1..=Self::MAX_BYTES).contains(&text.len()) && !text.contains(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(RecordIdError { text: text.chars().take(80).collect() })
        }
    }

    /// The id of what stands in place of a record that could not be read.
    pub(super) fn of_lost(seq: Seq) -> Self {
        Self(format!("lost-{seq}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RecordId {
    type Err = RecordIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}
