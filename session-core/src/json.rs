//! Objects of canonical JSON read field by field, with what this version does not know kept as it was written.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The members of an object that this version does not know: each value as its raw text, in order.
///
/// They come from a newer version of the program and are written back unchanged, so that an older one never
/// loses what a newer one stored. Going through a JSON value instead would change numbers.
#[derive(Clone, Default)]
pub struct Unknown(Vec<(Box<str>, Box<RawValue>)>);

/// Members of an object that is being read; each known one is taken out by name.
pub(crate) struct Fields(Vec<(Box<str>, Box<RawValue>)>);

impl Unknown {
    /// Whether there is nothing unknown, as for every object that this version wrote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and raw JSON texts, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.get()))
    }

    /// Adds all members to an object that is being written, after the known ones.
    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(&**name, value))
    }
}

impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Unknown {}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Fields {
    /// Takes the member `name`; a missing one and a `null` are both `None`.
    pub(crate) fn take<T: DeserializeOwned, E: serde::de::Error>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, E> {
        let Some(index) = self.0.iter().position(|(known, _)| &**known == name) else {
            return Ok(None);
        };
        let (_, value) = self.0.remove(index);
        if self.0.iter().any(|(known, _)| &**known == name) {
            return Err(E::duplicate_field(name));
        }
        serde_json::from_str(value.get())
            .map_err(|source| E::custom(format_args!("field {name:?}: {source}")))
    }

    /// Takes the member `name`, which must be there.
    pub(crate) fn require<T: DeserializeOwned, E: serde::de::Error>(
        &mut self,
        name: &'static str,
    ) -> Result<T, E> {
        self.take(name)?.ok_or_else(|| E::missing_field(name))
    }

    /// Takes the member `name`, an object whose keys are data; a missing one is empty.
    pub(crate) fn take_map<K, V, E>(&mut self, name: &'static str) -> Result<BTreeMap<K, V>, E>
    where
        K: DeserializeOwned + Ord,
        V: DeserializeOwned,
        E: serde::de::Error,
    {
        Ok(self.take::<UniqueMap<K, V>, E>(name)?.map(|UniqueMap(map)| map).unwrap_or_default())
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Unknown {
        Unknown(self.0)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(0).min(64));
                while let Some((name, value)) = map.next_entry::<Box<str>, Box<RawValue>>()? {
                    fields.push((name, on_one_line(value)));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A map in which no key stands twice: of two values, nobody could say which was meant.
struct UniqueMap<K, V>(BTreeMap<K, V>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = UniqueMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    if entries.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a key stands twice"));
                    }
                }
                Ok(UniqueMap(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// Line breaks of valid JSON stand between tokens only; as spaces they keep a record on one line of a JSONL file.
fn on_one_line(value: Box<RawValue>) -> Box<RawValue> {
    if !value.get().contains(['\n', '\r']) {
        return value;
    }
    RawValue::from_string(value.get().replace(['\n', '\r'], " ")).unwrap_or(value)
}

/// Writes a map entry only when there is a value: absent parts of a record take no room.
pub(crate) fn entry_if<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}
