//! The text of a record: what a search looks at.

use std::borrow::Cow;

use super::{Block, Body, Entry};
use crate::json::strings;

impl Entry {
    /// Everything in it that people search for, one part a line: what was said, thought and remarked, the tools that
    /// were called with what and what they answered, the names of files. Pictures and numbers have no text, and
    /// neither have events, nor checkpoints, which repeat what was said.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match &self.body {
            Body::Message(message) => match &message.content[..] {
                [Block::Text(only)] if message.summary.is_none() => Cow::Borrowed(&only.text),
                blocks => {
                    let summary = message.summary.iter().map(|text| Cow::Borrowed(text.as_str()));
                    joined(blocks.iter().flat_map(of_block).chain(summary))
                }
            },
            Body::Note(note) => Cow::Borrowed(&note.text),
            Body::Attachment(file) => {
                let name = file.name.iter().map(|name| Cow::Borrowed(name.as_str()));
                joined(std::iter::once(Cow::Borrowed(file.path.as_str())).chain(name))
            }
            Body::Checkpoint(_)
            | Body::Event(_)
            | Body::Usage(_)
            | Body::Meta(_)
            | Body::Lost(_)
            | Body::Foreign(_) => Cow::Borrowed(""),
        }
    }
}

fn of_block(block: &Block) -> Vec<Cow<'_, str>> {
    match block {
        Block::Text(block) => vec![Cow::Borrowed(&block.text)],
        Block::Thinking(block) => vec![Cow::Borrowed(&block.text)],
        Block::ToolUse(call) => {
            let mut parts = vec![Cow::Borrowed(call.name.as_str())];
            parts.extend(call.input.iter().flat_map(|input| strings(input.as_str())));
            parts
        }
        Block::ToolResult(result) => vec![Cow::Borrowed(&result.output)],
        Block::Image(_) | Block::Foreign(_) => Vec::new(),
    }
}

fn joined<'a>(parts: impl Iterator<Item = Cow<'a, str>>) -> Cow<'a, str> {
    let mut text = String::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&part);
    }
    Cow::Owned(text)
}
