//! A supervisor and its keeper: what it hands in, what it hears, what it takes back, and how it becomes the keeper itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, PoisonError};

use session_core::{ErrorKind, RuntimeError, SessionId};

use super::custody::WithKeeper;
use super::{Supervisor, heir, log_line};
use crate::instance::InstanceLock;
use crate::keeper::{self, Notice};

impl Supervisor {
    /// Hears what the keeper says, on a thread of its own. When the keeper is gone, this process becomes it.
    pub(super) fn listen_to_keeper(
        self: &Arc<Self>,
        lock: Arc<InstanceLock>,
        listener: UnixListener,
    ) -> io::Result<()> {
        let Some(custody) = self.custody.clone() else { return Ok(()) };
        let supervisor = Arc::clone(self);
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
        std::thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            custody.link().clone().run(|notice| match notice {
                Notice::EndAll => supervisor.leave.notify_one(),
                ended => custody.heard(&ended),
            });
            supervisor.succeed_keeper(&custody, &lock);
        })?;
        Ok(())
    }

    /// Becomes the keeper, which starts another supervisor.
    fn succeed_keeper(&self, custody: &WithKeeper, lock: &InstanceLock) {
        // Nobody may start a program meanwhile, which would get every descriptor that is left behind.
        let leaving = self.leaving.write().unwrap_or_else(PoisonError::into_inner);
        if *leaving {
            return;
        }
        log_line("the keeper is gone: this process takes its place");
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = listener.as_ref().map(|listener| listener.as_fd());
        let error = keeper::succeed(lock, listener, &custody.all(), &self.keeper_launcher);
        log_line(&format!("without a keeper, programs end with this process: {error}"));
    }

    /// Tells the keeper which program comes next: the one that is now where this one was.
    pub(super) fn name_next(&self) -> Result<(), RuntimeError> {
        let refused = |message: String| RuntimeError::Remote {
            kind: ErrorKind::Unsupported,
            message,
            hint: None,
        };
        let custody = self.custody.as_ref().ok_or_else(|| refused("there is no keeper".into()))?;
        let program = crate::os::program_on_disk()
            .map_err(|source| RuntimeError::io("looking for the program", source))?;
        let told = custody.link().restart(&program);
        told.map_err(|source| RuntimeError::io("telling the keeper", source))
    }

    /// Gives the keeper the socket that clients find.
    pub(super) fn hand_in(&self, listener: &UnixListener) {
        if let Some(custody) = &self.custody {
            custody.link().listener(listener.as_fd());
        }
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener.try_clone().ok();
    }

    /// Has programs recorded as lost that ended with the supervisor before this one.
    pub(super) fn record_missing(&self, held: BTreeSet<SessionId>) {
        let (instance, now) = (self.instance.clone(), self.runtime.now());
        self.runtime.recorder().post(move |store| {
            if let Err(error) = heir::record_missing(store, &instance, &held, now) {
                log_line(&format!("recording what was lost: {error}"));
            }
        });
    }

    /// Sessions that the keeper holds and that could not be taken back yet, and why.
    pub(super) fn untaken(&self) -> BTreeMap<SessionId, String> {
        self.custody.as_ref().map_or_else(BTreeMap::new, |custody| custody.untaken())
    }

    /// Takes back, on a thread of its own, what could not be at first.
    pub(super) fn keep_trying(self: &Arc<Self>) {
        let Some(custody) = self.custody.clone().filter(|_| !self.untaken().is_empty()) else {
            return;
        };
        let supervisor = Arc::clone(self);
        let thread = std::thread::Builder::new().name("taking back".to_owned());
        let work = move || heir::keep_trying(&supervisor.runtime, &custody);
        if let Err(error) = thread.spawn(work) {
            log_line(&format!("trying again to take sessions back: {error}"));
        }
    }

    /// Why a session that runs is out of reach, if it is.
    pub(super) fn out_of_reach(&self, id: SessionId) -> Option<RuntimeError> {
        let why = self.untaken().remove(&id)?;
        Some(RuntimeError::Remote {
            kind: ErrorKind::Busy,
            message: format!("session {id} runs, and could not be taken back yet: {why}"),
            hint: Some(
                "`session supervisor upgrade` tries again, `session supervisor stop --force` ends it"
                    .to_owned(),
            ),
        })
    }
}
