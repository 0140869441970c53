//! The process that holds the terminals: it serves clients over a socket until nothing runs and nobody asks.
//!
//! tokio carries the control plane only. Bytes of sessions go over plain threads ([`crate::SessionHandle`]), and
//! the store is reached through its own thread.

mod call;
mod connection;
mod detach;
mod listen;
mod log;
mod start;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use session_core::{
    Clock, ErrorKind, Observer, RuntimeError, Session, SessionStore, Spawn, StoreError,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::instance::InstanceLock;
use crate::live::{Beginning, Limits};
use crate::place::Place;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::wire::{PROTOCOL_VERSION, SupervisorStatus};

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
}

/// A supervisor's state, shared by its connections.
#[derive(Debug)]
struct Supervisor {
    place: Place,
    runtime: Runtime,
    instance: crate::instance::Instance,
    connections: AtomicUsize,
    /// No program may start any more: it would be left when the others are ended. Read while one starts.
    leaving: RwLock<bool>,
    /// Something changed that may make the supervisor needless.
    changed: Arc<Notify>,
    /// Somebody asked it to end.
    leave: Notify,
}

/// Becomes the supervisor of a store and serves until it is needed no more.
///
/// To be called first thing in a process of its own, which [`Launcher`] starts. `open` opens the store once this
/// is the only instance. Standard output must be the pipe that the launcher waits on: it is told there that the
/// supervisor is ready, or why not.
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
        Ok(Some(prepared)) => {
            report.ready();
            prepared.serve()
        }
        Ok(None) => {
            report.already_there();
            Ok(())
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
    listener: std::os::unix::net::UnixListener,
    socket: SocketFile,
    lock: InstanceLock,
}

fn prepare(
    SupervisorOptions { place, limits }: SupervisorOptions,
    clock: impl Clock + Clone + 'static,
    open: impl FnOnce() -> Result<Arc<dyn SessionStore>, StoreError>,
) -> Result<Option<Prepared>, RuntimeError> {
    detach::detach_from_caller(&place)?;
    let failed = |source| RuntimeError::io("locking the instance", source);
    let Some(lock) = InstanceLock::acquire(&place.instance_lock(), clock.now()).map_err(failed)?
    else {
        listen::ask_to_bind_again(&place.instance_lock());
        return Ok(None);
    };
    crate::os::raise_open_files();
    let store = open()?;
    let observer = Observer { now: clock.now(), live_host: Some(lock.instance.instance.clone()) };
    for lost in store.sweep(&observer)? {
        log_line(&format!("recorded session {} as {}", lost.id(), lost.status()));
    }
    let (listener, socket) = listen::bind(&place)?;
    let changed = Arc::new(Notify::new());
    let options = RuntimeOptions {
        limits,
        output_dir: Some(place.output_dir()),
        host: Some(lock.instance.host()),
    };
    let notice = Arc::clone(&changed);
    let runtime = Runtime::with_notice(store, clock, options, move || notice.notify_one())?;
    let supervisor = Arc::new(Supervisor {
        place,
        runtime,
        instance: lock.instance.clone(),
        connections: AtomicUsize::new(0),
        leaving: RwLock::new(false),
        changed,
        leave: Notify::new(),
    });
    Ok(Some(Prepared { supervisor, listener, socket, lock }))
}

impl Prepared {
    fn serve(self) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("serving clients", source);
        let reactor =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let Self { supervisor, listener, socket, lock } = self;
        let served = reactor.block_on(async {
            let served = serve(&supervisor, listener, socket).await;
            // Connections go on meanwhile: a program that has just started waits for its client, and whoever ended
            // one wants to hear of it.
            supervisor.end_all().await;
            served
        });
        // Closes the connections that are left, which tells those who wait for the end of everything.
        drop(reactor);
        // Last: from here on another instance may begin.
        drop(lock);
        served.map_err(failed)
    }
}

/// Serves until there is a reason to leave; clients then find no socket, and start a new instance, which waits for
/// the lock.
async fn serve(
    supervisor: &Arc<Supervisor>,
    listener: std::os::unix::net::UnixListener,
    mut socket: SocketFile,
) -> io::Result<()> {
    let mut listener = UnixListener::from_std(listener)?;
    let served = accept_all(supervisor, &mut listener, &mut socket).await;
    socket.remove();
    served
}

async fn accept_all(
    supervisor: &Arc<Supervisor>,
    listener: &mut UnixListener,
    socket: &mut SocketFile,
) -> io::Result<()> {
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
                            *listener = UnixListener::from_std(bound)?;
                            *socket = file;
                        }
                        Err(error) => log_line(&format!("binding again: {error}")),
                    }
                }
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => {}
            () = supervisor.leave.notified() => return Ok(()),
            () = supervisor.idle() => return Ok(()),
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
        self.connections.load(Ordering::Acquire) > 0 || self.runtime.is_busy()
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
        match self.runtime.handles().len() {
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
        });
        if let Err(error) = ended.await {
            log_line(&format!("ending the programs, which hang up now: {error}"));
        }
    }

    fn status(&self) -> SupervisorStatus {
        let live = self.runtime.handles();
        let identity = self.place.identity();
        SupervisorStatus {
            pid: std::process::id(),
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
            place,
            runtime: Runtime::new(store, clock, RuntimeOptions::default()).unwrap(),
            instance: lock.instance.clone(),
            connections: AtomicUsize::new(0),
            leaving: RwLock::new(false),
            changed: Arc::default(),
            leave: Notify::new(),
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
