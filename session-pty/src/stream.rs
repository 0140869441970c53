//! A viewer's stream from the viewer's side, over a socket or inside the process.

mod line;
mod way_back;

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{Exit, RuntimeError, TerminalSize};

use crate::wire::{Decoder, ExitMessage, Frame, Kind, encode};

use line::Line;
pub(crate) use line::Typist;
pub(crate) use way_back::{WayBack, again};

/// The connection of a viewer: what it is told, and what it types.
///
/// When the supervisor dies, the stream goes on with the one that takes its place: a viewer of the screen is painted
/// what is there, one of the output gets what comes next. Only when there is none does it end.
#[derive(Debug)]
pub struct ViewerStream {
    stream: UnixStream,
    decoder: Decoder,
    /// Where the next byte of output stands in all that the program has written, once that was said.
    position: Option<u64>,
    way_back: Option<WayBack>,
    line: Arc<Line>,
}

/// What a viewer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// Bytes for the viewer's terminal.
    Output(Vec<u8>),
    /// Bytes that reset the viewer's terminal and paint the screen as it is.
    Screen(Vec<u8>),
    /// So many bytes were left out; the screen that they led to.
    Gap {
        /// How many.
        missed: u64,
        /// Bytes that reset a terminal and paint it.
        screen: Vec<u8>,
    },
    /// The session's terminal has this size.
    Resized(TerminalSize),
    /// Somebody sent this viewer away.
    Detached,
    /// The program has ended.
    Exited(Exit),
    /// The supervisor is gone, or the program ended in the moment of attaching.
    Closed,
}

/// Typed bytes are cut at this.
const TYPED_CHUNK: usize = 64 << 10;

impl ViewerStream {
    pub(crate) fn new(stream: UnixStream, decoder: Decoder) -> Self {
        Self { stream, decoder, position: None, way_back: None, line: Arc::default() }
    }

    /// The same, with a way to take it up again.
    pub(crate) fn with_way_back(self, way_back: WayBack) -> Self {
        Self { way_back: Some(way_back), ..self }
    }

