//! What is kept: terminals, journals, and how programs ended that nobody else was there to see.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use session_core::SessionId;

use super::packet::{Told, UNKNOWN_END};
use super::succession::Heirloom;

/// So many ends of unknown processes are remembered: a program's number may become known after its end.
const EARLY_ENDS: usize = 64;

/// So many refusals wait to be told. A supervisor that deposits without waiting for answers hears of no more.
const REFUSALS: usize = 256;

/// A session that killed so many supervisors while it was taken back is handed out with a warning.
const DEADLY: u32 = 2;

/// Both ends of a terminal and the journal of what came from it.
#[derive(Debug)]
pub(super) struct Descriptors {
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
    pub(super) journal: OwnedFd,
}

/// What is kept for a session.
#[derive(Debug)]
pub(super) struct Deposit {
    id: SessionId,
    descriptors: Descriptors,
    pid: Option<Pid>,
    ended: Option<i32>,
    /// How often a supervisor ended while it took the session back.
    deaths: u32,
    is_being_taken: bool,
    /// How many early ends there had been: its program's is none of those.
    ends_before: u64,
    /// Becomes readable when the program ends, if that is no child of this process.
    stranger: Option<OwnedFd>,
    untold: Untold,
}

/// What the supervisor has yet to be told of a session.
#[derive(Debug, Default)]
struct Untold {
    held: bool,
    deposited: bool,
    ended: bool,
}

/// Everything that is kept.
#[derive(Debug)]
pub(super) struct Deposits {
    kept: Vec<Deposit>,
    most: usize,
    refusals: VecDeque<(SessionId, Errno)>,
    early_ends: VecDeque<(Pid, i32)>,
    /// How many ends there were before those that are remembered.
    forgotten_ends: u64,
}

impl Descriptors {
    /// In the order in which packets have them.
    pub(super) fn from_packet(fds: Vec<OwnedFd>) -> Option<Self> {
        let [master, slave, journal] = <[OwnedFd; 3]>::try_from(fds).ok()?;
        Some(Self { master, slave, journal })
    }

    fn in_order(&self) -> [BorrowedFd<'_>; 3] {
        [self.master.as_fd(), self.slave.as_fd(), self.journal.as_fd()]
    }
}

impl Deposits {
    /// Nothing yet, and room for `most` sessions.
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            most,
            refusals: VecDeque::new(),
            early_ends: VecDeque::new(),
            forgotten_ends: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps a session as another keeper did. What is known of its program is believed.
    pub(super) fn inherit(&mut self, Heirloom { id, descriptors, pid, ended, skip }: Heirloom) {
        let deaths = if skip { DEADLY } else { 0 };
        let deposit = Deposit { pid, ended, deaths, ..self.begin(id, descriptors) };
        self.kept.push(deposit);
    }

    /// Keeps a session, or refuses to. One that is kept already has other descriptors from now on.
    pub(super) fn deposit(&mut self, id: SessionId, descriptors: Result<Descriptors, Errno>) {
        let descriptors = match descriptors {
            Ok(descriptors) => descriptors,
            Err(refusal) => return self.refuse(id, refusal),
        };
        if let Some(deposit) = self.find(id) {
            deposit.descriptors = descriptors;
            deposit.untold.deposited = true;
        } else if self.kept.len() < self.most {
            let mut deposit = self.begin(id, descriptors);
            deposit.untold.deposited = true;
            self.kept.push(deposit);
        } else {
            self.refuse(id, Errno::MFILE);
        }
    }

    /// The session's program has this number. It may have ended meanwhile.
    pub(super) fn started(&mut self, id: SessionId, pid: Pid) {
        let Self { kept, early_ends, forgotten_ends, .. } = self;
        let Some(deposit) = kept.iter_mut().find(|deposit| deposit.id == id) else { return };
        if deposit.pid == Some(pid) {
            return;
        }
        deposit.pid = Some(pid);
        deposit.ended = None;
        let remembered = (*forgotten_ends..).zip(early_ends.iter());
        let own = remembered.filter(|(number, _)| *number >= deposit.ends_before);
        let end = own.map(|(_, end)| *end).find(|(other, _)| *other == pid);
        if let Some((_, status)) = end {
            early_ends.retain(|(other, _)| *other != pid);
            *forgotten_ends += 1;
            deposit.end(status);
        }
    }

    /// Forgets a session and closes what was kept for it.
    pub(super) fn release(&mut self, id: SessionId) {
        self.kept.retain(|deposit| deposit.id != id);
    }

    /// From here on the supervisor's end counts against the session.
    pub(super) fn taking(&mut self, id: SessionId) {
        if let Some(deposit) = self.find(id) {
            deposit.is_being_taken = true;
        }
    }

    /// The session has been taken back.
    pub(super) fn taken(&mut self, id: SessionId) {
        if let Some(deposit) = self.find(id) {
            deposit.is_being_taken = false;
            deposit.deaths = 0;
        }
    }

    /// What happened while sessions were taken back counts no more.
    pub(super) fn forgive(&mut self) {
        for deposit in &mut self.kept {
            deposit.deaths = 0;
        }
    }

    /// A process that was collected, or has become unreachable. Gives the session whose program it was.
    pub(super) fn process_ended(&mut self, pid: Pid, status: i32) -> Option<SessionId> {
        let mut running = self.kept.iter_mut().filter(|deposit| deposit.runs());
        if let Some(deposit) = running.find(|deposit| deposit.pid == Some(pid)) {
            deposit.end(status);
            return Some(deposit.id);
        }
        if self.early_ends.len() == EARLY_ENDS {
            self.early_ends.pop_front();
            self.forgotten_ends += 1;
        }
        self.early_ends.push_back((pid, status));
        None
    }

