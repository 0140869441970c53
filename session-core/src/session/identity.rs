//! Who a session is: the part that people and other tools call it by.

use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Labels;
use crate::json::{Fields, Unknown};
use crate::{SessionId, SessionName};

/// Id, name and everything else that tells one session from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Never changes.
    pub id: SessionId,
    /// What people call it; imported sessions may have none.
    pub name: Option<SessionName>,
    /// What it is about, in a person's or a model's words.
    pub title: Option<String>,
    /// Key and value pairs of the user's own.
    pub labels: Labels,
    /// Under which ids other tools know it.
    pub origins: Vec<Origin>,
    /// The session that started it.
    pub parent: Option<SessionId>,
}

/// An id that another tool gave to the same session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The tool, such as `claude` or `tkt`.
    pub tool: String,
    /// The tool's own id, as it writes it.
    pub id: String,
    /// Members from a newer version.
    pub unknown: Unknown,
}

impl Identity {
    pub(super) fn new(id: SessionId) -> Self {
        Self {
            id,
            name: None,
            title: None,
            labels: Labels::default(),
            origins: Vec::new(),
            parent: None,
        }
    }

    pub(super) fn read<E: Error>(fields: &mut Fields) -> Result<Self, E> {
        Ok(Self {
            id: fields.require("id")?,
            name: fields.take("name")?,
            title: fields.take("title")?,
            labels: fields.take_map("labels")?,
            origins: fields.take("origins")?.unwrap_or_default(),
            parent: fields.take("parent")?,
        })
    }

    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("labels", &self.labels)?;
        map.serialize_entry("origins", &self.origins)?;
        map.serialize_entry("parent", &self.parent)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tool", &self.tool)?;
        map.serialize_entry("id", &self.id)?;
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        Ok(Self {
            tool: fields.require("tool")?,
            id: fields.require("id")?,
            unknown: fields.rest(),
        })
    }
}
