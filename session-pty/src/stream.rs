//! A viewer's stream from the viewer's side, over a socket or inside the process.

mod outbox;
mod way_back;

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use session_core::{Exit, RuntimeError, TerminalSize};

use crate::wire::{Decoder, ExitMessage, Frame, Kind, MAX_TYPED};

pub(crate) use outbox::Outbox;
pub(crate) use way_back::{WayBack, again};

/// The connection of a viewer: what it is told, and what it types.
///
/// When the supervisor dies, the stream goes on with the one that takes its place: a viewer of the screen is painted
/// what is there, one of the output gets what comes next, and of what was typed the rest is typed. Only when there is
/// none does it end.
#[derive(Debug)]
pub struct ViewerStream {
    stream: UnixStream,
    decoder: Decoder,
    /// What came while there was something to send.
    heard: VecDeque<StreamEvent>,
    pub(crate) outbox: Outbox,
    /// Where the next byte of output stands in all that the program has written, once that was said.
    position: Option<u64>,
    way_back: Option<WayBack>,
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

/// Typed bytes that may be on their way. Whoever types more waits until the terminal takes some.
pub(crate) const WINDOW: usize = 256 << 10;

/// Something can be read, or the other end is gone.
const READABLE: PollFlags = PollFlags::IN.union(PollFlags::HUP).union(PollFlags::ERR);

impl ViewerStream {
    pub(crate) fn new(stream: UnixStream, decoder: Decoder) -> Self {
        let (heard, outbox) = (VecDeque::new(), Outbox::default());
        Self { stream, decoder, heard, outbox, position: None, way_back: None }
    }

    /// The same, with a supervisor that tells how much of what was typed is taken.
    pub(crate) fn counting(self, counts: bool) -> Self {
        Self { outbox: self.outbox.counting(counts), ..self }
    }

    /// The same, with a way to take it up again.
    pub(crate) fn with_way_back(self, way_back: WayBack) -> Self {
        let counts = way_back.counts();
        Self { way_back: Some(way_back), ..self }.counting(counts)
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
            let ready = self.poll(PollFlags::IN, left).map_err(failed)?;
            self.send();
            if !ready.intersects(READABLE) || self.receive().map_err(failed)? {
                continue;
            }
            if !self.resume(deadline)? {
                return Ok(Some(StreamEvent::Closed));
            }
        }
    }

