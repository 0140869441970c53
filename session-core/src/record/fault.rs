//! What makes an entry none that can be stored and read back.

use std::borrow::Cow;

use super::checkpoint::CheckpointInput;
use super::{
    Attachment, Block, Body, Checkpoint, Entry, Event, Image, Lost, Message, Meta, Note, Summary,
    Text, Thinking, Tokens, ToolResult, ToolUse, Usage,
};
use crate::json::{Members, Unknown, stray_reason};

impl Entry {
    /// Why it is nothing that can be stored and read back, in words; `None` when it is.
    ///
    /// Only members that were read as unknown in one place and put into another can be at fault.
    pub(crate) fn fault(&self) -> Option<Cow<'static, str>> {
        let kind = self.body.kind();
        let is_own = |name: &&str| {
            ["seq", "id", "at", "type"].contains(name)
                || *name == kind && !matches!(self.body, Body::Foreign(_))
        };
        let own = self.unknown.iter().map(|(name, _)| name).find(is_own).map(str::to_owned);
        let stray = own.or_else(|| self.body.stray().map(|place| format!("{kind}.{place}")));
        stray.map(|place| stray_reason(&place))
    }
}

impl Body {
    /// The place of a member that stands among the unknown ones of an object that knows it.
    fn stray(&self) -> Option<String> {
        match self {
            Self::Message(body) => body.stray(),
            Self::Checkpoint(body) => body.stray(),
            Self::Event(body) => named::<Event>(&body.unknown),
            Self::Usage(body) => named::<Usage>(&body.unknown)
                .or_else(|| inside("tokens", named::<Tokens>(&body.tokens.unknown))),
            Self::Attachment(body) => named::<Attachment>(&body.unknown),
            Self::Note(body) => named::<Note>(&body.unknown),
            Self::Meta(body) => named::<Meta>(&body.unknown),
            Self::Lost(body) => named::<Lost>(&body.unknown),
            Self::Foreign(_) => None,
        }
    }
}

impl Message {
    fn stray(&self) -> Option<String> {
        named::<Self>(&self.unknown)
            .or_else(|| inside("content", self.content.iter().find_map(Block::stray)))
    }
}

impl Checkpoint {
    fn stray(&self) -> Option<String> {
        let in_messages = || match &self.summary {
            Summary::Text(_) => None,
            Summary::Messages(messages) => messages.iter().find_map(Message::stray),
        };
        named::<CheckpointInput>(&self.unknown).or_else(|| inside("messages", in_messages()))
    }
}

impl Block {
    fn stray(&self) -> Option<String> {
        if self.unknown().has("type") {
            return Some("type".to_owned());
        }
        match self {
            Self::Text(block) => named::<Text>(&block.unknown),
            Self::Thinking(block) => named::<Thinking>(&block.unknown),
            Self::Image(block) => named::<Image>(&block.unknown),
            Self::ToolUse(block) => named::<ToolUse>(&block.unknown),
            Self::ToolResult(block) => named::<ToolResult>(&block.unknown).or_else(|| {
                let images = block.images.iter();
                inside("images", images.map(|image| &image.unknown).find_map(named::<Image>))
            }),
            Self::Foreign(_) => None,
        }
    }
}

fn named<T: Members>(unknown: &Unknown) -> Option<String> {
    unknown.stray::<T>().map(str::to_owned)
}

fn inside(place: &str, stray: Option<String>) -> Option<String> {
    stray.map(|name| format!("{place}.{name}"))
}
