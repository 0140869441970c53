//! The parts of a message: text, thoughts, pictures, calls of tools and their results.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use crate::RawJson;
use crate::json::{Name, Unknown, canonical_members, canonical_object};

/// A part of a message. Its JSON is one object whose member `type` says which part it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Something said.
    Text(Text),
    /// Something thought.
    Thinking(Thinking),
    /// A picture.
    Image(Image),
    /// A tool is called.
    ToolUse(ToolUse),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// A part of a newer version, kept as it is. Made by reading one.
    Foreign(ForeignBlock),
}

/// Something said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// Something thought. Providers want it back as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    /// The thought, where it may be read.
    pub text: String,
    /// The provider's signature of it.
    pub signature: Option<String>,
    /// The provider's own form of it, where it may not be read.
    pub data: Option<String>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// A picture, in itself or by where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its media type, such as `image/png`.
    pub mime: Option<String>,
    /// The picture in base64.
    pub data: Option<String>,
    /// Where it is.
    pub path: Option<String>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// The call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolUse {
    /// What its result refers to.
    pub id: String,
    /// The tool.
    pub name: String,
    /// With what it is called.
    pub input: Option<RawJson>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolResult {
    /// The call that it answers.
    pub id: String,
    /// The tool, where the call does not say it.
    pub name: Option<String>,
    /// The answer.
    pub output: String,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Pictures of the answer.
    pub images: Vec<Image>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// A part of a kind that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignBlock {
    kind: Box<str>,
    /// All its members.
    pub unknown: Unknown,
}

impl Block {
    /// A part that says this.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), unknown: Unknown::default() })
    }

    /// The call of a tool.
    #[must_use]
    pub fn tool_use(id: impl Into<String>, name: impl Into<String>, input: RawJson) -> Self {
        Self::ToolUse(ToolUse {
            id: id.into(),
            name: name.into(),
            input: Some(input),
            unknown: Unknown::default(),
        })
    }

    /// What a tool answered to the call of this id; it did not fail.
    #[must_use]
    pub fn tool_result(id: impl Into<String>, output: impl Into<String>) -> Self {
        Self::ToolResult(ToolResult {
            id: id.into(),
            output: output.into(),
            ..ToolResult::default()
        })
    }

    /// The word in the member `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Thinking(_) => "thinking",
            Self::Image(_) => "image",
            Self::ToolUse(_) => "tool_use",
            Self::ToolResult(_) => "tool_result",
            Self::Foreign(foreign) => &foreign.kind,
        }
    }

    /// Reads the part of this kind whose other members are `members`.
    fn read<'de, D: Deserializer<'de>>(kind: Name<'_>, members: D) -> Result<Self, D::Error> {
        Ok(match kind.as_str() {
            "text" => Self::Text(Text::deserialize(members)?),
            "thinking" => Self::Thinking(Thinking::deserialize(members)?),
            "image" => Self::Image(Image::deserialize(members)?),
            "tool_use" => Self::ToolUse(ToolUse::deserialize(members)?),
            "tool_result" => Self::ToolResult(ToolResult::deserialize(members)?),
            kind => Self::Foreign(ForeignBlock {
                kind: kind.into(),
                unknown: Unknown::deserialize(members)?,
            }),
        })
    }

    /// Its members from a newer version.
    pub(super) const fn unknown(&self) -> &Unknown {
        match self {
            Self::Text(block) => &block.unknown,
            Self::Thinking(block) => &block.unknown,
            Self::Image(block) => &block.unknown,
            Self::ToolUse(block) => &block.unknown,
            Self::ToolResult(block) => &block.unknown,
            Self::Foreign(block) => &block.unknown,
        }
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind())?;
        match self {
            Self::Text(block) => block.write(&mut map)?,
            Self::Thinking(block) => block.write(&mut map)?,
            Self::Image(block) => block.write(&mut map)?,
            Self::ToolUse(block) => block.write(&mut map)?,
            Self::ToolResult(block) => block.write(&mut map)?,
            Self::Foreign(block) => block.unknown.write(&mut map)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Block;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part of a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Block, A::Error> {
                let Some(first) = map.next_key::<Name<'de>>()? else {
                    return Err(A::Error::missing_field("type"));
                };
                let block = if first.as_str() == "type" {
                    let kind = map.next_value()?;
                    Block::read(kind, MapAccessDeserializer::new(map))?
                } else {
                    // Nobody writes it so, but it means the same: the kind must be known before the rest is read.
                    let mut members = Unknown::default();
                    members.read(first.as_str(), &mut map)?;
                    while let Some(name) = map.next_key::<Name<'de>>()? {
                        members.read(name.as_str(), &mut map)?;
                    }
                    let kind =
                        members.take("type").ok_or_else(|| A::Error::missing_field("type"))?;
                    let kind = serde_json::from_str(kind.as_str()).map_err(A::Error::custom)?;
                    let members = serde_json::to_string(&members).map_err(A::Error::custom)?;
                    Block::read(kind, &mut serde_json::Deserializer::from_str(&members))
                        .map_err(A::Error::custom)?
                };
                if block.unknown().has("type") {
                    return Err(A::Error::duplicate_field("type"));
                }
                Ok(block)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

canonical_members! { Text { required text } }

canonical_members! { Thinking { defaulted text, brief signature, brief data } }

canonical_object! { Image { brief mime, brief data, brief path } }

canonical_members! { ToolUse { required id, required name, opaque input } }

canonical_members! {
    ToolResult { required id, brief name, defaulted output, sparse is_error, sparse images }
}
