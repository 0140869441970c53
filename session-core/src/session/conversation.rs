//! With whom and where a session converses.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{Fields, Unknown};

/// The model behind a conversation and the directory that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Who serves the model.
    pub vendor: Option<String>,
    /// Through which of the vendor's endpoints.
    pub endpoint: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// The absolute directory that it is about.
    pub workspace: Option<String>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("vendor", &self.vendor)?;
        map.serialize_entry("endpoint", &self.endpoint)?;
        map.serialize_entry("model", &self.model)?;
        map.serialize_entry("workspace", &self.workspace)?;
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Conversation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        Ok(Self {
            vendor: fields.take("vendor")?,
            endpoint: fields.take("endpoint")?,
            model: fields.take("model")?,
            workspace: fields.take("workspace")?,
            unknown: fields.rest(),
        })
    }
}
