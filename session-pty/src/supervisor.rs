//! The process that holds the terminals: it serves clients over a socket until nothing runs and nobody asks.
//!
//! tokio carries the control plane only. Bytes of sessions go over plain threads ([`crate::SessionHandle`]), and
//! the store is reached through its own thread.

mod agent;
mod call;
mod connection;
mod custody;
pub(crate) mod detach;
mod following;
mod heir;
mod kept;
pub(crate) mod listen;
mod log;
mod recording;
pub(crate) mod start;

use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use session_core::{
    Clock, ErrorKind, Observer, RuntimeError, Session, SessionId, SessionStore, Spawn, StoreError,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::instance::InstanceLock;
use crate::keeper::{Inheritance, Link};
use crate::live::{Beginning, Limits};
use crate::place::Place;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::wire::{PROTOCOL_VERSION, SupervisorStatus};

use agent::Agents;
use custody::WithKeeper;
use listen::SocketFile;
pub(crate) use log::log_line;
pub use start::Launcher;
pub(crate) use start::Started;

/// How long a supervisor that nobody needs stays: a script that starts one program after another should not pay
/// for a new supervisor each time.
const LINGER: Duration = Duration::from_secs(2);

/// How long each step of the ladder takes when the supervisor itself has to end.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// What a supervisor is given.
#[derive(Debug)]
pub struct SupervisorOptions {
    /// Where it belongs.
    pub place: Place,
    /// How much each session keeps.
    pub limits: Limits,
    /// How a keeper is started: should the one that started this supervisor die, this process becomes one.
    pub keeper: Launcher,
    /// It stays when nothing runs and nobody is connected.
    pub stays: bool,
}

/// A supervisor's state, shared by its connections.
#[derive(Debug)]
struct Supervisor {
    place: Place,
    agents: Agents,
    runtime: Runtime,
    instance: crate::instance::Instance,
    connections: AtomicUsize,
    /// No program may start any more: it would be left when the others are ended. Read while one starts.
    leaving: RwLock<bool>,
    /// Something changed that may make the supervisor needless.
    changed: Arc<Notify>,
    /// Somebody asked it to end, with all programs.
    leave: Notify,
    /// Somebody asked it to make room for the next one.
    make_room: Notify,
    /// The keeper that holds what this supervisor needs; none in tests.
    custody: Option<Arc<WithKeeper>>,
    /// The process of that keeper.
    keeper: Option<u32>,
    /// How to become it.
    keeper_launcher: Launcher,
    stays: bool,
    /// The socket that clients find, for the next supervisor.
    listener: Mutex<Option<std::os::unix::net::UnixListener>>,
}

/// Why a supervisor stops serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    /// Nothing is to be left.
    ForGood,
    /// Programs stay with the keeper, and the next supervisor takes them back.
    ForTheNext,
}

/// Becomes the supervisor of a store and serves until it is needed no more.
///
/// To be called first thing in a process of its own, which a keeper ([`crate::keep`]) starts with its socket as
/// standard input. `open` opens the store. Standard output is the pipe that the launcher of the keeper waits on: it is
/// told there that the supervisor is ready, or why not.
///
/// # Errors
/// Whatever ended it early; the launcher was told.
pub fn supervise(
    options: SupervisorOptions,
    clock: impl Clock + Clone + 'static,
    open: impl FnOnce() -> Result<Arc<dyn SessionStore>, StoreError>,
) -> Result<(), RuntimeError> {
    let report = start::Report::new();
    match prepare(options, clock, open) {
        Ok(prepared) => {
            report.ready();
            prepared.serve()
        }
        Err(error) => {
            report.failed(&error);
            Err(error)
        }
    }
}

/// A supervisor that listens and has yet to serve.
struct Prepared {
    supervisor: Arc<Supervisor>,
    custody: Arc<WithKeeper>,
    listener: std::os::unix::net::UnixListener,
    socket: SocketFile,
    lock: Arc<InstanceLock>,
}