    /// The supervisor is no more: what it has not been told the next one learns with the session.
    pub(super) fn supervisor_ended(&mut self) {
        self.refusals.clear();
        for deposit in &mut self.kept {
            if std::mem::take(&mut deposit.is_being_taken) {
                deposit.deaths += 1;
            }
            deposit.untold = Untold::default();
        }
        self.see_who_is_left();
    }

    /// Looks after programs that are not this process's children, and so send it no status: their supervisor
    /// collected it and died before it said so, or an earlier keeper was the parent.
    pub(super) fn see_who_is_left(&mut self) {
        for deposit in self.kept.iter_mut().filter(|deposit| deposit.runs()) {
            let Some(pid) = deposit.pid.filter(|_| deposit.stranger.is_none()) else { continue };
            if crate::os::is_child(pid) {
                continue;
            }
            // Held first, then looked at: in between the number may have become another's.
            let process = crate::os::exit_watch(pid).ok();
            match process.filter(|_| crate::os::leads_session(pid)) {
                Some(process) => deposit.stranger = Some(process),
                None => deposit.end(UNKNOWN_END),
            }
        }
    }

    /// What becomes readable when a program ends that is no child of this process.
    pub(super) fn strangers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.kept.iter().filter_map(|deposit| deposit.stranger.as_ref()).map(|fd| fd.as_fd())
    }

    /// Marks those of them as ended that have.
    pub(super) fn look_at_strangers(&mut self) {
        for deposit in &mut self.kept {
            if deposit.stranger.as_ref().is_some_and(crate::os::has_exited) {
                deposit.end(UNKNOWN_END);
            }
        }
    }

    /// Whether a program is known to run.
    pub(super) fn any_runs(&self) -> bool {
        self.kept.iter().any(Deposit::runs)
    }

    /// Sends every program a signal, and wakes those that are stopped.
    pub(super) fn signal(&self, signal: Signal) {
        for deposit in self.kept.iter().filter(|deposit| deposit.runs()) {
            deposit.signal(signal);
        }
    }

    /// Everything is to be told to a supervisor that has just been started.
    pub(super) fn tell_all(&mut self) {
        for deposit in &mut self.kept {
            deposit.untold = Untold { held: true, ..Untold::default() };
        }
    }

    /// Says, with `tell`, which sessions are kept. Ends at the first error, and goes on from there next time.
    pub(super) fn tell_held<E>(
        &mut self,
        mut tell: impl FnMut(&Told, &[BorrowedFd<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        for deposit in self.kept.iter_mut().filter(|deposit| deposit.untold.held) {
            let Deposit { id, pid, ended, .. } = *deposit;
            let held = Told::Held { id, pid, ended, skip: deposit.deaths >= DEADLY };
            tell(&held, &deposit.descriptors.in_order())?;
            deposit.untold.held = false;
            deposit.untold.ended = false;
        }
        Ok(())
    }

    /// As [`Self::tell_held`], of what has happened since.
    pub(super) fn tell_news<E>(
        &mut self,
        mut tell: impl FnMut(&Told) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(&(id, refusal)) = self.refusals.front() {
            tell(&Told::Deposited { id, refusal: refusal.raw_os_error().unsigned_abs() })?;
            self.refusals.pop_front();
        }
        for deposit in &mut self.kept {
            let id = deposit.id;
            if deposit.untold.deposited {
                tell(&Told::Deposited { id, refusal: 0 })?;
                deposit.untold.deposited = false;
            }
            if let (true, Some(pid), Some(status)) =
                (deposit.untold.ended, deposit.pid, deposit.ended)
            {
                tell(&Told::Ended { id, pid, status })?;
                deposit.untold.ended = false;
            }
        }
        Ok(())
    }

    /// A deposit that is not in the list yet.
    fn begin(&self, id: SessionId, descriptors: Descriptors) -> Deposit {
        Deposit {
            id,
            descriptors,
            pid: None,
            ended: None,
            deaths: 0,
            is_being_taken: false,
            ends_before: self.forgotten_ends + self.early_ends.len() as u64,
            stranger: None,
            untold: Untold::default(),
        }
    }

    fn refuse(&mut self, id: SessionId, refusal: Errno) {
        if self.refusals.len() < REFUSALS {
            self.refusals.push_back((id, refusal));
        }
    }

    fn find(&mut self, id: SessionId) -> Option<&mut Deposit> {
        self.kept.iter_mut().find(|deposit| deposit.id == id)
    }
}

impl Deposit {
    /// Whether there is a program that may still be signalled.
    fn runs(&self) -> bool {
        self.pid.is_some() && self.ended.is_none()
    }

    fn end(&mut self, status: i32) {
        self.ended = Some(status);
        self.stranger = None;
        self.untold.ended = true;
    }

    /// Signals the program's own group and the one in the foreground of its terminal.
    fn signal(&self, signal: Signal) {
        // Neither a child that was not collected nor a process that is held has lost its number to another one.
        let Some(program) = self.pid else { return };
        if self.stranger.is_none() && !crate::os::is_child(program) {
            return;
        }
        let foreground = rustix::termios::tcgetpgrp(&self.descriptors.master).ok();
        for group in foreground.into_iter().filter(|&group| group != program).chain([program]) {
            for signal in [signal, Signal::CONT] {
                // A group that is gone already needs no signal.
                let _gone = rustix::process::kill_process_group(group, signal);
            }
        }
    }
}
