//! The runtime behind a socket, with the same face as one inside the process.

use std::sync::Arc;
use std::time::Duration;

use session_core::{
    Exit, RuntimeError, Session, SessionId, SessionRuntime, SessionStore, Spawn, Subscription,
    TerminalSize,
};

use super::{Client, Typing};
use crate::place::Place;
use crate::stream::{StreamEvent, ViewerStream, deadline_after};
use crate::subscription::{Ended, Watch};
use crate::supervisor::Launcher;
use crate::wire::{Feed, ViewerSpec};

/// The supervisor of a place as a runtime. Each call is a connection of its own, so that a waiting one keeps
/// nobody else waiting. The first program that is spawned starts the supervisor.
#[derive(Debug)]
pub struct RemoteRuntime {
    place: Place,
    launcher: Launcher,
    /// Where the ends of programs are looked up that the supervisor knows no more.
    store: Arc<dyn SessionStore>,
}

impl RemoteRuntime {
    /// The runtime of this place, which records into `store`.
    #[must_use]
    pub fn new(place: Place, launcher: Launcher, store: Arc<dyn SessionStore>) -> Self {
        Self { place, launcher, store }
    }

    /// A connection, when the program of the session may be running.
    fn client(&self, id: SessionId) -> Result<Client, RuntimeError> {
        self.store.get(id)?;
        Client::connect(&self.place)?.ok_or(RuntimeError::NotRunning { id })
    }

    /// What the record says of a program that does not run.
    fn recorded_exit(&self, id: SessionId) -> Result<Exit, RuntimeError> {
        let session = self.store.get(id)?;
        let process = session.process.ok_or(RuntimeError::NotRunning { id })?;
        Ok(process.state.exit().unwrap_or(Exit::Unknown))
    }

    fn watch(&self, id: SessionId, feed: Feed) -> Result<Option<ViewerStream>, RuntimeError> {
        let from = (feed == Feed::Log).then_some(0);
        let viewer = ViewerSpec { read_only: true, feed, from, ..ViewerSpec::default() };
        match self.client(id).and_then(|client| client.attach(id, viewer)) {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == session_core::ErrorKind::NotRunning => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl SessionRuntime for RemoteRuntime {
    fn spawn(&self, spawn: Spawn) -> Result<Session, RuntimeError> {
        Client::connect_or_start(&self.place, &self.launcher)?.spawn(spawn)
    }

    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError> {
        self.client(id)?.write(id, bytes, Typing::Keys)
    }

    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError> {
        self.client(id)?.resize(id, size)
    }

    fn replay(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        let watch = match self.watch(id, Feed::Log)? {
            Some(stream) => Watch::admitted(stream)?,
            None => None,
        };
        if let Some(watch) = watch {
            return Ok(Box::new(watch));
        }
        let exit = self.recorded_exit(id)?;
        let kept = crate::output::read_kept(&self.place.output_dir(), id)
            .map_err(|source| RuntimeError::io("reading the kept output", source))?;
        Ok(Box::new(Ended::with_output(kept, Some(exit))))
    }

    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        let watch = match self.watch(id, Feed::Output)? {
            Some(stream) => Watch::admitted(stream)?,
            None => None,
        };
        match watch {
            Some(watch) => Ok(Box::new(watch)),
            None => Ok(Box::new(Ended::new(Some(self.recorded_exit(id)?)))),
        }
    }

    fn stop(&self, id: SessionId, grace: Duration) -> Result<Exit, RuntimeError> {
        self.client(id)?.stop(id, grace)
    }

    fn wait(&self, id: SessionId, timeout: Option<Duration>) -> Result<Option<Exit>, RuntimeError> {
        let Some(mut stream) = self.watch(id, Feed::Events)? else {
            return self.recorded_exit(id).map(Some);
        };
        let deadline = timeout.and_then(deadline_after);
        loop {
            match stream.next_before(deadline)? {
                Some(StreamEvent::Exited(exit)) => return Ok(Some(exit)),
                Some(StreamEvent::Closed) => return self.recorded_exit(id).map(Some),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}
