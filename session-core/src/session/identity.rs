//! Who a session is: the part that people and other tools call it by.

use serde::ser::SerializeMap;

use super::Labels;
use crate::json::{Unknown, canonical_object};
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

    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("labels", &self.labels)?;
        map.serialize_entry("origins", &self.origins)?;
        map.serialize_entry("parent", &self.parent)
    }
}

canonical_object! { Origin { required tool, required id } }
