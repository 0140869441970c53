//! How a struct becomes a JSON object and comes back: its members by name, the rest kept in its field `unknown`.
//!
//! | a field that is | when absent or null | when written |
//! |---|---|---|
//! | `required` | an error | always |
//! | `optional`, an `Option` | `None` | always, as null |
//! | `brief`, an `Option` | `None` | only when there is a value |
//! | `opaque`, an `Option<RawJson>` | `None` when absent; null is a value | only when there is a value |
//! | `defaulted` | the default | always |
//! | `sparse` | the default | only when it differs from the default |
//! | `map`, a `BTreeMap` | empty | always |
//!
//! A known member that stands twice is an error, and so is a wrong type; the error names the member.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The name of a member, lent by the input where it stands there without escapes.
pub(crate) enum Name<'de> {
    Lent(&'de str),
    Owned(Box<str>),
}

impl Name<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Lent(name) => name,
            Self::Owned(name) => name,
        }
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name::Lent(name))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name::Owned(name.into()))
            }
        }

        deserializer.deserialize_identifier(Text)
    }
}

/// A type whose JSON is an object.
pub(crate) trait Members {
    /// The names of the members that this version knows.
    const NAMES: &'static [&'static str];
}

/// Reads the value of the member `name` into `place`, which is empty unless the member stood before.
pub(crate) fn read_member<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    place: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if place.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    let value = map.next_value();
    *place =
        Some(value.map_err(|source| A::Error::custom(format_args!("field {name:?}: {source}")))?);
    Ok(())
}

/// Whether a value says no more than its absence would.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Both directions for a struct that is nothing but its members.
macro_rules! canonical_object {
    ($type:ident { $($how:ident $field:ident),* $(,)? }) => {
        $crate::json::canonical_members! { $type { $($how $field),* } }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                self.write(&mut map)?;
                map.end()
            }
        }
    };
}

/// Both directions for a struct whose members are written into an object that has others as well.
macro_rules! canonical_members {
    ($type:ident { $($how:ident $field:ident),* $(,)? }) => {
        $crate::json::canonical_input! { $type { $($how $field),* } }

        impl $type {
            fn write<M: ::serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $($crate::json::write_member! { $how map, stringify!($field), &self.$field })*
                self.unknown.write(map)
            }
        }
    };
}

/// Reading alone, for a struct that is written in another way than it is read.
macro_rules! canonical_input {
    ($type:ident { $($how:ident $field:ident),* $(,)? }) => {
        impl $crate::json::Members for $type {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct Members;

                impl<'de> ::serde::de::Visitor<'de> for Members {
                    type Value = $type;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("a JSON object")
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        $(let mut $field = None;)*
                        let mut unknown = $crate::json::Unknown::default();
                        while let Some(name) = map.next_key::<$crate::json::Name<'de>>()? {
                            match name.as_str() {
                                $(stringify!($field) => {
                                    $crate::json::read_member(
                                        &mut $field, stringify!($field), &mut map,
                                    )?;
                                })*
                                name => unknown.read(name, &mut map)?,
                            }
                        }
                        Ok($type {
                            $($field: $crate::json::found_member! {
                                $how $field, stringify!($field), A
                            },)*
                            unknown,
                        })
                    }
                }

                deserializer.deserialize_map(Members)
            }
        }
    };
}

/// What a member that may not have been there amounts to.
macro_rules! found_member {
    (required $found:expr, $name:expr, $access:ident) => {
        $found
            .flatten()
            .ok_or_else(|| <$access::Error as ::serde::de::Error>::missing_field($name))?
    };
    (optional $found:expr, $name:expr, $access:ident) => {
        $found.flatten()
    };
    (brief $found:expr, $name:expr, $access:ident) => {
        $found.flatten()
    };
    (opaque $found:expr, $name:expr, $access:ident) => {
        $found
    };
    (defaulted $found:expr, $name:expr, $access:ident) => {
        $found.flatten().unwrap_or_default()
    };
    (sparse $found:expr, $name:expr, $access:ident) => {
        $found.flatten().unwrap_or_default()
    };
    (map $found:expr, $name:expr, $access:ident) => {
        $found.flatten().map(|$crate::json::UniqueMap(entries)| entries).unwrap_or_default()
    };
}

/// Adds a member to an object that is being written, unless it takes no room.
macro_rules! write_member {
    (brief $map:ident, $name:expr, $value:expr) => {
        if let Some(value) = $value {
            $map.serialize_entry($name, value)?;
        }
    };
    (opaque $map:ident, $name:expr, $value:expr) => {
        $crate::json::write_member! { brief $map, $name, $value }
    };
    (sparse $map:ident, $name:expr, $value:expr) => {
        if !$crate::json::is_default($value) {
            $map.serialize_entry($name, $value)?;
        }
    };
    ($always:ident $map:ident, $name:expr, $value:expr) => {
        $map.serialize_entry($name, $value)?;
    };
}

pub(crate) use {canonical_input, canonical_members, canonical_object, found_member, write_member};
