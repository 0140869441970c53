//! Records as the history of a coding agent holds them: short questions, long answers, calls of tools and their
//! results.

use session_core::record::{
    Block, Body, Checkpoint, Message, RecordIdError, Summary, ToolResult, Usage,
};
use session_core::{Entry, MicroUsd, RawJson, RawJsonError, RecordId, Role, Seq};

use crate::Random;
use crate::sessions::created_at;

/// Bytes of records in a small history.
pub const SMALL: u64 = 1 << 20;

/// Bytes of records in a large history: a factor of 100, by which neither an append nor its end should cost more.
pub const LARGE: u64 = 100 << 20;

/// What makes an entry impossible that is put together here: a mistake in the words below.
#[derive(Debug)]
pub enum Mistake {
    /// In an id.
    Id(RecordIdError),
    /// In the input of a tool.
    Json(RawJsonError),
}

/// The entry with this number, of about 840 bytes on average.
///
/// # Errors
/// A mistake in the words that it is put together of, which would be the same for every number.
pub fn entry(number: u64) -> Result<Entry, Mistake> {
    let mut random = Random::new(number);
    let id = RecordId::parse(&format!("rec_{number:016}")).map_err(Mistake::Id)?;
    let at = created_at(usize::try_from(number).unwrap_or(usize::MAX) % 1_000_000);
    let body = match number % 8 {
        0 => Body::Message(Message::text(Role::User, prose(&mut random, 20))),
        7 => Body::Usage(Usage {
            cost_micros: Some(MicroUsd(1250)),
            model: Some("a-model".to_owned()),
            ..Usage::default()
        }),
        2 | 4 => {
            let input = r#"{"path":"src/main.rs","lines":[1,80]}"#;
            let input = RawJson::parse(input).map_err(Mistake::Json)?;
            let call = Block::tool_use(format!("call_{number}"), "read_file", input);
            message(Role::Assistant, vec![Block::text(prose(&mut random, 30)), call])
        }
        3 | 5 => {
            let result = ToolResult {
                id: format!("call_{}", number - 1),
                output: prose(&mut random, 400),
                ..ToolResult::default()
            };
            message(Role::Tool, vec![Block::ToolResult(result)])
        }
        _ => message(Role::Assistant, vec![Block::text(prose(&mut random, 150))]),
    };
    Ok(Entry::new(id, at, body))
}

/// A checkpoint that stands for everything up to `covers`.
///
/// # Errors
/// As [`entry`].
pub fn checkpoint(covers: Seq) -> Result<Entry, Mistake> {
    let id = RecordId::parse(&format!("checkpoint_{covers}")).map_err(Mistake::Id)?;
    let summary = Summary::Text(prose(&mut Random::new(covers.get()), 200));
    let checkpoint = Checkpoint { tokens: Some(310), ..Checkpoint::new(summary, Some(covers)) };
    Ok(Entry::checkpoint(id, created_at(1), checkpoint))
}

fn message(role: Role, content: Vec<Block>) -> Body {
    Body::Message(Message::new(role, content))
}

/// So many words, the frequent ones often, with the quotes and line breaks of code among them.
fn prose(random: &mut Random, words: usize) -> String {
    const WORDS: [&str; 24] = [
        "the",
        "of",
        "a",
        "to",
        "in",
        "is",
        "fn",
        "let",
        "error:",
        "\"quoted\"",
        "return",
        "self.store",
        "\n    ",
        "test",
        "=>",
        "naïve",
        "branch",
        "commit",
        "// why",
        "parser",
        "日本",
        "retry",
        "0x7f",
        "done.",
    ];
    let mut text = String::new();
    for _ in 0..words {
        // The product of two numbers prefers the small ones, as the words of a language do.
        let at = random.below(24) * random.below(24) / 24;
        text.push_str(WORDS[at]);
        text.push(' ');
    }
    text
}