fn prepare(
    SupervisorOptions { place, limits, keeper, stays }: SupervisorOptions,
    clock: impl Clock + Clone + 'static,
    open: impl FnOnce() -> Result<Arc<dyn SessionStore>, StoreError>,
) -> Result<Prepared, RuntimeError> {
    detach::detach_from_caller(&place)?;
    let failed = |source| RuntimeError::io("hearing of the keeper", source);
    let (link, inheritance) = Link::inherit().map_err(failed)?.ok_or_else(|| {
        failed(io::Error::new(io::ErrorKind::NotConnected, "no keeper started this process"))
    })?;
    let Inheritance { keeper: keeper_pid, lock, listener, held } = inheritance;
    crate::os::raise_open_files();
    let store = open()?;
    let observer = Observer { now: clock.now(), live_host: Some(lock.instance.instance.clone()) };
    for lost in store.sweep(&observer)? {
        log_line(&format!("recorded session {} as {}", lost.id(), lost.status()));
    }
    let changed = Arc::new(Notify::new());
    let options = RuntimeOptions {
        limits,
        output_dir: Some(place.output_dir()),
        host: Some(lock.instance.host()),
    };
    let notice = Arc::clone(&changed);
    let agents = Agents::of(&place);
    let custody = Arc::new(WithKeeper::new(link, agents.clone()));
    let runtime = Runtime::in_custody(store, clock, options, custody.clone(), move || {
        notice.notify_one();
    })?;
    let (listener, socket) = match listener {
        Some(listener) => listen::adopt(&place, listener)?,
        None => listen::bind(&place)?,
    };
    custody.link().listener(listener.as_fd());
    let supervisor = Arc::new(Supervisor {
        agents,
        place,
        runtime,
        instance: lock.instance.clone(),
        connections: AtomicUsize::new(0),
        leaving: RwLock::new(false),
        changed,
        leave: Notify::new(),
        make_room: Notify::new(),
        custody: Some(Arc::clone(&custody)),
        keeper: Some(keeper_pid),
        keeper_launcher: keeper,
        stays,
        listener: Mutex::default(),
    });
    let held_ids = held.iter().map(|held| held.id).collect();
    let lock = Arc::new(lock);
    let again = listener.try_clone().map_err(failed)?;
    supervisor.listen_to_keeper(Arc::clone(&lock), again).map_err(failed)?;
    heir::take_back(&supervisor.runtime, &custody, held);
    supervisor.keep_trying();
    supervisor.go_on_recording();
    supervisor.record_missing(held_ids);
    Ok(Prepared { supervisor, custody, listener, socket, lock })
}

impl Prepared {
    fn serve(self) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("serving clients", source);
        let reactor =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let Self { supervisor, custody, listener, socket, lock } = self;
        custody.link().ready();
        let departure = reactor.block_on(async {
            let departure = serve(&supervisor, listener, socket).await;
            if !matches!(departure, Ok(Departure::ForTheNext)) {
                // Connections go on meanwhile: a program that has just started waits for its client, and whoever
                // ended one wants to hear of it.
                supervisor.end_all().await;
            }
            departure
        });
        match departure {
            Ok(Departure::ForTheNext) => supervisor.flush(),
            Ok(Departure::ForGood) | Err(_) => custody.link().leave(),
        }
        // Closes the connections that are left, which tells those who wait for the end of everything.
        drop(reactor);
        // Last: from here on another instance may begin, unless the keeper stays.
        drop(lock);
        departure.map(drop).map_err(failed)
    }
}

/// Serves until there is a reason to leave; clients then find no socket, and start a new instance, which waits for
/// the lock. While the keeper stays, so does the socket.
async fn serve(
    supervisor: &Arc<Supervisor>,
    listener: std::os::unix::net::UnixListener,
    mut socket: SocketFile,
) -> io::Result<Departure> {
    let mut listener = UnixListener::from_std(listener)?;
    let served = accept_all(supervisor, &mut listener, &mut socket).await;
    if !matches!(served, Ok(Departure::ForTheNext)) {
        socket.remove();
    }
    served
}

