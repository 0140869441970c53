//! Waiting for something to happen in a session: what the supervisor tells, held against conditions.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use regex::Regex;
use session_core::{Exit, TerminalSize};
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::{Screen, TextLog};

use crate::error::CliError;

/// A text that is waited for, held against the screen as it is painted and against the output as lines.
///
/// Both, because a full-screen program's redraws make no lines, and what scrolls by fast is on no screen.
#[derive(Debug)]
pub(crate) struct TextWatch {
    pattern: Regex,
    screen: Screen,
    log: TextLog,
}

/// Which of two streams of one session an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feeding {
    /// All output from its beginning.
    Lines,
    /// The screen as it was, and all output since.
    Painted,
}

/// Events of several streams in the order in which they come.
#[derive(Debug)]
pub(crate) struct Events {
    inbox: Receiver<(Feeding, Result<StreamEvent, CliError>)>,
    open: usize,
    exit: Option<Exit>,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Event(Feeding, StreamEvent),
    /// All streams have ended, and this is how the program did, if that is known.
    Ended(Option<Exit>),
    /// Nothing came in time.
    Quiet,
}

/// Lines above the screen that are looked at.
const HISTORY_LINES: usize = 2000;

/// Pieces that may wait between a stream and whoever looks at it.
const WAITING: usize = 64;

impl TextWatch {
    pub(crate) fn new(pattern: Regex) -> Self {
        let size = TerminalSize::DEFAULT;
        Self { pattern, screen: Self::blank(size), log: TextLog::new() }
    }

    /// For the same text, as if nothing had been seen.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.pattern.clone())
    }

    fn blank(size: TerminalSize) -> Screen {
        Screen::new(size, HISTORY_LINES)
    }

    /// The screen is now what these bytes paint on one of this size.
    pub(crate) fn painted(&mut self, size: TerminalSize, bytes: &[u8]) -> Option<String> {
        self.screen = Self::blank(size);
        self.screen.feed(bytes);
        self.on_screen()
    }

    /// More output, as lines. What is unfinished counts as well: prompts end without a line break.
    pub(crate) fn lines(&mut self, bytes: &[u8]) -> Option<String> {
        let mut text = String::new();
        self.log.feed(bytes, &mut text);
        let current = self.log.current_line();
        text.lines().chain([current.as_str()]).find_map(|line| self.matched(line))
    }

    /// Something happened on one of the streams.
    pub(crate) fn event(&mut self, feeding: Feeding, event: &StreamEvent) -> Option<String> {
        match (feeding, event) {
            (Feeding::Lines, StreamEvent::Output(bytes)) => self.lines(bytes),
            (Feeding::Lines, StreamEvent::Gap { .. }) => {
                self.log = TextLog::new();
                None
            }
            (Feeding::Painted, StreamEvent::Resized(size)) => {
                self.screen.resize(*size);
                self.on_screen()
            }
            (
                Feeding::Painted,
                StreamEvent::Output(bytes)
                | StreamEvent::Screen(bytes)
                | StreamEvent::Gap { screen: bytes, .. },
            ) => {
                self.screen.feed(bytes);
                self.on_screen()
            }
            _ => None,
        }
    }

    fn on_screen(&self) -> Option<String> {
        let history = self.screen.history_text(HISTORY_LINES);
        history.iter().chain(&self.screen.rows_text()).find_map(|row| self.matched(row))
    }

    fn matched(&self, line: &str) -> Option<String> {
        self.pattern.find(line).map(|found| found.as_str().to_owned())
    }
}

impl Events {
    /// Reads each stream on a thread of its own. Threads end with their streams, or with the process.
    pub(crate) fn of(
        streams: impl IntoIterator<Item = (Feeding, ViewerStream)>,
    ) -> Result<Self, CliError> {
        let (sender, inbox) = sync_channel(WAITING);
        let mut open = 0;
        for (feeding, mut stream) in streams {
            let sender = sender.clone();
            std::thread::Builder::new()
                .name("watching".to_owned())
                .spawn(move || {
                    loop {
                        let event = match stream.next(None) {
                            Ok(Some(event)) => Ok(event),
                            Ok(None) => continue,
                            Err(error) => Err(CliError::from(error)),
                        };
                        let is_last = !matches!(
                            event,
                            Ok(StreamEvent::Output(_)
                                | StreamEvent::Screen(_)
                                | StreamEvent::Gap { .. }
                                | StreamEvent::Resized(_))
                        );
                        if sender.send((feeding, event)).is_err() || is_last {
                            return;
                        }
                    }
                })
                .map_err(|source| CliError::io("starting to watch", &source))?;
            open += 1;
        }
        Ok(Self { inbox, open, exit: None })
    }

    /// The next event; [`Next::Quiet`] when `deadline` passes first.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Next, CliError> {
        while self.open > 0 {
            let received = match deadline {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.inbox.recv_timeout(left)
                }
            };
            match received {
                Ok((_, Ok(StreamEvent::Exited(exit)))) => {
                    self.exit = Some(exit);
                    self.open -= 1;
                }
                Ok((_, Ok(StreamEvent::Closed | StreamEvent::Detached))) => self.open -= 1,
                Ok((feeding, Ok(event))) => return Ok(Next::Event(feeding, event)),
                Ok((_, Err(error))) => return Err(error),
                Err(RecvTimeoutError::Timeout) => return Ok(Next::Quiet),
                Err(RecvTimeoutError::Disconnected) => self.open = 0,
            }
        }
        Ok(Next::Ended(self.exit))
    }
}

/// The earlier of two points in time, of which each may be missing.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// `duration` from now; `None` when that is beyond what can be counted, which is never.
pub(crate) fn after(duration: Duration) -> Option<Instant> {
    Instant::now().checked_add(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(pattern: &str) -> TextWatch {
        TextWatch::new(Regex::new(pattern).unwrap())
    }

    fn output(bytes: &[u8]) -> StreamEvent {
        StreamEvent::Output(bytes.to_vec())
    }

    #[test]
    fn a_redraw_that_makes_no_line_is_seen_on_the_screen() {
        let mut watch = watch("READY");
        let size = TerminalSize::nearest(20, 4);
        assert_eq!(watch.painted(size, b"\x1b[2;1HR.A.Y"), None);
        let redraw = output(b"\x1b[2;2HE\x1b[2;4HD");
        assert_eq!(watch.event(Feeding::Painted, &redraw), Some("READY".to_owned()));
    }

    #[test]
    fn what_scrolls_by_within_one_piece_is_seen_as_a_line() {
        let mut watch = watch("needle [0-9]+");
        let mut flood = b"needle 7\r\n".to_vec();
        flood.extend(b"hay\r\n".repeat(10_000));
        assert_eq!(watch.event(Feeding::Painted, &output(&flood)), None);
        assert_eq!(watch.event(Feeding::Lines, &output(&flood)), Some("needle 7".to_owned()));
    }

    #[test]
    fn a_prompt_counts_before_its_line_ends_and_over_pieces() {
        let mut watch = watch("pass.*: $");
        assert_eq!(watch.lines(b"passw"), None);
        assert_eq!(watch.lines(b"ord: "), Some("password: ".to_owned()));
    }
}
