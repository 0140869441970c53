//! A session's history: records that are appended and never change.

mod block;
mod body;
mod checkpoint;
mod fault;
mod id;
mod input;
mod message;
mod text;
mod usage;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::json::Unknown;
use crate::{RawJson, Timestamp};

pub use block::{Block, ForeignBlock, Image, Text, Thinking, ToolResult, ToolUse};
pub use body::{Attachment, Body, Event, ForeignKind, Lost, Meta, Note};
pub use checkpoint::{Checkpoint, Summary};
pub use id::{RecordId, RecordIdError, Seq};
pub use message::{ForeignRole, Message, Role};
pub use usage::{MicroUsd, Tokens, Usage};

/// One line of a session's history: an entry and its place.
///
/// The serde form is the canonical JSON of a record, the same in every store and in the output of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the history of its session, given by the store.
    pub seq: Seq,
    /// What was appended.
    pub entry: Entry,
}

/// What is appended to a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Tells it from all others of its session: an entry whose id is there already is not appended again.
    pub id: RecordId,
    /// When it happened, which may be long before it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub body: Body,
    /// Members from a newer version; for a body of an unknown kind, all of them.
    pub unknown: Unknown,
}

impl Entry {
    /// An entry of this version.
    #[must_use]
    pub fn new(id: RecordId, at: Timestamp, body: Body) -> Self {
        Self { id, at, body, unknown: Unknown::default() }
    }

    /// An entry that is a message.
    #[must_use]
    pub fn message(id: RecordId, at: Timestamp, message: Message) -> Self {
        Self::new(id, at, Body::Message(message))
    }

    /// An entry that is a checkpoint.
    #[must_use]
    pub fn checkpoint(id: RecordId, at: Timestamp, checkpoint: Checkpoint) -> Self {
        Self::new(id, at, Body::Checkpoint(checkpoint))
    }

    /// An entry that is a remark.
    #[must_use]
    pub fn note(id: RecordId, at: Timestamp, text: impl Into<String>) -> Self {
        Self::new(id, at, Body::Note(Note::new(text)))
    }

    /// The record of this entry at a place in a history.
    #[must_use]
    pub const fn at(self, seq: Seq) -> Record {
        Record { seq, entry: self }
    }

    /// What stands in place of a record that could not be read, found at `at`.
    #[must_use]
    pub fn lost(seq: Seq, at: Timestamp, reason: impl Into<String>) -> Self {
        let lost = Lost { reason: reason.into(), unknown: Unknown::default() };
        Self::new(RecordId::of_lost(seq), at, Body::Lost(lost))
    }

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("type", self.body.kind())?;
        self.body.write(map)?;
        self.unknown.write(map)
    }
}

impl Record {
    /// The canonical JSON of the record of `entry` at `seq`, without a copy of the entry.
    ///
    /// # Errors
    /// Those of [`RawJson::of`], which no entry meets that was read or made by the functions of this crate.
    pub fn json_of(seq: Seq, entry: &Entry) -> Result<RawJson, crate::RawJsonError> {
        RawJson::of(&Placed { seq, entry })
    }
}

/// A record that borrows its entry.
struct Placed<'a> {
    seq: Seq,
    entry: &'a Entry,
}

impl Serialize for Placed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        self.entry.write(&mut map)?;
        map.end()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Placed { seq: self.seq, entry: &self.entry }.serialize(serializer)
    }
}
