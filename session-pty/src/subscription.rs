//! Watching from inside: a viewer's stream read as events.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use session_core::{Exit, RuntimeError, RuntimeEvent, Subscription};

use crate::wire::{Decoder, ExitMessage, Frame, Kind};

/// A stream of frames as events.
#[derive(Debug)]
pub(crate) struct Stream {
    stream: UnixStream,
    decoder: Decoder,
    ended: bool,
}

/// A subscription to a program that has ended before.
#[derive(Debug)]
pub(crate) struct Ended {
    exit: Option<Exit>,
}

impl Stream {
    /// Waits until the relay has admitted the viewer, so that nothing written from now on is missed.
    pub(crate) fn admitted(stream: UnixStream) -> Result<Self, RuntimeError> {
        Self::resumed(stream, Decoder::default())
    }

    /// As [`Self::admitted`], with what was already read from the stream.
    pub(crate) fn resumed(stream: UnixStream, decoder: Decoder) -> Result<Self, RuntimeError> {
        let mut this = Self { stream, decoder, ended: false };
        // The first thing that every viewer is told is the size.
        this.next(Duration::from_secs(10))?.ok_or(RuntimeError::Timeout { what: "subscribing" })?;
        Ok(this)
    }

    fn frame(&mut self, deadline: Instant) -> Result<Option<Frame>, RuntimeError> {
        let failed = |source| RuntimeError::io("watching a session", source);
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(frame) = self.decoder.next().map_err(failed)? {
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left)).map_err(failed)?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(failed(std::io::ErrorKind::UnexpectedEof.into())),
                Ok(len) => self.decoder.push(&buffer[..len]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

impl Subscription for Stream {
    fn next(&mut self, timeout: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        let deadline = Instant::now() + timeout;
        while !self.ended {
            let Some(frame) = self.frame(deadline)? else { return Ok(None) };
            if let Some(event) = event(frame)? {
                self.ended = matches!(event, RuntimeEvent::Exited(_));
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

impl Ended {
    pub(crate) const fn new(exit: Option<Exit>) -> Self {
        Self { exit }
    }
}

impl Subscription for Ended {
    fn next(&mut self, _: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        Ok(self.exit.take().map(RuntimeEvent::Exited))
    }
}

/// What a frame says to a watcher, if anything.
fn event(frame: Frame) -> Result<Option<RuntimeEvent>, RuntimeError> {
    let nonsense = |source: serde_json::Error| RuntimeError::io("reading an event", source.into());
    Ok(Some(match frame.kind {
        Kind::Output => RuntimeEvent::Output(frame.payload),
        Kind::Gap => {
            let (missed, screen) = split_gap(&frame.payload);
            RuntimeEvent::Gap { missed, screen: screen.to_vec() }
        }
        Kind::Resized => {
            RuntimeEvent::Resized(serde_json::from_slice(&frame.payload).map_err(nonsense)?)
        }
        Kind::Exited => {
            let message: ExitMessage = serde_json::from_slice(&frame.payload).map_err(nonsense)?;
            RuntimeEvent::Exited(message.exit())
        }
        _ => return Ok(None),
    }))
}

/// How much a gap left out, and what repaints the screen.
pub(crate) fn split_gap(payload: &[u8]) -> (u64, &[u8]) {
    payload
        .split_first_chunk()
        .map_or((0, payload), |(missed, screen)| (u64::from_le_bytes(*missed), screen))
}
