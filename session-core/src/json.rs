//! Canonical JSON: objects read in one pass, with what this version does not know kept as it was written.

mod map;
mod object;
mod raw;
mod strings;
mod text;

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use raw::{RawJson, RawJsonError};

pub(crate) use map::UniqueMap;
pub(crate) use object::{
    Members, Name, canonical_input, canonical_members, canonical_object, found_member, is_default,
    read_member, write_member,
};
pub(crate) use strings::strings;
pub(crate) use text::from_text;

/// The members of an object that this version does not know: each value as its raw text, in order.
///
/// They come from a newer version of the program and are written back unchanged, so that an older one never
/// loses what a newer one stored. Going through a JSON value instead would change numbers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Unknown(Vec<(Box<str>, RawJson)>);

impl Unknown {
    /// Whether there is nothing unknown, as for every object that this version wrote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and raw JSON texts, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// Reads the value of the member `name` and keeps both.
    pub(crate) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.0.push((name.into(), map.next_value()?));
        Ok(())
    }

    /// Whether a member has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.iter().any(|(known, _)| known == name)
    }

    /// Takes the first member `name` out.
    pub(crate) fn take(&mut self, name: &str) -> Option<RawJson> {
        let index = self.0.iter().position(|(known, _)| &**known == name)?;
        Some(self.0.remove(index).1)
    }

    /// The first member whose name an object of the type `T` knows. In such an object it would stand twice, or be read
    /// as something else.
    pub(crate) fn stray<T: Members>(&self) -> Option<&str> {
        self.iter().map(|(name, _)| name).find(|name| T::NAMES.contains(name))
    }

    /// Adds all members to an object that is being written, after the known ones.
    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(&**name, value))
    }
}

/// Why what has a member at `place` among its unknown ones cannot be stored, though its object knows that name.
pub(crate) fn stray_reason(place: &str) -> Cow<'static, str> {
    Cow::Owned(format!("its member {place} stands among the unknown ones"))
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Unknown;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unknown, A::Error> {
                let mut unknown = Unknown::default();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    unknown.read(name.as_str(), &mut map)?;
                }
                Ok(unknown)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
