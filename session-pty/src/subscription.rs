//! Watching a program as events: a viewer's stream behind the core's trait.

use std::collections::VecDeque;
use std::time::Duration;

use session_core::{Exit, RuntimeError, RuntimeEvent, Subscription, TerminalSize};

use crate::output::Kept;
use crate::stream::{StreamEvent, ViewerStream, deadline_after};

/// A subscription to a running program.
#[derive(Debug)]
pub(crate) struct Watch {
    stream: ViewerStream,
    /// The terminal's size as it was told last. Whoever takes the stream up again is told it again.
    size: Option<TerminalSize>,
    ended: bool,
}

/// A subscription to a program that has ended before.
#[derive(Debug)]
pub(crate) struct Ended {
    events: VecDeque<RuntimeEvent>,
}

/// How long it may take until a new viewer is admitted.
const ADMISSION: Duration = Duration::from_secs(10);

impl Watch {
    /// Waits until the viewer is admitted, so that nothing written from now on is missed. `None` when the program
    /// ended before that.
    pub(crate) fn admitted(mut stream: ViewerStream) -> Result<Option<Self>, RuntimeError> {
        // The first thing that every viewer is told is the size.
        match stream.next(Some(ADMISSION))? {
            Some(StreamEvent::Closed) => Ok(None),
            Some(StreamEvent::Resized(size)) => {
                Ok(Some(Self { stream, size: Some(size), ended: false }))
            }
            Some(_) => Ok(Some(Self { stream, size: None, ended: false })),
            None => Err(RuntimeError::Timeout { what: "subscribing" }),
        }
    }
}

impl Subscription for Watch {
    fn next(&mut self, timeout: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        let deadline = deadline_after(timeout);
        while !self.ended {
            let Some(event) = self.stream.next_before(deadline)? else { return Ok(None) };
            match event {
                StreamEvent::Output(bytes) => return Ok(Some(RuntimeEvent::Output(bytes))),
                StreamEvent::Gap { missed, screen } => {
                    return Ok(Some(RuntimeEvent::Gap { missed, screen }));
                }
                StreamEvent::Resized(size) => {
                    if self.size.replace(size) != Some(size) {
                        return Ok(Some(RuntimeEvent::Resized(size)));
                    }
                }
                StreamEvent::Exited(exit) => {
                    self.ended = true;
                    return Ok(Some(RuntimeEvent::Exited(exit)));
                }
                StreamEvent::Closed => {
                    let source = std::io::ErrorKind::UnexpectedEof.into();
                    return Err(RuntimeError::io("watching a session", source));
                }
                StreamEvent::Screen(_) | StreamEvent::Detached => {}
            }
        }
        Ok(None)
    }
}

impl Ended {
    pub(crate) fn new(exit: Option<Exit>) -> Self {
        Self { events: exit.map(RuntimeEvent::Exited).into_iter().collect() }
    }

    /// As [`Self::new`], after what is kept of the output.
    pub(crate) fn with_output(kept: Option<Kept>, exit: Option<Exit>) -> Self {
        let mut this = Self::new(exit);
        if let Some(Kept { log, written, .. }) = kept {
            let missed = written.saturating_sub(log.len() as u64);
            if !log.is_empty() {
                this.events.push_front(RuntimeEvent::Output(log));
            }
            if missed > 0 {
                this.events.push_front(RuntimeEvent::Gap { missed, screen: Vec::new() });
            }
        }
        this
    }
}

impl Subscription for Ended {
    fn next(&mut self, _: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        Ok(self.events.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::wire::{Decoder, Kind, encode};

    #[test]
    fn a_timeout_beyond_any_clock_waits_for_ever() {
        let (stream, mut supervisor) = UnixStream::pair().unwrap();
        let stream = ViewerStream::new(stream, Decoder::default());
        supervisor.write_all(&encode(Kind::Resized, br#"{"cols":80,"rows":24}"#)).unwrap();
        let mut watch = Watch::admitted(stream).unwrap().unwrap();
        supervisor.write_all(&encode(Kind::Output, b"here")).unwrap();
        let event = watch.next(Duration::MAX).unwrap();
        assert!(matches!(event, Some(RuntimeEvent::Output(bytes)) if bytes == b"here"));
    }
}
