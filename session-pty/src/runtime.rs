//! Programs that run inside this process, recorded into a store.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{
    Clock, Exit, Host, Process, ProcessState, RuntimeError, Session, SessionId, SessionRuntime,
    SessionStore, SessionStoreExt, Spawn, Status, StoreError, Subscription, TerminalSize,
};

use crate::events::{Cursor, CursorError, Event, Happening, Hub, Witness};
use crate::live::{
    Adopted, Beginning, Custody, Limits, NoCustody, OnEnd, Program, Remains, SessionHandle,
    Setting, check_directory, find_program,
};
use crate::output::Kept;
use crate::recorder::{End, Recorder};
use crate::subscription::{Ended, Watch};
use crate::supervisor::log_line;
use crate::wire::{Feed, ViewerSpec};

/// What a runtime is given beside its store.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// How much each session keeps.
    pub limits: Limits,
    /// Where logs and last screens go when programs end; `None` keeps nothing.
    pub output_dir: Option<PathBuf>,
    /// Under which host programs are recorded; `None` when nobody else will ever look for them.
    pub host: Option<Host>,
}

/// A runtime inside this process. Its programs hang up with it.
#[derive(Clone, Debug)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: Recorder,
    events: Arc<Hub>,
    clock: Arc<dyn Clock>,
    options: RuntimeOptions,
    setting: Setting,
    custody: Arc<dyn Custody>,
    sessions: Mutex<BTreeMap<SessionId, SessionHandle>>,
    /// How many relays have not seen off their last viewer.
    relays: Mutex<usize>,
    relay_left: Condvar,
    /// Called after each change of the number of running programs.
    changed: Box<dyn Fn() + Send + Sync>,
}

/// One relay among those that are counted.
struct Counted(Arc<Inner>);

