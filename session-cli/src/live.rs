//! The supervisor from the command's side: whether it is there, and what it says of running sessions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Session, SessionId, Status};
use session_pty::{Client, Instance, LiveSession};

use crate::backend;
use crate::error::{CliError, Kind};
use crate::invocation::Invocation;

/// How long the record of an end is waited for, and how often it is looked for.
const SETTLING: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// What runs, as the supervisor says, as far as it could be asked.
#[derive(Debug, Default)]
pub(crate) struct Live {
    sessions: BTreeMap<SessionId, LiveSession>,
}

impl Live {
    /// What is said of one session.
    pub(crate) fn of(&self, session: &Session) -> Option<&LiveSession> {
        self.sessions.get(&session.id()).filter(|_| session.has_live_process())
    }
}

impl Invocation {
    /// What runs. A supervisor that cannot be asked is no error here: the record says enough.
    pub(crate) fn live(&self) -> Live {
        let asked = Client::connect(&self.place).and_then(|client| match client {
            Some(mut client) => client.live(),
            None => Ok(Vec::new()),
        });
        let sessions = asked.unwrap_or_else(|error| {
            let error = CliError::from(error);
            self.out.note(&format!("the supervisor cannot be asked: {}", error.message()));
            Vec::new()
        });
        Live { sessions: sessions.into_iter().map(|live| (live.id, live)).collect() }
    }

    /// A connection for a session that the record says is running.
    ///
    /// # Errors
    /// `gone` when its supervisor lives and does not listen where it should.
    pub(crate) fn client_for(&self, session: &Session) -> Result<Client, CliError> {
        if let Some(client) = Client::connect(&self.place)? {
            return Ok(client);
        }
        if let Ok(Some(instance)) = Instance::alive(&self.place.instance_lock()) {
            return Err(self.unreachable(&instance));
        }
        Err(not_running(session))
    }

    /// A connection to the supervisor, which is started when there is none.
    pub(crate) fn client_or_start(&self) -> Result<Client, CliError> {
        backend::make_data_dir(&self.plan)?;
        Client::connect_or_start(&self.place, &self.plan.launcher()).map_err(|error| {
            if let (ErrorKind::Timeout, Ok(Some(instance))) =
                (error.kind(), Instance::alive(&self.place.instance_lock()))
            {
                return self.unreachable(&instance);
            }
            if error.kind() == ErrorKind::Timeout {
                return CliError::new(ErrorKind::StartFailed, error.to_string())
                    .hint("`session doctor` may know more");
            }
            error.into()
        })
    }

    /// A session as it is seen from here, now.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub(crate) fn seen(&self, id: SessionId) -> Result<Session, CliError> {
        let stored = self.reading()?.get(id)?;
        Ok(stored.observed_by(&self.observer()?).into_owned())
    }

    /// A session whose program, or whose supervisor, was seen to end: as it is once its record says so, too. That
    /// takes a moment, and longer while the end cannot be recorded, on a full disk for instance.
    pub(crate) fn settled(&self, id: SessionId) -> Result<Session, CliError> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let session = self.seen(id)?;
            if !session.has_live_process() || Instant::now() > deadline {
                return Ok(session);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The supervisor lives, and its socket is not where it should be.
    pub(crate) fn unreachable(&self, instance: &Instance) -> CliError {
        let socket = self.place.socket();
        let message = format!(
            "the supervisor of this store (process {}) does not listen on {}",
            instance.pid,
            socket.display()
        );
        CliError::new(Kind::Gone, message)
            .hint("give the --runtime-dir that it was started with, or see `session doctor`")
    }
}

/// The session's program does not run, for the reason that its status gives.
pub(crate) fn not_running(session: &Session) -> CliError {
    let name = session.name().map_or_else(|| session.id().to_string(), ToString::to_string);
    let (kind, state) = match session.status() {
        Status::Expired => (ErrorKind::Expired, "has expired"),
        Status::Closed => (ErrorKind::Closed, "is closed"),
        _ if session.process.is_none() => (ErrorKind::NotRunning, "has no program"),
        _ => (ErrorKind::NotRunning, "is not running"),
    };
    CliError::new(kind, format!("session {name} {state}"))
        .hint(format!("`session show {name}` tells what became of it"))
}
