//! Who types: the same over all connections, so that what was typed is counted beyond the death of a supervisor.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number that whoever types has drawn for itself. As text, 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Typist(NonZeroU64);

/// A text that names no typist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a typist is 16 hexadecimal digits, not all of them 0")]
#[non_exhaustive]
pub struct TypistError;

impl Typist {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn draw() -> std::io::Result<Self> {
        loop {
            if let Some(drawn) = Self::from_word(crate::os::random_u128()? as u64) {
                return Ok(drawn);
            }
        }
    }

    /// The one with this number, which is not 0.
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        NonZeroU64::new(word).map(Self)
    }

    /// Its number.
    pub(crate) const fn word(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Typist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Typist {
    type Err = TypistError;

    fn from_str(text: &str) -> Result<Self, TypistError> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let word = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        word.and_then(Self::from_word).ok_or(TypistError)
    }
}

impl TryFrom<String> for Typist {
    type Error = TypistError;

    fn try_from(text: String) -> Result<Self, TypistError> {
        text.parse()
    }
}

impl From<Typist> for String {
    fn from(typist: Typist) -> Self {
        typist.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typist_is_sixteen_digits_and_not_nobody() {
        let typist = Typist::from_word(0x5f).unwrap();
        assert_eq!(serde_json::to_string(&typist).unwrap(), r#""000000000000005f""#);
        assert_eq!("000000000000005F".parse(), Ok(typist));
        for text in ["", "5f", "0000000000000000", "+00000000000005f", "000000000000005fff"] {
            assert_eq!(text.parse::<Typist>(), Err(TypistError), "{text}");
        }
        assert_ne!(Typist::draw().unwrap(), Typist::draw().unwrap());
    }
}