impl Counted {
    fn new(inner: &Arc<Inner>) -> Self {
        *lock(&inner.relays) += 1;
        Self(Arc::clone(inner))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *lock(&self.0.relays) -= 1;
        self.0.relay_left.notify_all();
        (self.0.changed)();
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime that records into `store`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(
        store: Arc<dyn SessionStore>,
        clock: impl Clock + 'static,
        options: RuntimeOptions,
    ) -> Result<Self, RuntimeError> {
        Self::in_custody(store, clock, options, Arc::new(NoCustody), || {})
    }

    /// Like [`Self::new`], with somebody who holds what programs need to go on after this process; `changed` is
    /// called whenever a program has started or ended.
    pub(crate) fn in_custody(
        store: Arc<dyn SessionStore>,
        clock: impl Clock + 'static,
        options: RuntimeOptions,
        custody: Arc<dyn Custody>,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, RuntimeError> {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let events = Hub::new(Arc::clone(&clock))
            .map_err(|source| RuntimeError::io("drawing an epoch for events", source))?;
        let inner = Inner {
            recorder: Recorder::start(store)?,
            setting: Setting::new(options.limits, Arc::clone(&custody), events.witness()),
            events,
            clock,
            custody,
            options,
            sessions: Mutex::default(),
            relays: Mutex::new(0),
            relay_left: Condvar::new(),
            changed: Box::new(changed),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The running program of a session.
    ///
    /// # Errors
    /// `NotRunning` when none runs here, `NotFound` when there is no such session.
    pub fn handle(&self, id: SessionId) -> Result<SessionHandle, RuntimeError> {
        if let Some(handle) = self.sessions().get(&id) {
            return Ok(handle.clone());
        }
        self.inner.recorder.call(move |store| store.get(id))??;
        Err(RuntimeError::NotRunning { id })
    }

    /// What is kept of a program that has ended, and how it ended.
    ///
    /// # Errors
    /// Whatever the store or the operating system reports.
    pub(crate) fn kept(&self, id: SessionId) -> Result<Option<(Kept, Exit)>, RuntimeError> {
        let Some(directory) = &self.inner.options.output_dir else { return Ok(None) };
        let session = self.inner.recorder.call(move |store| store.get(id))??;
        let exit = session.process.and_then(|process| process.state.exit());
        let kept = crate::output::read_kept(directory, id)
            .map_err(|source| RuntimeError::io("reading the kept output", source))?;
        Ok(kept.zip(exit))
    }

    /// Watches a running program; `None` when it has ended.
    fn watch(&self, id: SessionId, feed: Feed) -> Result<Option<Watch>, RuntimeError> {
        let from = (feed == Feed::Log).then_some(0);
        let viewer = ViewerSpec { read_only: true, feed, from, ..ViewerSpec::default() };
        match self.handle(id).and_then(|handle| handle.watch(viewer)) {
            Ok(stream) => Watch::admitted(stream),
            Err(RuntimeError::NotRunning { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All running programs, oldest first.
    #[must_use]
    pub fn handles(&self) -> Vec<SessionHandle> {
        self.sessions().values().cloned().collect()
    }

    /// What has happened to the session, or to all of them: the newest 4,096 events of this runtime, those after the
    /// cursor if there is one. A first event of type gap says that more happened in between.
    ///
    /// # Errors
    /// When the cursor is ahead of all events.
    pub fn events(
        &self,
        session: Option<SessionId>,
        after: Option<Cursor>,
    ) -> Result<Vec<Event>, CursorError> {
        self.inner.events.since(after, session)
    }

    /// The events of this runtime.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.inner.events
    }

    /// Whether a program of the session runs, or its end is not yet told to who listens to events.
    pub(crate) fn runs(&self, id: SessionId) -> bool {
        self.sessions().contains_key(&id)
    }

    /// Whether a program runs, an end is not yet recorded, or a viewer has yet to fetch the last output.
    pub(crate) fn is_busy(&self) -> bool {
        !self.sessions().is_empty() || *lock(&self.inner.relays) > 0
    }

    /// Waits until no viewer of an ended program is left, and nobody who has yet to hear of it, each at most for
    /// `timeout`.
    pub(crate) fn see_off_viewers(&self, timeout: Duration) {
        let relays = lock(&self.inner.relays);
        // Those that still have not fetched everything are left to themselves.
        let _in_time = self.inner.relay_left.wait_timeout_while(relays, timeout, |left| *left > 0);
        self.inner.events.see_off(timeout);
    }

    /// The thread that owns the store.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    /// The present.
    pub(crate) fn now(&self) -> session_core::Timestamp {
        self.inner.clock.now()
    }

    /// Starts a program whose output waits until it is begun.
    pub(crate) fn prepare(&self, spawn: Spawn) -> Result<(Session, Beginning), RuntimeError> {
        let Spawn { session, environment, umask } = spawn;
        let program = program_of(&session, environment, umask)?;
        let session = self.reserve(session)?;
        let id = session.id();
        let started = SessionHandle::start(id, program, &self.inner.setting, self.on_end());
        let (handle, beginning) = match started {
            Ok(started) => started,
            Err(source) => {
                self.record_failed_start(id);
                self.inner.custody.released(id);
                let argv = session.launch.as_ref().map(|launch| launch.argv.as_slice());
                let program = argv.and_then(<[_]>::first).cloned().unwrap_or_default();
                return Err(RuntimeError::StartFailed { program, source });
            }
        };
        self.sessions().insert(id, handle.clone());
        match self.record_start(&handle) {
            Ok(session) => {
                let name = session.name().cloned();
                self.witness()(id, Happening::Created { name });
                (self.inner.changed)();
                Ok((session, beginning))
            }
            Err(error) => {
                // Nobody could find a program that is not recorded: it must not stay.
                drop(beginning);
                let _ended_by_itself = handle.stop(Duration::from_millis(200));
                Err(error)
            }
        }
    }

    /// Goes on with a program that somebody else held since the runtime before this one. One that has ended, and whose
    /// session the store does not know, leaves nothing but its output.
    ///
    /// # Errors
    /// What the store reports, whose word is needed; whatever the operating system says. Then nothing has changed.
    pub(crate) fn take_back(&self, id: SessionId, adopted: Adopted) -> Result<(), RuntimeError> {
        let is_starting = match self.inner.recorder.call(move |store| store.get(id))? {
            Err(StoreError::NotFound { .. }) if adopted.ended.is_told() => {
                log_line(&format!(
                    "session {id} has ended and is not in the store: only its output is kept"
                ));
                false
            }
            found => match found?.process.filter(|process| process.state.is_live()) {
                Some(process) => process.state == ProcessState::Starting,
                None => {
                    // Its end was recorded, and that was not said any more.
                    self.inner.custody.released(id);
                    return Ok(());
                }
            },
        };
        let (handle, beginning) =
            SessionHandle::adopt(id, adopted, &self.inner.setting, self.on_end())
                .map_err(|source| RuntimeError::io("taking a session back", source))?;
        self.sessions().insert(id, handle.clone());
        if is_starting {
            match self.record_start(&handle) {
                Ok(session) => {
                    let name = session.name().cloned();
                    self.witness()(id, Happening::Created { name });
                }
                Err(error) => log_line(&format!("recording the start of session {id}: {error}")),
            }
        }
        beginning.begin(None);
        (self.inner.changed)();
        Ok(())
    }

    /// Stores the session as about to start, which takes its name before anything runs.
    fn reserve(&self, mut session: Session) -> Result<Session, RuntimeError> {
        session.process = Some(Process::starting(self.now(), self.inner.options.host.clone()));
        session.lifecycle.status = Status::Pending;
        Ok(self.inner.recorder.call(move |store| store.create(session))??)
    }

    fn record_start(&self, handle: &SessionHandle) -> Result<Session, RuntimeError> {
        let (id, pid, at) = (handle.id(), handle.pid(), self.now());
        let recorded = self.inner.recorder.call(move |store| {
            store.update_with(id, at, |session| {
                if let Some(process) = &mut session.process {
                    process.state = ProcessState::Running;
                    process.pid = Some(pid);
                    process.pid_start = crate::os::process_start(pid);
                }
                session.set_status(Status::Running)?;
                Ok::<_, StoreError>(())
            })
        });
        Ok(recorded??)
    }

    fn record_failed_start(&self, id: SessionId) {
        let at = self.now();
        // The error of the start is what the caller gets to hear; a store that fails as well is found out by the
        // next sweep.
        let _second_error = self.inner.recorder.call(move |store| {
            store.update_with(id, at, |session| {
                session.process = None;
                session.set_status(Status::Failed)?;
                session.lifecycle.ended_at = Some(at);
                Ok::<_, StoreError>(())
            })
        });
    }

    /// What happens, on the relay's thread, when the program ends.
    fn on_end(&self) -> OnEnd {
        let until_all_left = Box::new(Counted::new(&self.inner));
        let (runtime, witness) = (self.clone(), self.witness());
        let record = Box::new(move |remains: Remains| {
            let (id, exit, inner) = (remains.id, remains.exit, Arc::clone(&runtime.inner));
            let recorded = Box::new(move || {
                {
                    // Both at once: whoever finds that it does not run any more finds its end among the events.
                    let mut sessions = lock(&inner.sessions);
                    witness(id, Happening::exited(exit));
                    sessions.remove(&id);
                }
                inner.custody.released(id);
                (inner.changed)();
            });
            let output_dir = runtime.inner.options.output_dir.clone();
            let at = runtime.now();
            runtime.inner.recorder.end(End { remains, at, output_dir, recorded });
        });
        OnEnd { record, until_all_left }
    }

    /// Who is told what happens to sessions.
    fn witness(&self) -> Witness {
        self.inner.events.witness()
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, SessionHandle>> {
        lock(&self.inner.sessions)
    }
}

impl SessionRuntime for Runtime {
    fn spawn(&self, spawn: Spawn) -> Result<Session, RuntimeError> {
        let (session, beginning) = self.prepare(spawn)?;
        beginning.begin(None);
        Ok(session)
    }

    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError> {
        self.handle(id)?.write(bytes)
    }

    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError> {
        self.handle(id)?.resize(size)
    }

    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        match self.watch(id, Feed::Output)? {
            Some(watch) => Ok(Box::new(watch)),
            None => Ok(Box::new(Ended::new(self.wait(id, None)?))),
        }
    }

    fn replay(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        if let Some(watch) = self.watch(id, Feed::Log)? {
            return Ok(Box::new(watch));
        }
        // The output is kept before the end is recorded.
        let exit = self.wait(id, None)?;
        let kept = self.kept(id)?.map(|(kept, _)| kept);
        Ok(Box::new(Ended::with_output(kept, exit)))
    }

    fn stop(&self, id: SessionId, grace: Duration) -> Result<Exit, RuntimeError> {
        self.handle(id)?.stop(grace)
    }

    fn wait(&self, id: SessionId, timeout: Option<Duration>) -> Result<Option<Exit>, RuntimeError> {
        match self.handle(id) {
            Ok(handle) => Ok(handle.wait(timeout)),
            Err(RuntimeError::NotRunning { .. }) => {
                let session = self.inner.recorder.call(move |store| store.get(id))??;
                let process = session.process.ok_or(RuntimeError::NotRunning { id })?;
                Ok(Some(process.state.exit().unwrap_or(Exit::Unknown)))
            }
            Err(error) => Err(error),
        }
    }
}

/// What to execute, checked before anything is stored: a mistyped command leaves no trace.
fn program_of(
    session: &Session,
    mut environment: Vec<(OsString, OsString)>,
    umask: Option<u32>,
) -> Result<Program, RuntimeError> {
    let id = session.id();
    let launch = session.launch.as_ref().ok_or(RuntimeError::NothingToStart { id })?;
    let name = launch.argv.first().ok_or(RuntimeError::NothingToStart { id })?;
    let workdir = Path::new(&launch.workdir);
    check_directory(workdir).map_err(|reason| RuntimeError::InvalidWorkdir {
        workdir: launch.workdir.clone(),
        reason: reason.to_string(),
    })?;
    let own = [
        ("SESSION_ID", Some(id.to_string())),
        ("SESSION_NAME", session.name().map(ToString::to_string)),
    ];
    let added = launch.env.iter().map(|(key, value)| (key.as_str(), Some(value.clone())));
    for (key, value) in added.chain(own) {
        environment.retain(|(known, _)| known != key);
        environment.extend(value.map(|value| (key.into(), value.into())));
    }
    let path = environment.iter().find(|(key, _)| key == "PATH").map(|(_, path)| path.as_os_str());
    let file = find_program(name, path, workdir).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            RuntimeError::CommandNotFound { program: name.clone() }
        }
        _ => RuntimeError::StartFailed { program: name.clone(), source },
    })?;
    if !environment.iter().any(|(key, _)| key == "TERM") {
        environment.push(("TERM".into(), OsStr::new("xterm-256color").into()));
    }
    let size = launch.size.unwrap_or(TerminalSize::DEFAULT);
    let (argv, workdir) = (launch.argv.clone(), workdir.to_owned());
    Ok(Program { file, argv, workdir, environment, umask, size })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map insertion or removal is done or not done; there is no half of one to be afraid of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
