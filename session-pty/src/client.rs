//! The other end of the supervisor's socket: calls, and viewers' streams.

mod calling;
mod events;
mod greeting;

mod detach;
mod pipe;
mod remote;
mod terminal;
mod upgrading;

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Exit, RuntimeError, Session, SessionId, Spawn, TerminalSize};

use crate::environment;
use crate::instance::Instance;
use crate::place::Place;
use crate::stream::WayBack;
use crate::supervisor::listen::ask_to_bind_again;
use crate::supervisor::{Launcher, Started};
use crate::wire::{
    Call, Decoder, ExitMessage, LiveSession, SupervisorStatus, TypedCall, Typist, ViewerSpec,
};

pub use crate::stream::{StreamEvent, ViewerStream};
pub use detach::{DetachKey, DetachKeyError};
pub use events::{EventStream, StreamEnd};
pub use pipe::{AtEndOfInput, PipeEnd, attach_pipe};
pub use remote::RemoteRuntime;
pub use terminal::{AttachEnd, attach_terminal, terminal_size};

/// How long a supervisor that was just started may take until it answers on its socket.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a supervisor that dies may take to be replaced, until it is taken for gone.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a supervisor may take to say what it knows by heart. Longer, and a listing does without.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to a supervisor.
#[derive(Debug)]
pub struct Client {
    place: Place,
    stream: UnixStream,
    decoder: Decoder,
    calls: u64,
    /// What the supervisor can do beyond the first version.
    capabilities: Vec<String>,
    /// What is spawned is recorded.
    records: bool,
    /// As whom it types, and how many of its calls have.
    typist: Option<(Typist, u64)>,
}

