//! Messages: what people, models and tools said.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Block;
use crate::json::{Unknown, canonical_object, from_text};

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Block>,
    /// The same in short, for a listing.
    pub summary: Option<String>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A person, or whoever plays one.
    User,
    /// The model.
    Assistant,
    /// The rules of the conversation.
    System,
    /// A tool that the model called.
    Tool,
    /// A word of a tool that we do not know, kept as it is. Made by reading a word.
    Foreign(ForeignRole),
}

/// A role that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForeignRole(Box<str>);

impl Message {
    /// A message of these parts.
    #[must_use]
    pub fn new(role: Role, content: Vec<Block>) -> Self {
        Self { role, content, summary: None, unknown: Unknown::default() }
    }

    /// A message of one text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self::new(role, vec![Block::text(text)])
    }

    /// Its texts, without what was thought, shown or called.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.content.iter().filter_map(|block| match block {
            Block::Text(block) => Some(block.text.as_str()),
            _ => None,
        })
    }
}

impl Role {
    /// The word in JSON and listings.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Tool => "tool",
            Self::Foreign(word) => &word.0,
        }
    }
}

impl From<&str> for Role {
    fn from(word: &str) -> Self {
        [Self::User, Self::Assistant, Self::System, Self::Tool]
            .into_iter()
            .find(|role| role.as_str() == word)
            .unwrap_or_else(|| Self::Foreign(ForeignRole(word.into())))
    }
}

impl FromStr for Role {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self::from(word))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

canonical_object! { Message { required role, defaulted content, brief summary } }
