//! Watching a program as events: a viewer's stream behind the core's trait.

use std::time::Duration;

use session_core::{Exit, RuntimeError, RuntimeEvent, Subscription};

use crate::stream::{StreamEvent, ViewerStream, deadline_after};

/// A subscription to a running program.
#[derive(Debug)]
pub(crate) struct Watch {
    stream: ViewerStream,
    ended: bool,
}

/// A subscription to a program that has ended before.
#[derive(Debug)]
pub(crate) struct Ended {
    exit: Option<Exit>,
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
            Some(_) => Ok(Some(Self { stream, ended: false })),
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
                StreamEvent::Resized(size) => return Ok(Some(RuntimeEvent::Resized(size))),
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
    pub(crate) const fn new(exit: Option<Exit>) -> Self {
        Self { exit }
    }
}

impl Subscription for Ended {
    fn next(&mut self, _: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        Ok(self.exit.take().map(RuntimeEvent::Exited))
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
