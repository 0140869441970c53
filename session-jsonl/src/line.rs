//! One line of a file: what its bytes mean and how it is written. Never panics, whatever the bytes are.
//!
//! FORMAT.md describes the lines for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use session_core::{Entry, Record, RecordId, Seq, Session, SessionId, StoreError};

use crate::{FORMAT, SCHEMA_VERSION};

/// How many bytes a line may have without its line feed. Longer ones are neither written nor read, so that one
/// line cannot take all memory.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// What the first line of a session's file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: i64,
    /// Missing in a newer version, which may say it otherwise.
    pub(crate) id: Option<SessionId>,
}

/// A line after the first, of which only the outermost object was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    text: &'a str,
    /// Which line of its batch this is, from 1.
    pub(crate) at: u32,
    /// How many lines the batch has.
    pub(crate) of: u32,
    pub(crate) body: Body<'a>,
    /// Whether the line is known to be one JSON object. Where it only begins and ends like one of ours, its body
    /// has to be read before it counts.
    is_sure: bool,
}

/// What a line tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// The state of the session, as its JSON.
    Session(&'a str),
    /// A record of the history, as its JSON.
    Record(&'a str),
    /// Something that this version does not know.
    Unknown,
}

/// What a line that is being written tells.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Session,
    Record,
}

/// The first line of the file of session `id`, with its line feed.
pub(crate) fn header(id: SessionId) -> String {
    header_of(SCHEMA_VERSION, id)
}

/// The first line as a program of that version wrote it.
pub(crate) fn header_of(version: i64, id: SessionId) -> String {
    format!("{{\"format\":\"{FORMAT}\",\"version\":{version},\"id\":\"{id}\"}}\n")
}

/// The lines of a batch: these entries of `all`, with their numbers, and the session as it is then.
///
/// # Errors
/// `Unsupported` when a line would be longer than one may be.
pub(crate) fn batch(
    all: &[Entry],
    fresh: &[(usize, Seq)],
    session: &Session,
) -> Result<String, StoreError> {
    let of = u32::try_from(fresh.len() + 1)
        .map_err(|_| StoreError::Unsupported { what: "keep so many records at once" })?;
    let mut lines = String::new();
    for (at, (index, seq)) in (1..).zip(fresh) {
        push_record(&mut lines, (at, of), *seq, &all[*index])?;
    }
    push_session(&mut lines, (of, of), session)?;
    Ok(lines)
}

/// Adds the line of a record, line `at` of `of`.
///
/// # Errors
/// `Unsupported` when it would be longer than a line may be.
pub(crate) fn push_record(
    lines: &mut String,
    batch: (u32, u32),
    seq: Seq,
    entry: &Entry,
) -> Result<(), StoreError> {
    let json = Record::json_of(seq, entry)
        .map_err(|error| StoreError::backend("writing a record as JSON", error))?;
    push(lines, Kind::Record, batch, json.as_str(), "keep a record of more than 16 MiB")
}

/// Adds the line of the present state of a session.
///
/// # Errors
/// `Unsupported` when it would be longer than a line may be.
pub(crate) fn push_session(
    lines: &mut String,
    batch: (u32, u32),
    session: &Session,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(session)
        .map_err(|error| StoreError::backend("writing a session as JSON", error))?;
    push(lines, Kind::Session, batch, &json, "keep a session of more than 16 MiB")
}

/// A line that counts as it is when it stands alone: a batch of one, all other bytes as they were.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn alone(line: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        batch: &'a RawValue,
    }
    let members: Members<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let batch = members.batch.get();
    let begin = batch.as_ptr().addr() - line.as_ptr().addr();
    Ok([&line[..begin], "[1,1]", &line[begin + batch.len()..]].concat())
}

fn push(
    lines: &mut String,
    kind: Kind,
    (at, of): (u32, u32),
    json: &str,
    too_long: &'static str,
) -> Result<(), StoreError> {
    let begin = lines.len();
    let word = kind.word();
    // Writing to a string does not fail.
    _ = write!(lines, "{{\"type\":\"{word}\",\"batch\":[{at},{of}],\"{word}\":");
    lines.push_str(json);
    lines.push_str("}\n");
    if lines.len() - begin > MAX_LINE + 1 {
        return Err(StoreError::Unsupported { what: too_long });
    }
    if memchr::memchr(b'\n', json.as_bytes()).is_some() {
        // A line feed inside would make two damaged lines of one record.
        return Err(StoreError::Unsupported { what: "keep JSON that has line feeds" });
    }
    Ok(())
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Record => "record",
        }
    }
}

/// Reads the first line of a file.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse_header(line: &[u8]) -> Result<Header, String> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        format: Option<Cow<'a, str>>,
        #[serde(borrow)]
        version: Option<&'a RawValue>,
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    let members: Members<'_> = serde_json::from_str(text(line)?).map_err(|e| e.to_string())?;
    if members.format.as_deref() != Some(FORMAT) {
        return Err(format!("no header: its format is not {FORMAT:?}"));
    }
    let version = parse_version(members.version)?;
    if version > SCHEMA_VERSION {
        return Ok(Header { version, id: None });
    }
    let id = members.id.ok_or("the header has no id")?;
    let id = serde_json::from_str(id.get()).map_err(|e| format!("the header's id: {e}"))?;
    Ok(Header { version, id: Some(id) })
}

