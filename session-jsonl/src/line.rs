//! One line of a file: what its bytes mean and how it is written. Never panics, whatever the bytes are.
//!
//! FORMAT.md describes the lines for people.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::value::RawValue;
use session_core::{Session, SessionId, StoreError};

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

/// A line after the first.
#[derive(Debug)]
pub(crate) struct Record {
    /// Which line of its batch this is, from 1.
    pub(crate) at: u32,
    /// How many lines the batch has.
    pub(crate) of: u32,
    pub(crate) body: Body,
}

/// What a line tells.
#[derive(Debug)]
pub(crate) enum Body {
    Session(Box<Session>),
    /// Something that this version does not know.
    Unknown,
}

/// A line's bytes as they stand in a file.
#[derive(Debug)]
pub(crate) enum Raw<'a> {
    /// Without the line feed.
    Line(&'a [u8]),
    /// Longer than [`MAX_LINE`]; its bytes were not kept.
    TooLong,
    /// The last bytes of a file that does not end with a line feed.
    Torn(&'a [u8]),
}

/// The lines of a file with the offsets at which they begin.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    offset: u64,
    buffer: Vec<u8>,
}

/// The first line of the file of session `id`, with its line feed.
pub(crate) fn header(id: SessionId) -> String {
    format!("{{\"format\":\"{FORMAT}\",\"version\":{SCHEMA_VERSION},\"id\":\"{id}\"}}\n")
}

/// The line that records the present state of a session as a batch of its own, with its line feed.
///
/// # Errors
/// `Unsupported` when it would be longer than a line may be.
pub(crate) fn session(session: &Session) -> Result<String, StoreError> {
    let json = serde_json::to_string(session)
        .map_err(|error| StoreError::backend("writing a session as JSON", error))?;
    let line = format!("{{\"type\":\"session\",\"batch\":[1,1],\"session\":{json}}}\n");
    if line.len() > MAX_LINE + 1 {
        return Err(StoreError::Unsupported { what: "keep a session of more than 16 MiB" });
    }
    if line.find('\n') != Some(line.len() - 1) {
        // A line feed inside would make two damaged lines of one record.
        return Err(StoreError::Unsupported { what: "keep a session whose JSON has line feeds" });
    }
    Ok(line)
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

/// Reads the version of a header or of `format.json`: a whole number from 1.
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

/// Reads a line after the first of the file of session `id`.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse_record(line: &[u8], id: SessionId) -> Result<Record, String> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        batch: (u32, u32),
        #[serde(borrow)]
        session: Option<&'a RawValue>,
    }
    let members: Members<'_> = serde_json::from_str(text(line)?).map_err(|e| e.to_string())?;
    let (at, of) = members.batch;
    if at == 0 || at > of {
        return Err(format!("it says that it is line {at} of {of}"));
    }
    if members.kind != "session" {
        return Ok(Record { at, of, body: Body::Unknown });
    }
    let json = members.session.ok_or("it has no member \"session\"")?.get();
    let session: Session = serde_json::from_str(json).map_err(|e| format!("its session: {e}"))?;
    if session.id() != id {
        return Err(format!("it is about session {}", session.id()));
    }
    Ok(Record { at, of, body: Body::Session(Box::new(session)) })
}

impl<R: BufRead> Lines<R> {
    /// The lines of what `reader` gives, which stands at `offset` of its file, at the beginning of a line.
    pub(crate) const fn new(reader: R, offset: u64) -> Self {
        Self { reader, offset, buffer: Vec::new() }
    }

    /// Where the next line begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line and the offset at which it ends, its line feed included; `None` at the end.
    ///
    /// # Errors
    /// What the reader reports.
    pub(crate) fn read(&mut self) -> io::Result<Option<(Raw<'_>, u64)>> {
        let limit = MAX_LINE as u64 + 1;
        self.buffer.clear();
        let mut read = self.take(limit)?;
        if read == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            return Ok(Some((Raw::Line(&self.buffer), self.offset)));
        }
        if read < limit {
            return Ok(Some((Raw::Torn(&self.buffer), self.offset)));
        }
        while read > 0 {
            self.buffer.clear();
            read = self.take(1 << 16)?;
            if self.buffer.last() == Some(&b'\n') {
                return Ok(Some((Raw::TooLong, self.offset)));
            }
        }
        Ok(Some((Raw::Torn(&[]), self.offset)))
    }

    fn take(&mut self, limit: u64) -> io::Result<u64> {
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? as u64;
        self.offset += read;
        Ok(read)
    }
}

fn text(line: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(line)
        .map_err(|error| format!("invalid UTF-8 at byte {} of the line", error.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use session_core::Timestamp;

    use super::*;

    fn sample() -> Session {
        let now = Timestamp::from_millis(1_700_000_000_000);
        Session::new(SessionId::from_parts(now, 7), now)
    }

    #[test]
    fn what_is_written_is_read() {
        let sample = sample();
        let header = header(sample.id());
        let expected = Header { version: SCHEMA_VERSION, id: Some(sample.id()) };
        assert_eq!(parse_header(header.trim_end().as_bytes()), Ok(expected));

        let line = session(&sample).unwrap();
        let record = parse_record(line.trim_end().as_bytes(), sample.id()).unwrap();
        assert!(matches!(record.body, Body::Session(read) if *read == sample));
    }

    #[test]
    fn every_cut_of_a_line_is_refused_in_words() {
        let line = session(&sample()).unwrap();
        for end in 0..line.len() - 1 {
            assert!(parse_record(&line.as_bytes()[..end], sample().id()).is_err(), "{end}");
            assert!(parse_header(&line.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn lines_that_are_too_long_are_skipped() {
        let mut bytes = vec![b'x'; MAX_LINE + 1];
        bytes.extend_from_slice(b"\nnext\nlast");
        let mut lines = Lines::new(&bytes[..], 0);
        assert!(matches!(lines.read(), Ok(Some((Raw::TooLong, _)))));
        assert_eq!(lines.offset(), MAX_LINE as u64 + 2);
        assert!(matches!(lines.read(), Ok(Some((Raw::Line(b"next"), _)))));
        assert!(matches!(lines.read(), Ok(Some((Raw::Torn(b"last"), _)))));
        assert!(matches!(lines.read(), Ok(None)));
    }

    #[test]
    fn a_line_may_have_as_many_bytes_as_it_may() {
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.push(b'\n');
        assert!(matches!(Lines::new(&bytes[..], 0).read(), Ok(Some((Raw::Line(_), _)))));
        let mut sample = sample();
        sample.identity.title = Some("x".repeat(MAX_LINE));
        assert!(matches!(session(&sample), Err(StoreError::Unsupported { .. })));
    }
}
