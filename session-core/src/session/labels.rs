//! Labels: the user's own key and value pairs on a session.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::json::from_text;

/// Labels of a session, sorted by key.
pub type Labels = BTreeMap<LabelKey, String>;

/// The key of a label: letters, digits and `. _ / -`, up to 63 bytes, with a letter or digit at both ends.
///
/// A hyphen cannot be last because `KEY-` on the command line removes a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LabelKey(Box<str>);

/// A text that cannot be the key of a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be a label's key: use 1 to 63 letters, digits, '.', '_', '/' or '-', with a letter or digit at both ends"
)]
pub struct LabelError {
    text: String,
}

impl LabelKey {
    const MAX_BYTES: usize = 63;

    /// Reads a key.
    ///
    /// # Errors
    /// [`LabelError`] when `text` breaks the rule of the type.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/-".contains(byte);
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        if bytes.len() <= Self::MAX_BYTES
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(inner)
        {
            Ok(Self(text.into()))
        } else {
            Err(LabelError { text: text.chars().take(80).collect() })
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for LabelKey {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for LabelKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::LabelKey;

    #[test]
    fn keys_follow_their_rule() {
        for good in ["a", "team", "k8s.io/role", "a-b_c", "9"] {
            assert!(LabelKey::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "a-", "-a", "a=b", "a b", "é", "a\n", long.as_str()] {
            assert!(LabelKey::parse(bad).is_err(), "{bad:?}");
        }
    }
}
