//! What a record is about: one kind of body each.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;

use super::{Checkpoint, Message, Usage};
use crate::json::{Unknown, canonical_object};
use crate::{RawJson, Timestamp};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Something was said.
    Message(Message),
    /// A model's context begins anew.
    Checkpoint(Checkpoint),
    /// Something happened.
    Event(Event),
    /// A model was called.
    Usage(Usage),
    /// A file was made or shown.
    Attachment(Attachment),
    /// Somebody remarked something about the session.
    Note(Note),
    /// The session's own record was changed.
    Meta(Meta),
    /// What stood here was damaged and put into quarantine.
    Lost(Lost),
    /// A kind of a newer version, with all its members in [`unknown`](super::Entry::unknown). Made by reading one.
    Foreign(ForeignKind),
}

/// A kind of record that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKind(pub(super) Box<str>);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing, in the words of whoever recorded it.
    pub kind: String,
    /// To which stream of events it belongs.
    pub stream: Option<String>,
    /// What is known of it.
    pub data: Option<RawJson>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// A file that was made or shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where it is, as it was named.
    pub path: String,
    /// What it is called.
    pub name: Option<String>,
    /// How many bytes it has.
    pub size: Option<u64>,
    /// Its media type, such as `image/png`.
    pub mime: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub modified_at: Option<Timestamp>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// In somebody's words.
    pub text: String,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// A change of the session's own record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The members that got another value, and that value.
    pub set: BTreeMap<String, RawJson>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// The place of a record that could not be read, so that those after it keep their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What was wrong with it.
    pub reason: String,
    /// Members from a newer version.
    pub unknown: Unknown,
}

impl Event {
    /// Something of this kind, of which nothing else is known.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), stream: None, data: None, unknown: Unknown::default() }
    }
}

impl Attachment {
    /// The file at this place, of which nothing else is known.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            name: None,
            size: None,
            mime: None,
            created_at: None,
            modified_at: None,
            unknown: Unknown::default(),
        }
    }
}

impl Note {
    /// A remark in these words.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), unknown: Unknown::default() }
    }
}

impl Body {
    /// The kinds that this version knows.
    pub const KINDS: [&str; 8] =
        ["message", "checkpoint", "event", "usage", "attachment", "note", "meta", "lost"];

    /// The word in the member `type`, which is also the name of the member that holds the body.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Message(_) => "message",
            Self::Checkpoint(_) => "checkpoint",
            Self::Event(_) => "event",
            Self::Usage(_) => "usage",
            Self::Attachment(_) => "attachment",
            Self::Note(_) => "note",
            Self::Meta(_) => "meta",
            Self::Lost(_) => "lost",
            Self::Foreign(kind) => &kind.0,
        }
    }

    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::Message(body) => map.serialize_entry("message", body),
            Self::Checkpoint(body) => map.serialize_entry("checkpoint", body),
            Self::Event(body) => map.serialize_entry("event", body),
            Self::Usage(body) => map.serialize_entry("usage", body),
            Self::Attachment(body) => map.serialize_entry("attachment", body),
            Self::Note(body) => map.serialize_entry("note", body),
            Self::Meta(body) => map.serialize_entry("meta", body),
            Self::Lost(body) => map.serialize_entry("lost", body),
            Self::Foreign(_) => Ok(()),
        }
    }
}

canonical_object! { Event { required kind, brief stream, opaque data } }

canonical_object! {
    Attachment {
        required path,
        brief name,
        brief size,
        brief mime,
        brief created_at,
        brief modified_at,
    }
}

canonical_object! { Note { required text } }

canonical_object! { Meta { map set } }

canonical_object! { Lost { required reason } }
