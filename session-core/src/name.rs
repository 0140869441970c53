//! What a session may be called: the rules, and a name that cannot break them.
//!
//! [`NameRules`] is a value: one set of rules that validates, sanitises and generates.
//! [`SessionName`] is a name that has passed them, so code that holds one never checks it again.
//! [`NameError`] says which rule an input broke, and offers a name that breaks none.

mod error;
mod generate;
mod rules;
mod words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::from_text;

pub use error::{NameError, NameFault};
pub use rules::NameRules;

/// The name of a session: valid under [`NameRules::LABEL`], and never in the form of a ULID.
///
/// The second half is what keeps a selector unambiguous: text that looks like an id means an id, so
/// no name may look like one. Names are compared byte by byte; `Build` and `build` are two names.
///
/// ```
/// use session_core::SessionName;
///
/// let name = SessionName::parse("build_main")?;
/// assert_eq!(name.as_str(), "build_main");
/// assert_eq!(SessionName::sanitised("my project").as_str(), "my-project");
/// # Ok::<(), session_core::NameError>(())
/// ```
// Invariant: the text passed `parse`'s two checks. Only `parse` and `sanitised` construct one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(Box<str>);

impl SessionName {
    /// Takes `input` as it is, or says which rule it breaks; nothing is trimmed or normalised.
    ///
    /// # Errors
    ///
    /// The faults of [`NameRules::validate`] under [`NameRules::LABEL`], in its order, and then
    /// [`NameFault::LooksLikeId`] for the text of a ULID: 26 Crockford base32 digits in either
    /// case, the first no greater than `7`. The error's suggestion is [`SessionName::sanitised`] of
    /// `input`.
    pub fn parse(input: &str) -> Result<Self, NameError> {
        let fault = match NameRules::LABEL.fault(input) {
            Some(fault) => fault,
            None if looks_like_ulid(input) => NameFault::LooksLikeId,
            None => return Ok(Self(input.into())),
        };
        Err(NameError::new(input, fault, || Self::sanitised(input).0))
    }

    /// Makes a name of any text: [`NameRules::sanitise`] under [`NameRules::LABEL`], and `name-`
    /// put before a result in the form of a ULID.
    ///
    /// Text that is a name already comes back unchanged, and different texts may give the same
    /// name. The prefix leaves 31 bytes, so a lower-case result is still within
    /// [`NameRules::SLUG`].
    pub fn sanitised(input: &str) -> Self {
        let text = NameRules::LABEL.sanitise(input);
        if looks_like_ulid(&text) {
            return Self(format!("name-{text}").into());
        }
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for SessionName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionName {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        Self::parse(input)
    }
}

impl Serialize for SessionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// Whether `text` has the form of a ULID: 26 Crockford base32 digits whose first fits the three
/// bits that are left for it (128 bits are 25 digits of five bits and one of three).
fn looks_like_ulid(text: &str) -> bool {
    text.len() == 26
        && matches!(text.as_bytes().first(), Some(b'0'..=b'7'))
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                && !matches!(byte.to_ascii_uppercase(), b'I' | b'L' | b'O' | b'U')
        })
}