    /// The next event; `None` when `timeout` passes first. `None` as timeout waits for ever.
    ///
    /// # Errors
    /// What the operating system says, or that what came makes no sense.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<StreamEvent>, RuntimeError> {
        self.next_before(timeout.and_then(deadline_after))
    }

    /// As [`Self::next`], up to a moment; `None` waits for ever.
    pub(crate) fn next_before(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<StreamEvent>, RuntimeError> {
        let failed = |source| RuntimeError::io("watching a session", source);
        loop {
            if let Some(event) = self.buffered().map_err(failed)? {
                return Ok(Some(event));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            self.stream.set_read_timeout(left).map_err(failed)?;
            match self.receive() {
                Ok(true) => {}
                Ok(false) if self.resume(deadline)? => {}
                Ok(false) => return Ok(Some(StreamEvent::Closed)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(source) => return Err(failed(source)),
            }
        }
    }

    /// Waits for the supervisor that takes the place of the one that closed the stream, and goes on with it. False
    /// when there is none, or the program has ended; its record says how.
    ///
    /// # Errors
    /// What the new one refuses, or the operating system.
    pub(crate) fn resume(&mut self, deadline: Option<Instant>) -> Result<bool, RuntimeError> {
        let Some(way_back) = self.way_back() else { return Ok(false) };
        let fresh = way_back.take(deadline)?;
        let came_back = fresh.is_some();
        self.replace(fresh)?;
        Ok(came_back)
    }

    /// How the stream is taken up where it is now.
    pub(crate) fn way_back(&self) -> Option<WayBack> {
        let position = self.position;
        self.way_back.clone().map(|way| way.at(position))
    }

    /// Goes on with another stream of the same session; with none, nothing more can be typed either.
    ///
    /// # Errors
    /// When the system refuses another descriptor.
    pub(crate) fn replace(&mut self, fresh: Option<Self>) -> Result<(), RuntimeError> {
        let Some(Self { stream, decoder, position, .. }) = fresh else {
            self.line.close();
            return Ok(());
        };
        (self.stream, self.decoder) = (stream, decoder);
        self.position = position.or(self.position);
        let renewed = self.line.renew(&self.stream);
        renewed.map_err(|source| RuntimeError::io("watching a session", source))
    }

    /// The next event that has been received already.
    pub(crate) fn buffered(&mut self) -> io::Result<Option<StreamEvent>> {
        while let Some(frame) = self.decoder.next()? {
            if frame.kind == Kind::Position {
                self.position = frame.payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            } else if let Some(event) = event(frame)? {
                self.count(&event);
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn count(&mut self, event: &StreamEvent) {
        let passed = match event {
            StreamEvent::Output(bytes) => bytes.len() as u64,
            StreamEvent::Gap { missed, .. } => *missed,
            _ => 0,
        };
        self.position = self.position.map(|position| position + passed);
    }

    /// Reads once; false when the supervisor has closed the stream.
    pub(crate) fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(len) => {
                self.decoder.push(&buffer[..len]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Types bytes. What is long goes in pieces, so that no length of it is too much for a frame.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), RuntimeError> {
        typed(bytes).try_for_each(|chunk| self.send(Kind::Input, chunk))
    }

    /// Says that no more will be typed: the end-of-file character is typed once the program waits for input.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn end_of_input(&mut self) -> Result<(), RuntimeError> {
        self.send(Kind::EndOfInput, b"")
    }

    /// Tells the size of the viewer's terminal.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn resize(&mut self, size: TerminalSize) -> Result<(), RuntimeError> {
        let size = serde_json::to_vec(&size)
            .map_err(|error| RuntimeError::io("telling the size", error.into()))?;
        self.send(Kind::Resize, &size)
    }

    /// Leaves.
    ///
    /// # Errors
    /// When the supervisor is gone, which comes to the same.
    pub fn detach(mut self) -> Result<(), RuntimeError> {
        self.send(Kind::Detach, b"")
    }

    /// Says that it leaves, when that can be said in time; the supervisor closes the stream when it has read
    /// everything before that.
    pub(crate) fn leave_before(&mut self, deadline: Option<Instant>) -> Result<(), RuntimeError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // No time at all would mean to wait for ever.
        let left = left.map(|left| left.max(Duration::from_millis(1)));
        let limited = self.stream.set_write_timeout(left);
        limited.map_err(|source| RuntimeError::io("leaving the session", source))?;
        self.send(Kind::Detach, b"")
    }

    /// Types from another thread.
    ///
    /// # Errors
    /// When the system refuses another descriptor.
    pub(crate) fn typist(&self) -> io::Result<Typist> {
        self.line.renew(&self.stream)?;
        Ok(Typist::new(Arc::clone(&self.line)))
    }

    /// Ends the stream for both sides, and all typing with it.
    pub(crate) fn close(&self) {
        self.line.close();
        let _closed_already = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Both);
    }

    fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<(), RuntimeError> {
        let sent = self.stream.write_all(&encode(kind, payload));
        sent.map_err(|source| RuntimeError::io("reaching the session", source))
    }
}

impl AsFd for ViewerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Typed bytes in pieces that are not too much for a frame.
fn typed(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(TYPED_CHUNK)
}

/// When a time span from now on is over; `None` when that is beyond any clock.
pub(crate) fn deadline_after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

fn event(frame: Frame) -> io::Result<Option<StreamEvent>> {
    Ok(Some(match frame.kind {
        Kind::Output => StreamEvent::Output(frame.payload),
        Kind::Screen => StreamEvent::Screen(frame.payload),
        Kind::Gap => {
            let (missed, screen) = split_gap(&frame.payload);
            StreamEvent::Gap { missed, screen: screen.to_vec() }
        }
        Kind::Resized => StreamEvent::Resized(serde_json::from_slice(&frame.payload)?),
        Kind::Detached => StreamEvent::Detached,
        Kind::Exited => {
            StreamEvent::Exited(serde_json::from_slice::<ExitMessage>(&frame.payload)?.exit())
        }
        _ => return Ok(None),
    }))
}

/// How much a gap left out, and what repaints the screen.
fn split_gap(payload: &[u8]) -> (u64, &[u8]) {
    payload
        .split_first_chunk()
        .map_or((0, payload), |(missed, screen)| (u64::from_le_bytes(*missed), screen))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest payload that either side accepts.
    const MAX_PAYLOAD: usize = 16 << 20;

    #[test]
    fn a_timeout_beyond_any_clock_waits_for_ever() {
        let (stream, mut supervisor) = UnixStream::pair().unwrap();
        let mut stream = ViewerStream::new(stream, Decoder::default());
        supervisor.write_all(&encode(Kind::Output, b"here")).unwrap();
        let event = stream.next(Some(Duration::MAX)).unwrap();
        assert_eq!(event, Some(StreamEvent::Output(b"here".to_vec())));
        drop(supervisor);
        assert_eq!(stream.next(Some(Duration::MAX)).unwrap(), Some(StreamEvent::Closed));
    }

    #[test]
    fn typing_longer_than_a_frame_may_be_arrives_whole() {
        let (stream, mut supervisor) = UnixStream::pair().unwrap();
        let mut stream = ViewerStream::new(stream, Decoder::default());
        let typed: Vec<u8> = (0_u8..=250).cycle().take(MAX_PAYLOAD + 1).collect();
        let expected = typed.clone();
        let typist = std::thread::spawn(move || stream.input(&typed));
        let (mut decoder, mut arrived) = (Decoder::default(), Vec::new());
        let mut buffer = vec![0; 64 << 10];
        while let Ok(len @ 1..) = supervisor.read(&mut buffer) {
            decoder.push(&buffer[..len]);
            while let Some(frame) = decoder.next().unwrap() {
                assert_eq!(frame.kind, Kind::Input);
                arrived.extend_from_slice(&frame.payload);
            }
        }
        typist.join().unwrap().unwrap();
        assert!(arrived == expected, "{} of {} bytes", arrived.len(), expected.len());
    }
}