async fn accept_all(
    supervisor: &Arc<Supervisor>,
    listener: &mut UnixListener,
    socket: &mut SocketFile,
) -> io::Result<Departure> {
    let mut ends: [Signal; 3] = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    let mut bind_again = signal(SignalKind::user_defined1())?;
    loop {
        let [terminate, interrupt, hangup] = &mut ends;
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => Supervisor::welcome(supervisor, stream),
                // Out of descriptors, for instance: those that are connected may free some.
                Err(error) => {
                    log_line(&format!("accepting a client: {error}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = bind_again.recv() => {
                // In place, whoever asked was late or looks elsewhere.
                if !socket.is_in_place() {
                    match listen::bind(&supervisor.place) {
                        Ok((bound, file)) => {
                            supervisor.hand_in(&bound);
                            *listener = UnixListener::from_std(bound)?;
                            *socket = file;
                        }
                        Err(error) => log_line(&format!("binding again: {error}")),
                    }
                }
            }
            _ = terminate.recv() => return Ok(Departure::ForTheNext),
            _ = interrupt.recv() => return Ok(Departure::ForTheNext),
            _ = hangup.recv() => {}
            () = supervisor.make_room.notified() => return Ok(Departure::ForTheNext),
            () = supervisor.leave.notified() => return Ok(Departure::ForGood),
            () = supervisor.idle(), if !supervisor.stays => return Ok(Departure::ForGood),
        }
    }
}

/// A client's connection among those that are counted.
struct Connected(Arc<Supervisor>);

impl Connected {
    fn new(supervisor: &Arc<Supervisor>) -> Self {
        supervisor.connections.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(supervisor))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

impl Supervisor {
    /// Comes back when nothing has run and nobody was connected for a while.
    async fn idle(&self) {
        loop {
            while self.is_needed() {
                self.changed.notified().await;
            }
            let disturbed = tokio::time::timeout(LINGER, self.changed.notified()).await.is_ok();
            if !disturbed && !self.is_needed() {
                return;
            }
        }
    }

    fn is_needed(&self) -> bool {
        self.connections.load(Ordering::Acquire) > 0 || self.runtime.is_busy() || self.untaken() > 0
    }

    /// Serves a client in a task of its own, unless it is somebody else's.
    fn welcome(this: &Arc<Self>, stream: UnixStream) {
        let uid = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
        if uid.ok() != Some(rustix::process::geteuid()) {
            log_line("refused a client of another user");
            return;
        }
        let connected = Connected::new(this);
        tokio::spawn(async move {
            if let Err(error) = connection::serve(&connected.0, stream).await {
                log_line(&format!("a client: {error}"));
            }
        });
    }

    /// Starts a program, unless the supervisor is leaving.
    fn prepare(&self, spawn: Spawn) -> Result<(Session, Beginning), RuntimeError> {
        let leaving = self.leaving.read().unwrap_or_else(PoisonError::into_inner);
        if *leaving {
            return Err(RuntimeError::Remote {
                kind: ErrorKind::Busy,
                message: "the supervisor is ending".to_owned(),
                hint: Some("try again in a moment: the next one is started then".to_owned()),
            });
        }
        self.runtime.prepare(spawn)
    }

    /// Lets no program start any more, and waits for those that are just starting. While programs run
    /// and without `force`, says how many instead.
    fn begin_to_leave(&self, force: bool) -> Result<(), usize> {
        let mut leaving = self.leaving.write().unwrap_or_else(PoisonError::into_inner);
        match self.runtime.handles().len() + self.untaken() {
            running if running > 0 && !force => Err(running),
            _ => {
                *leaving = true;
                Ok(())
            }
        }
    }

    /// Ends every program, on a thread of its own, and comes back when each end is recorded.
    async fn end_all(self: &Arc<Self>) {
        let supervisor = Arc::clone(self);
        let ended = call::on_a_thread("end", move || {
            // With force, nothing keeps it.
            let _nothing = supervisor.begin_to_leave(true);
            end_all(&supervisor.runtime);
            if let Some(custody) = &supervisor.custody {
                heir::end_untaken(custody, LAST_GRACE);
            }
        });
        if let Err(error) = ended.await {
            log_line(&format!("ending the programs, which hang up now: {error}"));
        }
    }

    /// Records a session from now on.
    fn record(&self, id: SessionId) -> Result<(), RuntimeError> {
        let handle = self.runtime.handle(id)?;
        recording::begin(&self.place, handle, self.runtime.clock())
    }

    /// Goes on with the recordings of the supervisor before.
    fn go_on_recording(&self) {
        for handle in self.runtime.handles() {
            let id = handle.id();
            if recording::is_unfinished(&self.place, id)
                && let Err(error) = self.record(id)
            {
                log_line(&format!("going on recording session {id}: {error}"));
            }
        }
    }

    /// Has everything on the medium that was recorded.
    fn flush(&self) {
        match self.runtime.recorder().call(|store| store.flush()) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log_line(&format!("flushing the store: {error}")),
            Err(error) => log_line(&format!("flushing the store: {error}")),
        }
    }

    fn status(&self) -> SupervisorStatus {
        let live = self.runtime.handles();
        let identity = self.place.identity();
        SupervisorStatus {
            pid: std::process::id(),
            keeper: self.keeper,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL_VERSION,
            socket: self.place.socket(),
            store_kind: identity.kind,
            data_dir: identity.data_dir,
            instance: self.instance.instance.clone(),
            sessions: live.len(),
            viewers: live.iter().map(|handle| handle.live().viewers).sum(),
            started_at: self.instance.started_at,
        }
    }
}

/// Ends every program and waits until each end is recorded.
fn end_all(runtime: &Runtime) {
    let stops: Vec<_> = runtime
        .handles()
        .into_iter()
        .map(|handle| {
            std::thread::spawn(move || {
                if let Err(error) = handle.stop(LAST_GRACE) {
                    log_line(&format!("ending session {}: {error}", handle.id()));
                }
            })
        })
        .collect();
    for stop in stops {
        // A panic in it was logged by the default hook; the others still have to be waited for.
        let _panicked = stop.join();
    }
    runtime.see_off_viewers(LAST_GRACE);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use session_core::{MemoryStore, SessionId, Timestamp};

    use super::*;

    fn supervisor(directory: &Path) -> Arc<Supervisor> {
        let clock = || Timestamp::from_millis(1);
        let place = Place::new(directory.join("data"), directory.join("run"), "sqlite");
        let lock = InstanceLock::acquire(&directory.join("lock"), clock()).unwrap().unwrap();
        let store = Arc::new(MemoryStore::new());
        Arc::new(Supervisor {
            agents: Agents::of(&place),
            place,
            runtime: Runtime::new(store, clock, RuntimeOptions::default()).unwrap(),
            instance: lock.instance.clone(),
            connections: AtomicUsize::new(0),
            leaving: RwLock::new(false),
            changed: Arc::default(),
            leave: Notify::new(),
            make_room: Notify::new(),
            custody: None,
            keeper: None,
            keeper_launcher: Launcher { program: None, args: Vec::new() },
            stays: false,
            listener: Mutex::default(),
        })
    }

    #[test]
    fn no_program_starts_while_it_leaves() {
        let directory = tempfile::tempdir().unwrap();
        let supervisor = supervisor(directory.path());
        let at = Timestamp::from_millis(1);
        let session = Session::new(SessionId::from_parts(at, 1), at);
        let spawn = || Spawn { session: session.clone(), environment: Vec::new(), umask: None };
        let before = supervisor.prepare(spawn()).unwrap_err();
        assert_ne!(before.kind(), ErrorKind::Busy);
        supervisor.begin_to_leave(false).unwrap();
        assert_eq!(supervisor.prepare(spawn()).unwrap_err().kind(), ErrorKind::Busy);
    }

    #[test]
    fn a_connection_that_fails_counts_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let supervisor = supervisor(directory.path());
        let connected = Connected::new(&supervisor);
        assert!(supervisor.is_needed());
        let failed = std::thread::spawn(move || {
            let _connected = connected;
            panic!("as a task might");
        });
        assert!(failed.join().is_err());
        assert!(!supervisor.is_needed());
    }
}
