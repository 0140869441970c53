//! Who works in a session: a role in a project, a place in a chat.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::json::{Unknown, canonical_object, from_text};
use crate::{NameError, NameRules, Timestamp};

/// The right to work as somebody: a role, a binding, or both.
///
/// How long it lasts is the deadline of the session's lifecycle. While a lease with a role stands, the session holds
/// its name, whatever became of its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The role, such as `implementer`.
    pub role: Option<RoleName>,
    /// The conversation elsewhere that it answers to.
    pub binding: Option<Binding>,
    /// When it was given back, while the session itself goes on.
    pub ended_at: Option<Timestamp>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// The chat, agent and project that find a session again. They are compared byte by byte; what is absent is the
/// empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// The chat, as its service names it.
    pub chat: String,
    /// The agent that answers there.
    pub agent: String,
    /// The project that it is about.
    pub project: String,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// The name of a role: it obeys [`NameRules::SLUG`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RoleName(Box<str>);

impl Lease {
    /// Whether it still gives its role.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.role.is_some() && self.ended_at.is_none()
    }
}

impl RoleName {
    /// Reads the name of a role.
    ///
    /// # Errors
    /// [`NameError`] when `text` breaks the rules, with the first one that it breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        NameRules::SLUG.validate(text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

canonical_object! { Lease { optional role, optional binding, brief ended_at } }

canonical_object! { Binding { defaulted chat, defaulted agent, defaulted project } }
