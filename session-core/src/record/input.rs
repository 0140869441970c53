//! Reading a record: what its body is depends on the member `type`.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::body::ForeignKind;
use super::{Body, Entry, Record};
use crate::json::{Name, Unknown, read_member};

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let (mut seq, mut id, mut at) = (None, None, None);
        let mut kind: Option<Option<Box<str>>> = None;
        let mut body = None;
        let mut unknown = Unknown::default();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            match name.as_str() {
                "seq" => read_member(&mut seq, "seq", &mut map)?,
                "id" => read_member(&mut id, "id", &mut map)?,
                "at" => read_member(&mut at, "at", &mut map)?,
                "type" => read_member(&mut kind, "type", &mut map)?,
                name => match kind.as_ref().and_then(|kind| BodyOf::known(kind.as_deref()?)) {
                    Some(seed) if seed.kind == name && body.is_none() => {
                        body = Some(map.next_value_seed(seed).map_err(|source| {
                            A::Error::custom(format_args!("field {name:?}: {source}"))
                        })?);
                    }
                    _ => unknown.read(name, &mut map)?,
                },
            }
        }
        fn required<T, E: Error>(found: Option<Option<T>>, name: &'static str) -> Result<T, E> {
            found.flatten().ok_or_else(|| E::missing_field(name))
        }
        let kind: Box<str> = required(kind, "type")?;
        let body = match BodyOf::known(&kind) {
            None => Body::Foreign(ForeignKind(kind)),
            Some(seed) => match (body, unknown.take(seed.kind)) {
                (Some(_), Some(_)) => return Err(A::Error::duplicate_field(seed.kind)),
                (None, None) => return Err(A::Error::missing_field(seed.kind)),
                // Nobody writes it so, but it means the same: the body stood before the kind.
                (None, Some(_)) if unknown.has(seed.kind) => {
                    return Err(A::Error::duplicate_field(seed.kind));
                }
                (None, Some(raw)) => seed
                    .deserialize(&mut serde_json::Deserializer::from_str(raw.as_str()))
                    .map_err(|source| {
                        A::Error::custom(format_args!("field {:?}: {source}", seed.kind))
                    })?,
                (Some(body), None) => body,
            },
        };
        let (id, at) = (required(id, "id")?, required(at, "at")?);
        Ok(Entry { id, at, body, unknown }.at(required(seq, "seq")?))
    }
}

/// Reads a body of a known kind.
#[derive(Clone, Copy)]
struct BodyOf {
    kind: &'static str,
}

impl BodyOf {
    fn known(kind: &str) -> Option<Self> {
        Body::KINDS.into_iter().find(|known| *known == kind).map(|kind| Self { kind })
    }
}

impl<'de> DeserializeSeed<'de> for BodyOf {
    type Value = Body;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Body, D::Error> {
        Ok(match self.kind {
            "message" => Body::Message(Deserialize::deserialize(value)?),
            "checkpoint" => Body::Checkpoint(Deserialize::deserialize(value)?),
            "event" => Body::Event(Deserialize::deserialize(value)?),
            "usage" => Body::Usage(Deserialize::deserialize(value)?),
            "attachment" => Body::Attachment(Deserialize::deserialize(value)?),
            "note" => Body::Note(Deserialize::deserialize(value)?),
            "meta" => Body::Meta(Deserialize::deserialize(value)?),
            "lost" => Body::Lost(Deserialize::deserialize(value)?),
            kind => return Err(D::Error::unknown_variant(kind, &Body::KINDS)),
        })
    }
}