impl Client {
    /// Connects to the supervisor of a place; `None` when there is none. Starts nothing. One that lives and whose
    /// socket is gone is asked to bind it again.
    ///
    /// # Errors
    /// `refused` when the socket cannot be trusted, `wrong-store` when it serves another store, and whatever the
    /// operating system says.
    pub fn connect(place: &Place) -> Result<Option<Self>, RuntimeError> {
        let (deadline, lock) = (Instant::now() + REPLACE_TIMEOUT, place.instance_lock());
        let mut asked = false;
        loop {
            let is_bound = match Self::try_to_connect(place)? {
                Greeting::Done(client) => return Ok(Some(client)),
                Greeting::Nobody => false,
                Greeting::Broken => true,
            };
            // It was just leaving, which is as good as not there, or it is being replaced, or cannot be found.
            let instance = Instance::alive(&lock).ok().flatten();
            let may_come = instance.is_some_and(|instance| instance.may_listen_at(&place.socket()));
            if !may_come || Instant::now() >= deadline {
                return Ok(None);
            }
            if !is_bound && !std::mem::replace(&mut asked, true) {
                ask_to_bind_again(&lock);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn try_to_connect(place: &Place) -> Result<Greeting, RuntimeError> {
        place.check_runtime_dir()?;
        let stream = match UnixStream::connect(place.socket()) {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(Greeting::Nobody);
            }
            Err(source) => return Err(RuntimeError::io("connecting to the supervisor", source)),
        };
        let peer = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
        if peer.ok() != Some(rustix::process::geteuid()) {
            return Err(RuntimeError::Remote {
                kind: ErrorKind::Refused,
                message: format!("{} is served by another user", place.socket().display()),
                hint: Some("choose another --runtime-dir".to_owned()),
            });
        }
        let mut client = Self {
            place: place.clone(),
            stream,
            decoder: Decoder::default(),
            calls: 0,
            capabilities: Vec::new(),
            records: false,
            typist: None,
        };
        match client.greet(place) {
            Ok(()) => Ok(Greeting::Done(client)),
            Err(RuntimeError::Io { source, .. }) if is_broken(&source) => Ok(Greeting::Broken),
            Err(error) => Err(error),
        }
    }

    /// Connects to the supervisor of a place, and starts one first when there is none.
    ///
    /// # Errors
    /// As for [`Self::connect`], and what kept the supervisor from starting.
    pub fn connect_or_start(place: &Place, launcher: &Launcher) -> Result<Self, RuntimeError> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(client) = Self::connect(place)? {
                return Ok(client);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RuntimeError::Timeout { what: "the start of the supervisor" });
            }
            let started = launcher.start(left)?;
            if started == Started::AlreadyThere {
                // Another instance lives but does not listen: it is about to, or about to leave.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// About the supervisor itself.
    ///
    /// # Errors
    /// When the supervisor is gone; `Timeout` when it does not answer for some seconds.
    pub fn status(&mut self) -> Result<SupervisorStatus, RuntimeError> {
        self.call_within(ANSWER_TIMEOUT, Call::Status)
    }

    /// All sessions whose programs run.
    ///
    /// # Errors
    /// When the supervisor is gone; `Timeout` when it does not answer for some seconds.
    pub fn live(&mut self) -> Result<Vec<LiveSession>, RuntimeError> {
        self.call_within(ANSWER_TIMEOUT, Call::Live)
    }

    /// Has every session that is spawned from here on recorded from its first byte.
    pub const fn record_spawned(&mut self) {
        self.records = true;
    }

    /// Stores a session and starts its program.
    ///
    /// # Errors
    /// As [`session_core::SessionRuntime::spawn`].
    pub fn spawn(&mut self, spawn: Spawn) -> Result<Session, RuntimeError> {
        self.send_environment(&spawn)?;
        let session = Box::new(spawn.session);
        let (umask, record) = (spawn.umask, self.records);
        self.call(Call::Spawn { session, umask, viewer: None, record })
    }

    /// Stores a session, starts its program, and watches it from its first byte.
    ///
    /// # Errors
    /// As [`session_core::SessionRuntime::spawn`].
    pub fn spawn_watched(
        mut self,
        spawn: Spawn,
        viewer: ViewerSpec,
    ) -> Result<(Session, ViewerStream), RuntimeError> {
        let viewer = with_typist(viewer)?;
        self.send_environment(&spawn)?;
        let session = Box::new(spawn.session);
        let (umask, record) = (spawn.umask, self.records);
        let call = Call::Spawn { session, umask, viewer: Some(viewer.clone()), record };
        let session: Session = self.call(call)?;
        let stream = self.into_stream(session.id(), viewer);
        Ok((session, stream))
    }

    /// Watches a running session.
    ///
    /// # Errors
    /// `NotRunning` when its program does not run here.
    pub fn attach(
        mut self,
        session: SessionId,
        viewer: ViewerSpec,
    ) -> Result<ViewerStream, RuntimeError> {
        let viewer = with_typist(viewer)?;
        self.call_again::<()>(&Call::Attach { session, viewer: viewer.clone() })?;
        Ok(self.into_stream(session, viewer))
    }

    /// Types bytes and waits until the terminal has taken them; with `paste`, marked as a paste where the program
    /// asked for that and they have line breaks. When the supervisor dies over it, the next one types the rest.
    ///
    /// # Errors
    /// `NotRunning`, or `Timeout` when the program does not read; `Conflict` when the supervisor died over it and the
    /// next one does not know how much was typed.
    pub fn write(
        &mut self,
        session: SessionId,
        bytes: &[u8],
        paste: Typing,
    ) -> Result<(), RuntimeError> {
        let (typist, calls) = match self.typist.take() {
            Some(typist) => typist,
            None => (draw_typist()?, 0),
        };
        let (paste, number) = (paste == Typing::Paste, calls + 1);
        let written = self.ask_again(bytes, |again| {
            let typed = Some(TypedCall { typist, number, again });
            Call::Write { session, paste, typed }
        });
        // What was given up in the middle may still be typed, and keeps its count.
        self.typist = Some((typist, number)).filter(|_| written.is_ok());
        written.map(|((), _)| ())
    }

    /// Changes the size of a session's terminal.
    ///
    /// # Errors
    /// `NotRunning` when its program does not run here.
    pub fn resize(&mut self, session: SessionId, size: TerminalSize) -> Result<(), RuntimeError> {
        self.call_again(&Call::Resize { session, size }).map(|(done, _)| done)
    }

    /// Sends viewers away: the one that typed last, or all.
    ///
    /// # Errors
    /// `NotRunning` when its program does not run here.
    pub fn detach(&mut self, session: SessionId, all: bool) -> Result<(), RuntimeError> {
        self.call_again(&Call::Detach { session, all }).map(|(done, _)| done)
    }

    /// Ends a program by the ladder; each of its three steps may take `grace`.
    ///
    /// # Errors
    /// `NotRunning` when it does not run here.
    pub fn stop(&mut self, session: SessionId, grace: Duration) -> Result<Exit, RuntimeError> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let stop = Call::Stop { session, grace_ms };
        self.call_again::<ExitMessage>(&stop).map(|(exit, _)| exit.exit())
    }

    /// The screen with up to `history` lines above it: its size, and bytes that paint it on a terminal.
    ///
    /// # Errors
    /// `NotRunning` when the program does not run here.
    pub fn screen(
        &mut self,
        session: SessionId,
        history: usize,
    ) -> Result<(TerminalSize, Vec<u8>), RuntimeError> {
        let (size, blob) = self.call_again(&Call::Screen { session, history })?;
        Ok((size, blob))
    }

    /// The output that is kept, as it came.
    ///
    /// # Errors
    /// `NotRunning` when the program does not run here.
    pub fn log(&mut self, session: SessionId) -> Result<Vec<u8>, RuntimeError> {
        self.call_again::<()>(&Call::Log { session }).map(|((), blob)| blob)
    }

    /// Ends the supervisor. Programs that still run are ended first with `force`, and keep it from ending without.
    ///
    /// # Errors
    /// `StillRunning` while programs run.
    pub fn shutdown(mut self, force: bool) -> Result<(), RuntimeError> {
        self.call::<()>(Call::Shutdown { force })?;
        // It closes the connection when it has ended everything.
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => Ok(()),
            Err(error) if is_broken(&error) => Ok(()),
            Err(source) => Err(RuntimeError::io("waiting for the supervisor's end", source)),
        }
    }

    fn send_environment(&mut self, spawn: &Spawn) -> Result<(), RuntimeError> {
        self.send_blob(&environment::encode(&spawn.environment))
    }

    fn into_stream(self, session: SessionId, viewer: ViewerSpec) -> ViewerStream {
        let way_back = WayBack::new(self.place, session, viewer);
        ViewerStream::new(self.stream, self.decoder).with_way_back(way_back)
    }
}

/// The viewer as somebody whose typing is counted, if it may type.
fn with_typist(mut viewer: ViewerSpec) -> Result<ViewerSpec, RuntimeError> {
    if viewer.typist.is_none() && !viewer.read_only {
        viewer.typist = Some(draw_typist()?);
    }
    Ok(viewer)
}

fn draw_typist() -> Result<Typist, RuntimeError> {
    Typist::draw().map_err(|source| RuntimeError::io("asking for randomness", source))
}

/// How far an attempt to connect came.
enum Greeting {
    Done(Client),
    /// Nobody listens.
    Nobody,
    /// Somebody listened and went away in the middle of it.
    Broken,
}

/// How bytes are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// As they are.
    Keys,
    /// As a paste.
    Paste,
}

fn is_broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
