//! `session logs`: what a session has written, as text or as it came.

use serde::Serialize;
use session_core::{ErrorKind, Exit, Session, SessionId};
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::TextLog;
use session_pty::{Feed, ViewerSpec};

use crate::args::LogsArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::json::ExitValue;
use crate::output::text::called;

/// All output that is kept, for programs.
#[derive(Serialize)]
struct LinesObject<'a> {
    session: SessionId,
    lines: Vec<&'a str>,
}

/// One line of a followed log, for programs.
#[derive(Serialize)]
struct LineObject<'a> {
    session: SessionId,
    line: &'a str,
}

/// Bytes of a followed log that are nowhere any more, for programs.
#[derive(Serialize)]
struct GapObject {
    session: SessionId,
    missed: u64,
}

/// The end of a followed log, for programs.
#[derive(Serialize)]
struct EndObject {
    session: SessionId,
    exit: ExitValue,
}

/// Output on its way to whoever reads it.
struct Writer<'a> {
    invocation: &'a Invocation,
    session: SessionId,
    raw: bool,
    log: TextLog,
    /// Whether any output came.
    heard: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &LogsArgs) -> Result<Code, CliError> {
    if args.raw && invocation.out.is_json() {
        return Err(
            CliError::usage("raw bytes have no JSON form").hint("leave --raw or --json out")
        );
    }
    let session = invocation.session(args.session.as_deref())?;
    let mut writer = Writer {
        invocation,
        session: session.id(),
        raw: args.raw,
        log: TextLog::new(),
        heard: false,
    };
    if args.follow && session.has_live_process() {
        let known = if args.lines.is_some() { kept(invocation, &session)?.len() } else { 0 };
        if let Some(stream) = stream(invocation, &session)? {
            return writer.follow(stream, known, args.lines);
        }
        let session = invocation.settled_after_stream(session.id())?;
        writer.all(&kept(invocation, &session)?, args.lines)?;
        return Ok(Code::Done);
    }
    let bytes = kept(invocation, &session)?;
    writer.all(&bytes, args.lines)?;
    Ok(Code::Done)
}

/// The output that is kept; none at all is an empty one.
pub(crate) fn kept(invocation: &Invocation, session: &Session) -> Result<Vec<u8>, CliError> {
    if session.has_live_process() {
        match invocation.client_for(session)?.log(session.id()) {
            // It has ended in this moment: what was kept is there now.
            Err(error) if error.kind() == ErrorKind::NotRunning => {}
            log => return Ok(log?),
        }
    }
    let kept = session_pty::read_log(&invocation.place.output_dir(), session.id())
        .map_err(|source| CliError::io("reading the kept output", &source))?;
    Ok(kept.unwrap_or_default())
}

