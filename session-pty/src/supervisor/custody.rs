//! What the keeper holds for this supervisor, and what this one needs to become the keeper itself.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use session_core::SessionId;

use super::agent::Agents;
use crate::keeper::{Held, Link, Notice};
use crate::live::{Custody, ExitTeller};

/// The keeper, with a copy of everything that it holds: should it die, this process takes its place.
#[derive(Debug)]
pub(super) struct WithKeeper {
    link: Link,
    held: Mutex<Vec<Held>>,
    ends: Mutex<Ends>,
    /// Sessions that could not be taken back yet, and why.
    untaken: Mutex<BTreeMap<SessionId, String>>,
    agents: Agents,
}

/// Ends that only the keeper sees.
#[derive(Debug, Default)]
struct Ends {
    /// Those who wait for one.
    waiting: BTreeMap<SessionId, ExitTeller>,
    /// Those that nobody has asked for yet, with their wait statuses.
    early: BTreeMap<SessionId, i32>,
}

impl WithKeeper {
    pub(super) fn new(link: Link, agents: Agents) -> Self {
        Self {
            link,
            held: Mutex::default(),
            ends: Mutex::default(),
            untaken: Mutex::default(),
            agents,
        }
    }

    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    /// Somebody waits for the end of a program that the keeper watches.
    pub(super) fn wait_for(&self, id: SessionId, teller: ExitTeller) {
        let mut ends = lock(&self.ends);
        match ends.early.remove(&id) {
            Some(status) => teller.tell(status),
            None => _ = ends.waiting.insert(id, teller),
        }
    }

    /// A session stays with the keeper for now.
    pub(super) fn leave_there(&self, id: SessionId, why: String) {
        lock(&self.untaken).insert(id, why);
    }

    /// It was taken back after all.
    pub(super) fn has_taken(&self, id: SessionId) {
        lock(&self.untaken).remove(&id);
    }

    /// Sessions that could not be taken back yet, and why.
    pub(super) fn untaken(&self) -> BTreeMap<SessionId, String> {
        lock(&self.untaken).clone()
    }

    /// A copy of what the keeper holds of a session.
    pub(super) fn copy(&self, id: SessionId) -> Option<io::Result<Held>> {
        let all = lock(&self.held);
        let held = all.iter().find(|held| held.id == id)?;
        let copied = || {
            Ok(Held {
                id,
                pid: held.pid,
                master: held.master.try_clone()?,
                slave: held.slave.try_clone()?,
                journal: held.journal.try_clone()?,
                ended: held.ended,
                skip: held.skip,
            })
        };
        Some(copied())
    }

    /// Passes on what the keeper has seen.
    pub(super) fn heard(&self, notice: &Notice) {
        if let Notice::Ended { id, status, .. } = notice {
            self.change(*id, |held| held.ended = Some(*status));
            let mut ends = lock(&self.ends);
            match ends.waiting.remove(id) {
                Some(teller) => teller.tell(*status),
                None => _ = ends.early.insert(*id, *status),
            }
        }
    }

    /// Knows of what the keeper held before this supervisor began.
    pub(super) fn remember(&self, held: Held) {
        let mut all = lock(&self.held);
        all.retain(|known| known.id != held.id);
        all.push(held);
    }

    /// Everything that the keeper holds.
    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Held>> {
        lock(&self.held)
    }

    fn change(&self, id: SessionId, change: impl FnOnce(&mut Held)) {
        let mut all = lock(&self.held);
        all.iter_mut().find(|held| held.id == id).map(change);
    }
}

impl Custody for WithKeeper {
    fn deposit(
        &self,
        id: SessionId,
        master: BorrowedFd<'_>,
        slave: BorrowedFd<'_>,
        journal: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let copy = |fd: BorrowedFd<'_>| -> io::Result<OwnedFd> {
            Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
        };
        let known =
            lock(&self.held).iter().find(|held| held.id == id).map(|held| (held.pid, held.ended));
        let (pid, ended) = known.unwrap_or_default();
        let held = Held {
            id,
            pid,
            master: copy(master)?,
            slave: copy(slave)?,
            journal: copy(journal)?,
            ended,
            skip: false,
        };
        self.link.deposit(id, master, slave, journal)?;
        self.remember(held);
        Ok(())
    }

    fn started(&self, id: SessionId, pid: u32) {
        self.change(id, |held| held.pid = Some(pid));
        self.link.started(id, pid);
    }

    fn released(&self, id: SessionId) {
        lock(&self.held).retain(|held| held.id != id);
        lock(&self.untaken).remove(&id);
        let mut ends = lock(&self.ends);
        ends.waiting.remove(&id);
        ends.early.remove(&id);
        drop(ends);
        self.agents.forget(id);
        self.link.release(id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is a single change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