    /// Waits for this, and until there is room for what is to be sent.
    fn poll(&self, wanted: PollFlags, timeout: Option<Duration>) -> io::Result<PollFlags> {
        let sends = self.outbox.wants_to_send();
        let flags = wanted | if sends { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&self.stream, flags)];
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => Ok(fds[0].revents()),
            Err(Errno::INTR) => Ok(PollFlags::empty()),
            Err(error) => Err(error.into()),
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
        self.replace(fresh);
        Ok(came_back)
    }

    /// How the stream is taken up where it is now.
    pub(crate) fn way_back(&self) -> Option<WayBack> {
        let position = self.position;
        self.way_back.clone().map(|way| way.at(position))
    }

    /// Goes on with another stream of the same session; with none, nothing more can be typed either.
    pub(crate) fn replace(&mut self, fresh: Option<Self>) {
        let Some(Self { stream, decoder, position, .. }) = fresh else {
            self.outbox.clear();
            return;
        };
        (self.stream, self.decoder) = (stream, decoder);
        self.position = position.or(self.position);
        self.outbox.rewind();
    }

    /// The next event that has been received already.
    pub(crate) fn buffered(&mut self) -> io::Result<Option<StreamEvent>> {
        match self.heard.pop_front() {
            None => self.decoded(),
            event => Ok(event),
        }
    }

    fn decoded(&mut self) -> io::Result<Option<StreamEvent>> {
        while let Some(frame) = self.decoder.next()? {
            if frame.kind == Kind::Position {
                self.position = frame.payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            } else if frame.kind == Kind::Typed {
                self.outbox.note_taken(&frame.payload)?;
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
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(true),
                io::ErrorKind::ConnectionReset => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Types bytes, and waits while too many of them are on their way. What comes meanwhile is kept for [`Self::next`].
    ///
    /// # Errors
    /// When the supervisor is gone, and no other comes.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), RuntimeError> {
        for chunk in bytes.chunks(MAX_TYPED) {
            self.outbox.push_typed(chunk);
            self.deliver()?;
        }
        Ok(())
    }

    /// Passes on what the viewer's terminal says of itself: reports of mouse and focus, answers to queries.
    ///
    /// # Errors
    /// When the supervisor is gone, and no other comes.
    pub fn report(&mut self, bytes: &[u8]) -> Result<(), RuntimeError> {
        bytes.chunks(MAX_TYPED).for_each(|chunk| self.outbox.push(Kind::Report, chunk));
        self.deliver()
    }

    /// Says that no more will be typed: the end-of-file character is typed once the program waits for input.
    ///
    /// # Errors
    /// When the supervisor is gone, and no other comes.
    pub fn end_of_input(&mut self) -> Result<(), RuntimeError> {
        self.outbox.push(Kind::EndOfInput, b"");
        self.deliver()
    }

    /// Tells the size of the viewer's terminal.
    ///
    /// # Errors
    /// When the supervisor is gone, and no other comes.
    pub fn resize(&mut self, size: TerminalSize) -> Result<(), RuntimeError> {
        let size = serde_json::to_vec(&size)
            .map_err(|error| RuntimeError::io("telling the size", error.into()))?;
        self.outbox.push(Kind::Resize, &size);
        self.deliver()
    }

    /// Leaves. What was typed and not taken yet may be lost if the supervisor dies afterwards.
    ///
    /// # Errors
    /// When the supervisor is gone, which comes to the same.
    pub fn detach(mut self) -> Result<(), RuntimeError> {
        // There is no point in coming back only to leave.
        self.way_back = self.way_back.filter(|_| !self.outbox.is_settled());
        self.outbox.push(Kind::Detach, b"");
        self.deliver()
    }

    /// Sends what is taken at once. A connection that is broken is noticed by reading from it, and there may be more to
    /// read before.
    pub(crate) fn send(&mut self) {
        let _read_soon = self.outbox.send(self.stream.as_fd());
    }

    /// Ends the stream for both sides.
    pub(crate) fn close(&self) {
        let _closed_already = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Both);
    }

    /// Sends everything, and hears until no more is on its way than may be.
    fn deliver(&mut self) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("reaching the session", source);
        loop {
            if self.outbox.send(self.stream.as_fd()).is_err() {
                self.return_to_send()?;
            }
            let too_many = self.outbox.len() > WINDOW;
            if !self.outbox.has_unsent() && !too_many {
                return Ok(());
            }
            let hears = too_many || !self.outbox.wants_to_send();
            let wanted = if hears { PollFlags::IN } else { PollFlags::empty() };
            let ready = self.poll(wanted, None).map_err(failed)?;
            if ready.intersects(READABLE) && !self.hear().map_err(failed)? {
                self.return_to_send()?;
            }
        }
    }

    /// Receives once, and takes in what that was; false when the stream is closed.
    fn hear(&mut self) -> io::Result<bool> {
        let open = self.receive()?;
        self.take_in()?;
        Ok(open)
    }

    fn take_in(&mut self) -> io::Result<()> {
        while let Some(event) = self.decoded()? {
            self.heard.push_back(event);
        }
        Ok(())
    }

    /// Goes on with the next supervisor, unless this one has said why it closes the stream.
    fn return_to_send(&mut self) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("reaching the session", source);
        while self.hear().map_err(failed)? {}
        let is_last =
            |event: &StreamEvent| matches!(event, StreamEvent::Detached | StreamEvent::Exited(_));
        let is_over = self.heard.iter().any(is_last);
        if is_over || !self.resume(None)? {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        }
        // Some of what the next one says may have come with its first answer.
        self.take_in().map_err(failed)
    }
}

impl AsFd for ViewerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
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
    use std::io::Write as _;

    use super::*;
    use crate::wire::encode;

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
    fn whoever_types_waits_while_too_much_is_not_taken_and_misses_nothing() {
        let (stream, mut supervisor) = UnixStream::pair().unwrap();
        let mut stream = ViewerStream::new(stream, Decoder::default()).counting(true);
        let typed: Vec<u8> = (0_u8..=250).cycle().take(4 * WINDOW).collect();
        let expected = typed.clone();
        let typist = std::thread::spawn(move || {
            stream.input(&typed).unwrap();
            assert!(stream.outbox.len() <= WINDOW, "{} bytes", stream.outbox.len());
            stream
        });
        let (mut decoder, mut arrived) = (Decoder::default(), Vec::new());
        let mut buffer = vec![0; 64 << 10];
        while arrived.len() < expected.len() {
            let len = supervisor.read(&mut buffer).unwrap();
            decoder.push(&buffer[..len]);
            while let Some(frame) = decoder.next().unwrap() {
                arrived.extend_from_slice(&frame.payload);
            }
            supervisor.write_all(&encode(Kind::Output, b"x")).unwrap();
            let taken = (arrived.len() as u64).to_le_bytes();
            supervisor.write_all(&encode(Kind::Typed, &taken)).unwrap();
        }
        assert!(arrived == expected, "{} of {} bytes", arrived.len(), expected.len());
        let mut stream = typist.join().unwrap();
        assert_eq!(stream.next(None).unwrap(), Some(StreamEvent::Output(b"x".to_vec())));
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
