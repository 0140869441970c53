//! The supervisor from the command's side: whether it is there, and what it says of running sessions.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use session_core::{
    ErrorKind, ProcessState, Query, RuntimeError, Scope, Session, SessionId, Status,
};
use session_pty::{Client, Instance, LiveSession, Presence};

use crate::backend;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::output::text::{called, number};

/// How long the record of an end is waited for, and how often it is looked for.
const SETTLING: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// How long a supervisor that was told to end may take: three steps for each program, all programs at once.
const END_TIMEOUT: Duration = Duration::from_secs(30);
const END_PAUSE: Duration = Duration::from_millis(10);

/// How often something is asked anew of another supervisor.
const ASKED: u32 = 20;

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

    /// A session whose program is just being started: as it is once that is recorded, which takes a moment.
    pub(crate) fn started(&self, id: SessionId) -> Result<Session, CliError> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let session = self.seen(id)?;
            let state = session.process.as_ref().map(|process| process.state);
            if state != Some(ProcessState::Starting) || Instant::now() > deadline {
                return Ok(session);
            }
            std::thread::sleep(PAUSE);
        }
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

    /// A connection to the supervisor, `None` when there is none, an error when there is one that cannot be reached.
    pub(crate) fn supervisor(&self) -> Result<Option<Client>, CliError> {
        if let Some(client) = Client::connect(&self.place)? {
            return Ok(Some(client));
        }
        match Instance::alive(&self.place.instance_lock()) {
            Ok(Some(instance)) => Err(self.unreachable(&instance)),
            _ => Ok(None),
        }
    }

    /// Ends the supervisor and waits until it is gone; whether there was one.
    ///
    /// # Errors
    /// `still-running` while programs run, unless they are to be ended, too.
    pub(crate) fn end_supervisor(&self, force: bool) -> Result<bool, CliError> {
        let Some(client) = self.supervisor()? else { return Ok(false) };
        let lock = self.place.instance_lock();
        let alive = || {
            Instance::alive(&lock)
                .map_err(|error| crate::invocation::presence_unknown(&self.place, &error))
        };
        let instance = alive()?;
        client.shutdown(force)?;
        // The lock is the last thing that it lets go: then every end is recorded.
        let deadline = Instant::now() + END_TIMEOUT;
        // The instance goes on while one supervisor follows another.
        let same = |now: &Option<Instance>| match (now, &instance) {
            (Some(now), Some(before)) => now.instance == before.instance,
            _ => false,
        };
        while same(&alive()?) {
            if Instant::now() > deadline {
                let message = "the supervisor is still ending its programs";
                return Err(CliError::new(ErrorKind::Timeout, message)
                    .hint("`session supervisor status` tells when it is gone"));
            }
            std::thread::sleep(END_PAUSE);
        }
        Ok(true)
    }

    /// Everything that runs, as the record says and as it is seen from here.
    pub(crate) fn running(&self) -> Result<Vec<Session>, CliError> {
        let observer = self.observer()?;
        let mut query = Query::new(observer.clone());
        query.statuses = [Status::Pending, Status::Running].into();
        query.scope = Scope::All;
        let page = self.reading()?.list(&query)?;
        let seen = page.sessions.iter().map(|session| session.observed_by(&observer).into_owned());
        Ok(seen.filter(Session::has_live_process).collect())
    }

    /// Goes on only while no program runs.
    ///
    /// # Errors
    /// `still-running` otherwise.
    pub(crate) fn refuse_while_running(&self) -> Result<(), CliError> {
        let running = match self.supervisor()? {
            Some(mut client) => client.status()?.sessions,
            None => 0,
        };
        // A store that cannot be read holds nobody up: it may be the one to be put right.
        match running.max(self.running().map_or(0, |running| running.len())) {
            0 => Ok(()),
            running => {
                Err(still_running(&format!("{} still running", number(running as u64, "program"))))
            }
        }
    }

    /// Keeps programs from running as long as the answer is held. An idle supervisor is ended for that.
    ///
    /// # Errors
    /// `still-running` while programs run.
    pub(crate) fn alone(&self) -> Result<Presence, CliError> {
        self.refuse_while_running()?;
        backend::make_data_dir(&self.plan)?;
        self.end_supervisor(false)?;
        match self.presence()? {
            absent @ Presence::Absent(_) => Ok(absent),
            Presence::Alive(_) => Err(still_running("a supervisor has just started")),
        }
    }

    /// Asks the supervisor of a session for something that may be asked twice: when it dies over it, the next one is
    /// asked.
    ///
    /// # Errors
    /// What it refuses, and as for [`Self::client_for`].
    pub(crate) fn ask<T>(
        &self,
        session: &Session,
        ask: impl Fn(Client) -> Result<T, RuntimeError>,
    ) -> Result<T, CliError> {
        let mut left = ASKED;
        loop {
            match ask(self.client_for(session)?) {
                Err(RuntimeError::Io { source, .. }) if is_broken(&source) && left > 0 => left -= 1,
                answer => return Ok(answer?),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// A session of which nothing more is told, once its record says so: [`Self::settled`].
    ///
    /// # Errors
    /// When its program goes on, or as far as anybody knows.
    pub(crate) fn settled_after_stream(&self, id: SessionId) -> Result<Session, CliError> {
        // Whatever keeps supervisors from coming up may keep the record from being read.
        self.refuse_given_up()?;
        let session = self.settled(id)?;
        if session.has_live_process() {
            let called = called(&session);
            return Err(CliError::new(
                ErrorKind::Gone,
                format!("the connection to {called} was lost"),
            )
            .hint("its program goes on as far as anybody knows: try again"));
        }
        Ok(session)
    }

    /// # Errors
    /// When a keeper lives that has given up starting supervisors.
    pub(crate) fn refuse_given_up(&self) -> Result<(), CliError> {
        match Instance::alive(&self.place.instance_lock()) {
            Ok(Some(instance)) if instance.given_up.is_some() => Err(self.unreachable(&instance)),
            _ => Ok(()),
        }
    }

    /// The supervisor lives, and its socket is not where it should be.
    pub(crate) fn unreachable(&self, instance: &Instance) -> CliError {
        if let Some(why) = &instance.given_up {
            return CliError::new(ErrorKind::StartFailed, format!("no supervisor comes up: {why}"))
                .hint(
                    "programs go on, and every command tries again; `session doctor` names the log",
                );
        }
        let message = format!(
            "the supervisor of this store (process {}) does not listen on {}",
            instance.pid,
            self.place.socket().display()
        );
        let elsewhere = instance.socket.as_ref().map(|socket| socket.path.as_path());
        let hint =
            match elsewhere.filter(|path| **path != self.place.socket()).and_then(Path::parent) {
                Some(directory) => format!("give --runtime-dir {}", directory.display()),
                None => "`session doctor` may know why".to_owned(),
            };
        CliError::new(ErrorKind::Gone, message).hint(hint)
    }
}

fn is_broken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn still_running(message: &str) -> CliError {
    CliError::new(ErrorKind::StillRunning, message).hint("`session stop --all` ends them")
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
