//! The process that holds the terminals: it serves clients over a socket until nothing runs and nobody asks.
//!
//! tokio carries the control plane only. Bytes of sessions go over plain threads ([`crate::SessionHandle`]), and
//! the store is reached through its own thread.

mod connection;
mod listen;
mod log;
mod start;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_core::{Clock, Observer, RuntimeError, SessionStore, StoreError};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::instance::InstanceLock;
use crate::live::Limits;
use crate::place::Place;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::wire::{PROTOCOL_VERSION, SupervisorStatus};

pub(crate) use log::log_line;
pub use start::Launcher;
pub(crate) use start::Started;

/// How long a supervisor that nobody needs stays: a script that starts one program after another should not pay
/// for a new supervisor each time.
const LINGER: Duration = Duration::from_secs(2);

/// How long each step of the ladder takes when the supervisor itself has to end.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Sent for a write beyond the limit of a file's size; a number that signal-hook does not name.
const SIGXFSZ: i32 = 25;

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
    _lock: InstanceLock,
}

fn prepare(
    SupervisorOptions { place, limits }: SupervisorOptions,
    clock: impl Clock + Clone + 'static,
    open: impl FnOnce() -> Result<Arc<dyn SessionStore>, StoreError>,
) -> Result<Option<Prepared>, RuntimeError> {
    detach_from_caller(&place)?;
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
    let listener = listen::bind(&place)?;
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
        changed,
        leave: Notify::new(),
    });
    Ok(Some(Prepared { supervisor, listener, _lock: lock }))
}

/// Leaves the caller's session, directory and file creation mask, and keeps errors in the log.
fn detach_from_caller(place: &Place) -> Result<(), RuntimeError> {
    let failed = |source: io::Error| RuntimeError::io("starting the supervisor", source);
    // From the moment that the lock is held, others may ask with this signal to bind again; until there is somebody
    // to hear it, it must at least not end the process.
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::default()).map_err(failed)?;
    // A caller's limit on file sizes must become an error of the write, not the end of every session.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(failed)?;
    crate::os::close_inherited();
    // Fails only for a process that leads a group already, which is then detached enough.
    let _leads_already = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    std::env::set_current_dir("/").map_err(failed)?;
    place.prepare_runtime_dir()?;
    log::open(&place.log()).map_err(failed)
}

impl Prepared {
    fn serve(self) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("serving clients", source);
        let reactor =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let Self { supervisor, listener, _lock } = self;
        let served = reactor.block_on(serve(&supervisor, listener)).map_err(failed);
        // Unlink first: from here on clients start a new instance, which waits for the lock.
        listen::unlink(&supervisor.place);
        end_all(&supervisor.runtime);
        served
    }
}

async fn serve(
    supervisor: &Arc<Supervisor>,
    listener: std::os::unix::net::UnixListener,
) -> io::Result<()> {
    let mut listener = UnixListener::from_std(listener)?;
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
            _ = bind_again.recv() => match listen::bind(&supervisor.place) {
                Ok(bound) => listener = UnixListener::from_std(bound)?,
                Err(error) => log_line(&format!("binding again: {error}")),
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => {}
            () = supervisor.leave.notified() => return Ok(()),
            () = supervisor.idle() => return Ok(()),
        }
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
        this.connections.fetch_add(1, Ordering::AcqRel);
        let supervisor = Arc::clone(this);
        tokio::spawn(async move {
            if let Err(error) = connection::serve(&supervisor, stream).await {
                log_line(&format!("a client: {error}"));
            }
            supervisor.connections.fetch_sub(1, Ordering::AcqRel);
            supervisor.changed.notify_one();
        });
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