/// Reads the version of a header: a whole number from 1.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse_version(version: Option<&RawValue>) -> Result<i64, String> {
    let text = version.ok_or("it has no version")?.get();
    match text.parse() {
        Ok(version) if version >= 1 => Ok(version),
        _ => Err(format!("its version is {text:.40}, not a whole number from 1")),
    }
}

/// Reads the outermost object of a line after the first.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(line: &[u8]) -> Result<Line<'_>, String> {
    let text = text(line)?;
    match parse_ours(text) {
        Some(line) => Ok(line),
        None => parse_any(text),
    }
}

/// The number of the record in a line that begins as this program writes it, whatever else stands there.
pub(crate) fn glance(line: &[u8]) -> Option<Seq> {
    let rest = line.strip_prefix(b"{\"type\":\"record\",\"batch\":[")?;
    let rest = &rest[memchr::memchr(b']', rest.get(..24.min(rest.len()))?)?..];
    let rest = rest.strip_prefix(b"],\"record\":{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    rest.get(digits).filter(|byte| **byte == b',').and(Seq::new(number))
}

/// A line that begins and ends exactly as this program writes it. Its body is not read.
fn parse_ours(text: &str) -> Option<Line<'_>> {
    let rest = text.strip_prefix("{\"type\":\"")?;
    let (is_record, rest) = match rest.strip_prefix("record\",\"batch\":[") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("session\",\"batch\":[")?),
    };
    let (at, rest) = number(rest)?;
    let (of, rest) = number(rest.strip_prefix(',')?)?;
    let rest = rest.strip_prefix("],\"")?.strip_suffix('}')?;
    let body = if is_record {
        Body::Record(rest.strip_prefix("record\":")?)
    } else {
        Body::Session(rest.strip_prefix("session\":")?)
    };
    (1 <= at && at <= of).then_some(Line { text, at, of, body, is_sure: false })
}

/// A number as JSON has it, and what follows.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let number = digits.parse().ok().filter(|_| !digits.starts_with('0'))?;
    Some((number, rest))
}

/// A line as anybody may write it.
fn parse_any(text: &str) -> Result<Line<'_>, String> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        batch: (u32, u32),
        #[serde(borrow)]
        session: Option<&'a RawValue>,
        #[serde(borrow)]
        record: Option<&'a RawValue>,
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (at, of) = members.batch;
    if at == 0 || at > of {
        return Err(format!("it says that it is line {at} of {of}"));
    }
    let body = match &*members.kind {
        "session" => Body::Session(members.session.ok_or("it has no member \"session\"")?.get()),
        "record" => Body::Record(members.record.ok_or("it has no member \"record\"")?.get()),
        _ => Body::Unknown,
    };
    Ok(Line { text, at, of, body, is_sure: true })
}

impl<'a> Line<'a> {
    /// Reads the body of a line that has this one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read<T: DeserializeOwned>(&self, body: &'a str, what: &str) -> Result<T, String> {
        match serde_json::from_str(body) {
            Ok(read) => Ok(read),
            // What was cut out of a line that only looks like one of ours need not be one value.
            Err(_) if !self.is_sure => {
                let line = parse_any(self.text)?;
                match line.body {
                    Body::Session(body) | Body::Record(body) => line.read(body, what),
                    Body::Unknown => Err(format!("it has no {what}")),
                }
            }
            Err(error) => Err(format!("its {what}: {error}")),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn record(&self, body: &'a str) -> Result<Record, String> {
        self.read(body, "record")
    }

    /// Reads the id of a record and its number, and nothing else of it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn key(&self, body: &'a str) -> Result<(RecordId, Seq), String> {
        #[derive(Deserialize)]
        struct Key {
            id: RecordId,
            seq: Seq,
        }
        self.read::<Key>(body, "record").map(|key| (key.id, key.seq))
    }

    /// Reads the state of session `id`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn session(&self, body: &'a str, id: SessionId) -> Result<Session, String> {
        let session: Session = self.read(body, "session")?;
        if session.id() != id {
            return Err(format!("it is about session {}", session.id()));
        }
        Ok(session)
    }

    /// Makes sure that the line is one JSON object, without reading what is in it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn skim(&self) -> Result<(), String> {
        if self.is_sure {
            return Ok(());
        }
        serde_json::from_str::<IgnoredAny>(self.text).map(drop).map_err(|error| error.to_string())
    }
}

/// Whether these bytes can be the beginning of a line, or all of it. Wrong at worst about the middle of a number.
pub(crate) fn begins_line(bytes: &[u8]) -> bool {
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(IgnoredAny) => bytes.starts_with(b"{"),
        Err(error) => error.is_eof() && (bytes.is_empty() || bytes.starts_with(b"{")),
    }
}

/// A number that two lines hardly share (FNV-1a, 64 bits), which every version of the program computes alike.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn text(line: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(line)
        .map_err(|error| format!("invalid UTF-8 at byte {} of the line", error.valid_up_to()))
}

#[cfg(test)]
mod tests;
