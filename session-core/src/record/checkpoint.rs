//! Checkpoints: what a model is handed instead of what came before.

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Message, Role, Seq};
use crate::json::{Unknown, canonical_input, write_member};

/// A stand-in for the beginning of a history in a model's context. The history itself stays whole.
///
/// The context is the stand-in and every message after [`covers`](Self::covers), wherever the checkpoint stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// What stands for the beginning.
    pub summary: Summary,
    /// The last record that it stands for; `None` when it stands for nothing.
    pub covers: Option<Seq>,
    /// How many tokens the stand-in has, if somebody counted.
    pub tokens: Option<u64>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// What stands for the beginning of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    /// One text, handed to the model as a system message.
    Text(String),
    /// Messages as they are; none at all begins anew.
    Messages(Vec<Message>),
}

impl Checkpoint {
    /// A stand-in for everything up to `covers`, whose tokens nobody counted.
    #[must_use]
    pub fn new(summary: Summary, covers: Option<Seq>) -> Self {
        Self { summary, covers, tokens: None, unknown: Unknown::default() }
    }

    /// What a model gets in place of what is covered.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        match &self.summary {
            Summary::Text(text) => vec![Message::text(Role::System, text)],
            Summary::Messages(messages) => messages.clone(),
        }
    }
}

impl Serialize for Checkpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.summary {
            Summary::Text(text) => map.serialize_entry("summary", text)?,
            Summary::Messages(messages) => map.serialize_entry("messages", messages)?,
        }
        map.serialize_entry("covers", &self.covers)?;
        write_member! { brief map, "tokens", &self.tokens }
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Checkpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let input = CheckpointInput::deserialize(deserializer)?;
        let summary = match (input.summary, input.messages) {
            (Some(text), None) => Summary::Text(text),
            (None, Some(messages)) => Summary::Messages(messages),
            _ => return Err(D::Error::custom("a checkpoint has either a summary or messages")),
        };
        Ok(Self { summary, covers: input.covers, tokens: input.tokens, unknown: input.unknown })
    }
}

/// The members of a checkpoint as they are read.
pub(super) struct CheckpointInput {
    summary: Option<String>,
    messages: Option<Vec<Message>>,
    covers: Option<Seq>,
    tokens: Option<u64>,
    unknown: Unknown,
}

canonical_input! {
    CheckpointInput { optional summary, optional messages, optional covers, optional tokens }
}
