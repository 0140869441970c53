//! Selectors: how a person names one session.

use std::fmt;
use std::str::FromStr;

use crate::{SessionId, SessionName};

/// What a person typed to mean one session: its id, its name, or the beginning or end of its id.
///
/// They are tried in this order: exact id; exact name (its holder, else the newest of that name that is not in
/// the trash); a unique prefix or suffix of the id, of six characters or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    text: Box<str>,
}

/// Some first or last characters of an id: 6 to 26 upper-case characters of Crockford base32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdFragment(Box<str>);

/// A text that can select nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} can be no session: give an id, a name, or six or more of an id's first or last characters"
)]
pub struct SelectorError {
    text: String,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] when `text` can be neither an id, nor a name, nor part of an id.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let selector = Self { text: text.into() };
        if selector.as_id().is_some()
            || selector.as_name().is_some()
            || selector.as_fragment().is_some()
        {
            Ok(selector)
        } else {
            Err(SelectorError { text: text.chars().take(120).collect() })
        }
    }

    /// The whole id that the text may be.
    #[must_use]
    pub fn as_id(&self) -> Option<SessionId> {
        SessionId::parse(&self.text).ok()
    }

    /// The name that the text may be.
    #[must_use]
    pub fn as_name(&self) -> Option<SessionName> {
        SessionName::parse(&self.text).ok()
    }

    /// The part of an id that the text may be.
    #[must_use]
    pub fn as_fragment(&self) -> Option<IdFragment> {
        IdFragment::parse(&self.text)
    }

    /// The text as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl IdFragment {
    const SHORTEST: usize = 6;

    fn parse(text: &str) -> Option<Self> {
        let crockford = |byte: u8| byte.is_ascii_alphanumeric() && !b"ILOUilou".contains(&byte);
        ((Self::SHORTEST..=26).contains(&text.len()) && text.bytes().all(crockford))
            .then(|| Self(text.to_ascii_uppercase().into()))
    }

    /// The characters, in upper case: letters and digits only, so safe inside a pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `id` begins or ends with it.
    #[must_use]
    pub fn matches(&self, id: SessionId) -> bool {
        let text = id.to_string();
        text.starts_with(&*self.0) || text.ends_with(&*self.0)
    }
}

impl From<SessionId> for Selector {
    fn from(id: SessionId) -> Self {
        Self { text: id.to_string().into() }
    }
}

impl From<&SessionName> for Selector {
    fn from(name: &SessionName) -> Self {
        Self { text: name.as_str().into() }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
