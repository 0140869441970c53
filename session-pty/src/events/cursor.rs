//! Where a reader of events is: after this one of this supervisor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in the events of one supervisor. Its text means something to supervisors only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Drawn anew by each supervisor, so that its events are taken for nobody else's.
    pub(super) epoch: u64,
    /// The number of the event that was seen last; before the first, 0.
    pub(super) number: u64,
}

/// Why events cannot be told from a cursor on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It is none.
    #[error("{text:?} is no cursor of events")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// This supervisor has not come so far yet.
    #[error("the cursor {cursor} is of an event that has not happened yet")]
    Ahead {
        /// What was given.
        cursor: Cursor,
    },
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.epoch, self.number)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('.').and_then(|(epoch, number)| {
            let epoch = u64::from_str_radix(epoch, 16).ok()?;
            Some(Self { epoch, number: number.parse().ok()? })
        });
        // Only the very text that was given out: what was changed on the way is not to be guessed at.
        parsed
            .filter(|cursor| cursor.to_string() == text)
            .ok_or_else(|| CursorError::Malformed { text: text.to_owned() })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_never_given_out_is_refused() {
        for text in [
            "",
            ".",
            "7",
            "ff.7",
            "00000000000000ff",
            "00000000000000ff.",
            "00000000000000ff.07",
            "00000000000000ff.+7",
            "00000000000000FF.7",
            "+0000000000000ff.7",
            "00000000000000ff.7 ",
            "00000000000000ff.99999999999999999999",
        ] {
            let refused = Cursor::from_str(text).unwrap_err();
            assert_eq!(refused, CursorError::Malformed { text: text.to_owned() });
        }
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_from_its_text(epoch in any::<u64>(), number in any::<u64>()) {
            let cursor = Cursor { epoch, number };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_refused(text in ".*") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
