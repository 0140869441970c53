//! Taking up a stream again with the supervisor that takes the place of a dead one.

use std::time::{Duration, Instant};

use session_core::{ErrorKind, RuntimeError, SessionId, TerminalSize};

use super::ViewerStream;
use crate::client::Client;
use crate::instance::Instance;
use crate::place::Place;
use crate::wire::ViewerSpec;

/// Between two looks whether it is there.
const PAUSE: Duration = Duration::from_millis(5);

/// What is needed to watch a session again as before.
#[derive(Clone, Debug)]
pub(crate) struct WayBack {
    place: Place,
    session: SessionId,
    viewer: ViewerSpec,
}

impl WayBack {
    pub(crate) fn new(place: Place, session: SessionId, viewer: ViewerSpec) -> Self {
        // Whoever else has come back by then was here before.
        // And its terminal has the history already.
        let viewer = ViewerSpec { detach_others: false, scrollback: 0, ..viewer };
        Self { place, session, viewer }
    }

    /// Whether a supervisor tells how much of what was typed is taken.
    pub(super) const fn counts(&self) -> bool {
        self.viewer.typist.is_some() && !self.viewer.read_only
    }

    /// The same from this byte of the output on. One who watches something else says so as well: whoever was cut off
    /// and comes back after the program's end is still told of it.
    pub(super) fn at(mut self, position: Option<u64>) -> Self {
        self.viewer.from = position.or(Some(0));
        self
    }

    /// The same in a terminal of this size.
    pub(crate) fn sized(mut self, size: Option<TerminalSize>) -> Self {
        self.viewer.size = size.or(self.viewer.size);
        self
    }

    /// Waits for a supervisor, until `deadline` and as long as one is to come, and watches again. `None` when there is
    /// none, or the program does not run any more.
    ///
    /// # Errors
    /// What it refuses, or the operating system.
    pub(crate) fn take(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Option<ViewerStream>, RuntimeError> {
        again(&self.place, deadline, |client| client.attach(self.session, self.viewer.clone()))
    }
}

/// Waits for a supervisor, until `deadline` and as long as one is to come, and asks it for a stream. `None` when there is
/// none, or it has nothing to stream any more.
///
/// # Errors
/// What it refuses, or the operating system.
pub(crate) fn again<T>(
    place: &Place,
    deadline: Option<Instant>,
    ask: impl Fn(Client) -> Result<T, RuntimeError>,
) -> Result<Option<T>, RuntimeError> {
    loop {
        match Client::connect(place).and_then(|client| client.map(&ask).transpose()) {
            Ok(Some(stream)) => return Ok(Some(stream)),
            Ok(None) => {
                let lives = Instance::alive(&place.instance_lock());
                let lives = lives
                    .map_err(|source| RuntimeError::io("looking for the supervisor", source))?;
                if lives.is_none_or(|instance| instance.given_up.is_some()) {
                    return Ok(None);
                }
            }
            // It died in the middle of it, or did not come up: perhaps the next one does.
            Err(RuntimeError::Io { .. } | RuntimeError::Timeout { .. }) => {}
            Err(error) => {
                return match error.kind() {
                    ErrorKind::NotRunning | ErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                };
            }
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