/// All output, from the first byte that is kept; `None` when the program does not run any more.
fn stream(invocation: &Invocation, session: &Session) -> Result<Option<ViewerStream>, CliError> {
    let viewer = ViewerSpec { read_only: true, feed: Feed::Log, ..ViewerSpec::default() };
    match invocation.ask(session, |client| client.attach(session.id(), viewer.clone())) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if error.is(ErrorKind::NotRunning) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Writer<'_> {
    fn all(&mut self, bytes: &[u8], last: Option<usize>) -> Result<(), CliError> {
        if self.raw {
            return self.invocation.out.bytes(last.map_or(bytes, |last| last_lines(bytes, last)));
        }
        let mut text = String::new();
        self.log.feed(bytes, &mut text);
        self.log.finish(&mut text);
        let text = last.map_or(text.as_str(), |last| last_text_lines(&text, last));
        let out = &self.invocation.out;
        if out.is_json() {
            return out
                .object(&LinesObject { session: self.session, lines: text.lines().collect() });
        }
        out.bytes(text.as_bytes())
    }

    /// Prints until the program ends. What is there at the beginning may be cut to its last lines.
    fn follow(
        &mut self,
        mut stream: ViewerStream,
        known: usize,
        last: Option<usize>,
    ) -> Result<Code, CliError> {
        let mut first = match last {
            Some(last) => self.beginning(&mut stream, known, last)?,
            None => None,
        };
        loop {
            let event = match first.take() {
                Some(event) => Some(event),
                None => stream.next(None)?,
            };
            match event {
                Some(StreamEvent::Output(bytes)) => self.piece(&bytes)?,
                Some(StreamEvent::Gap { missed, .. }) => self.gap(missed)?,
                Some(StreamEvent::Exited(exit)) => return self.end(Some(exit), last),
                Some(StreamEvent::Closed | StreamEvent::Detached) | None => {
                    return self.end(None, last);
                }
                Some(_) => {}
            }
        }
    }

    /// Takes what was there already, `known` bytes at least, and prints its last lines.
    fn beginning(
        &mut self,
        stream: &mut ViewerStream,
        known: usize,
        last: usize,
    ) -> Result<Option<StreamEvent>, CliError> {
        let mut bytes = Vec::new();
        let mut other = None;
        while bytes.len() < known && other.is_none() {
            match stream.next(Some(PAUSE))? {
                Some(StreamEvent::Output(piece)) => bytes.extend_from_slice(&piece),
                Some(StreamEvent::Resized(_)) => {}
                // The oldest output was dropped between the two looks: then this is all.
                None => break,
                Some(event) => other = Some(event),
            }
        }
        self.piece(last_lines(&bytes, last))?;
        Ok(other)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.heard |= !bytes.is_empty();
        if self.raw {
            return self.invocation.out.bytes(bytes);
        }
        let mut text = String::new();
        self.log.feed(bytes, &mut text);
        self.lines(&text)
    }

    /// What comes next does not belong to the line before.
    fn gap(&mut self, missed: u64) -> Result<(), CliError> {
        self.finish_line()?;
        let out = &self.invocation.out;
        if out.is_json() {
            return out.object(&GapObject { session: self.session, missed });
        }
        out.note(&format!("[{missed} bytes of output were left out]"));
        Ok(())
    }

    fn finish_line(&mut self) -> Result<(), CliError> {
        let mut text = String::new();
        if !self.raw {
            self.log.finish(&mut text);
        }
        self.lines(&text)
    }

    fn end(&mut self, exit: Option<Exit>, last: Option<usize>) -> Result<Code, CliError> {
        let exit = match exit {
            Some(exit) if self.heard => Some(exit),
            // It ended in the moment of attaching, or nobody was there to tell.
            told => {
                let session = match told {
                    Some(_) => self.invocation.settled(self.session),
                    None => self.invocation.settled_after_stream(self.session),
                };
                let session = session.inspect_err(|_| _ = self.finish_line())?;
                if !self.heard {
                    let bytes = kept(self.invocation, &session)?;
                    self.piece(last.map_or(bytes.as_slice(), |last| last_lines(&bytes, last)))?;
                }
                let recorded = session.process.as_ref().and_then(|process| process.state.exit());
                if told.or(recorded).is_none() {
                    self.finish_line()?;
                    let called = called(&session);
                    let message = format!("{called} was lost with its supervisor");
                    return Err(CliError::new(ErrorKind::Gone, message)
                        .hint(format!("`session show {called}` tells what is known of it")));
                }
                told.or(recorded)
            }
        };
        self.finish_line()?;
        if self.invocation.out.is_json() {
            self.invocation
                .out
                .object(&EndObject { session: self.session, exit: ExitValue(exit) })?;
        }
        Ok(Code::Done)
    }

    fn lines(&self, text: &str) -> Result<(), CliError> {
        if !self.invocation.out.is_json() {
            return self.invocation.out.bytes(text.as_bytes());
        }
        let session = self.session;
        text.lines().try_for_each(|line| self.invocation.out.object(&LineObject { session, line }))
    }
}

/// What is kept comes at once; a pause means that it was less than expected.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// The last lines of raw output.
fn last_lines(bytes: &[u8], last: usize) -> &[u8] {
    let end = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    let breaks = bytes[..end].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let start = match last {
        0 => bytes.len(),
        _ => breaks.map(|(at, _)| at + 1).nth(last - 1).unwrap_or(0),
    };
    &bytes[start..]
}

fn last_text_lines(text: &str, last: usize) -> &str {
    let kept = last_lines(text.as_bytes(), last);
    &text[text.len() - kept.len()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_count_the_unfinished_one() {
        for (text, last, kept) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\n", 5, "a\n"),
            ("a\nb\n", 0, ""),
            ("", 3, ""),
            ("\n\n", 1, "\n"),
        ] {
            assert_eq!(last_text_lines(text, last), kept, "{text:?} {last}");
        }
    }
}
