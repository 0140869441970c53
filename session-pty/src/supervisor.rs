//! The process that holds the terminals: it serves clients over a socket until nothing runs and nobody asks.
//!
//! tokio carries the control plane only. Bytes of sessions go over plain threads ([`crate::SessionHandle`]), and
//! the store is reached through threads that may wait.

mod agent;
mod call;
mod connection;
mod custody;
pub(crate) mod detach;
mod following;
mod heir;
mod kept;
mod leaving;
pub(crate) mod listen;
mod log;
mod recording;
mod serving;
pub(crate) mod start;

use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, RwLock};

use session_core::{Clock, Observer, RuntimeError, SessionId, SessionStore, StoreError};
use tokio::sync::Notify;

use crate::instance::InstanceLock;
use crate::keeper::{Inheritance, Link};
use crate::live::Limits;
use crate::place::Place;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::wire::{PROTOCOL_VERSION, SupervisorStatus};

use agent::Agents;
use custody::WithKeeper;
use listen::SocketFile;
pub(crate) use log::{log_line, reopen as reopen_log};
use serving::{Departure, serve};
pub use start::Launcher;
pub(crate) use start::Started;

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
        Some(listener) => listen::adopt(&place, listener, lock.instance.socket.as_ref())?,
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
    supervisor.forget_recordings();
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

impl Supervisor {
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

    /// Forgets where recordings were whose programs have ended without this supervisor. To be called once that is
    /// recorded.
    fn forget_recordings(&self) {
        let place = self.place.clone();
        self.runtime.recorder().post(move |store| {
            if let Err(error) = recording::clean(&place, store) {
                log_line(&format!("looking for recordings that are over: {error}"));
            }
        });
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
            out_of_reach: self.untaken().into_keys().collect(),
            viewers: live.iter().map(|handle| handle.live().viewers).sum(),
            started_at: self.instance.started_at,
        }
    }
}

#[cfg(test)]
mod stage;
