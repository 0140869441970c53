//! `session message add`: appends what somebody said.

use std::io::{self, Read as _};

use serde::Serialize;
use session_core::record::{Block, Message};
use session_core::{Entry, ErrorKind, RecordId, Seq, SessionId};

use crate::args::{MessageArgs, MessageCommand};
use crate::error::{CliError, Kind};
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::system;

/// What was appended.
#[derive(Serialize)]
struct Added {
    session: SessionId,
    seqs: Vec<Seq>,
}

/// The most bytes that one message may have on standard input.
const MOST: usize = 8 << 20;

pub(crate) fn run(invocation: &Invocation, args: MessageArgs) -> Result<Code, CliError> {
    let MessageCommand::Add(args) = args.command;
    let is_one_word = args.first.is_some() && args.second.is_none();
    let (session, content) = what(args.first, args.second, args.stdin, args.json_blocks)?;
    let mut message = Message::new(args.role.into(), content.blocks()?);
    message.summary = args.summary.filter(|summary| !summary.is_empty());
    let writing = invocation.changing()?;
    let found = invocation.session_in(&*writing.store, session.as_deref());
    let session = found.map_err(|error| alone(error, is_one_word))?.id();
    let now = system::now();
    let entry = Entry::message(new_id(now)?, now, message);
    let appended = writing.store.append(session, &[entry], now)?;
    // Only now it is on the disk, whatever the store was told about durability.
    writing.close()?;
    let out = &invocation.out;
    if out.is_json() {
        out.object(&Added { session, seqs: appended.seqs })?;
    } else {
        let seqs: Vec<_> = appended.seqs.iter().map(ToString::to_string).collect();
        out.text(&seqs.join("\n"))?;
    }
    Ok(Code::Done)
}

/// Whoever gave one word may have meant the session by it.
fn alone(error: CliError, is_one_word: bool) -> CliError {
    if is_one_word && error.kind() == Kind::NoSession {
        return error.hint("one word is the text: name the session before it, or with -S");
    }
    error
}

fn new_id(at: session_core::Timestamp) -> Result<RecordId, CliError> {
    RecordId::parse(&system::new_id(at)?.to_string())
        .map_err(|error| CliError::new(ErrorKind::Internal, error.to_string()))
}

/// Where the words come from.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    Stdin,
    JsonBlocks,
}

/// The session, if one is named, and the content: a single word is the text, unless that comes from elsewhere.
fn what(
    first: Option<String>,
    second: Option<String>,
    stdin: bool,
    json_blocks: bool,
) -> Result<(Option<String>, Content), CliError> {
    match (first, second, stdin, json_blocks) {
        (session, None, true, _) => Ok((session, Content::Stdin)),
        (session, None, _, true) => Ok((session, Content::JsonBlocks)),
        (session, Some(text), false, false) => Ok((session, Content::Text(text))),
        (Some(text), None, false, false) => Ok((None, Content::Text(text))),
        (None, None, false, false) => Err(CliError::usage("there is nothing to add")
            .hint("give the text, or --stdin, or --json-blocks")),
        (_, Some(_), _, _) => Err(CliError::usage("the text is given twice")
            .hint("with --stdin and --json-blocks, only a session can be named")),
    }
}

impl Content {
    fn blocks(self) -> Result<Vec<Block>, CliError> {
        let text = match self {
            Self::Text(text) => text,
            Self::Stdin => read()?,
            Self::JsonBlocks => return blocks(&read()?),
        };
        if text.is_empty() {
            return Err(CliError::usage("the text is empty").hint("say something"));
        }
        Ok(vec![Block::text(text)])
    }
}

/// The blocks of a JSON list.
fn blocks(json: &str) -> Result<Vec<Block>, CliError> {
    const HINT: &str = r#"such as [{"type":"text","text":"Hello"}]"#;
    let blocks: Vec<Block> = serde_json::from_str(json).map_err(|error| {
        CliError::usage(format!("standard input is no list of content blocks: {error}")).hint(HINT)
    })?;
    if blocks.is_empty() {
        return Err(CliError::usage("the list of content blocks is empty").hint(HINT));
    }
    Ok(blocks)
}

/// All of standard input.
fn read() -> Result<String, CliError> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MOST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| CliError::io("reading standard input", &source))?;
    if bytes.len() > MOST {
        let message = format!("standard input has more than {MOST} bytes");
        return Err(CliError::usage(message).hint("split it into several messages"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("standard input is not valid UTF-8 at byte {at}"))
            .hint("encode it first, for instance in base64")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_the_text_unless_it_comes_from_elsewhere() {
        let word = |text: &str| Some(text.to_owned());
        let text = |text: &str| Content::Text(text.to_owned());
        let cases = [
            (what(word("a"), None, false, false), (None, text("a"))),
            (what(word("s"), word("a"), false, false), (word("s"), text("a"))),
            (what(word("s"), None, true, false), (word("s"), Content::Stdin)),
            (what(None, None, true, false), (None, Content::Stdin)),
            (what(word("s"), None, false, true), (word("s"), Content::JsonBlocks)),
        ];
        for (found, expected) in cases {
            assert_eq!(found.unwrap(), expected);
        }
        assert!(what(None, None, false, false).is_err());
        assert!(what(word("s"), word("a"), true, false).is_err());
    }

    #[test]
    fn blocks_are_canonical_json() {
        let read = blocks(r#"[{"type":"text","text":"a"},{"type":"hologram","beams":3.0}]"#);
        assert_eq!(read.unwrap().len(), 2);
        for json in ["", "[]", "{}", "[1]", r#"[{"text":"a"}]"#, r#"[{"type":"text"}]"#] {
            let error = blocks(json).unwrap_err();
            assert!(error.is(session_core::ErrorKind::Usage) && error.advice().is_some(), "{json}");
        }
    }
}
