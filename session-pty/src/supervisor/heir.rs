//! Going on where the supervisor before this one was ended.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use session_core::{
    Observer, Query, RuntimeError, Scope, Session, SessionId, SessionStore, SessionStoreExt as _,
    Sort, StoreError, Timestamp,
};

use super::custody::WithKeeper;
use super::log_line;
use crate::instance::Instance;
use crate::keeper::Held;
use crate::live::{Adopted, Custody as _, ExitNotice};
use crate::runtime::Runtime;

/// Why a session is not even tried.
const DEADLY: &str = "taking it back has ended the supervisor twice";

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// So many sessions are looked at together.
const PAGE: u32 = 1000;

/// Takes over every program that the keeper holds. One that cannot be taken back stays with the keeper.
pub(super) fn take_back(runtime: &Runtime, custody: &Arc<WithKeeper>, held: Vec<Held>) {
    for held in held {
        let id = held.id;
        if held.skip {
            log_line(&format!("session {id} is left with the keeper: {DEADLY}"));
            custody.remember(held);
            custody.leave_there(id, DEADLY.to_owned());
            continue;
        }
        try_to_take(runtime, custody, held);
    }
}

/// Tries again to take back what could not be, until nothing of it is left. One that has ended supervisors is left
/// alone: another program may have more luck with it.
pub(super) fn keep_trying(runtime: &Runtime, custody: &Arc<WithKeeper>) {
    loop {
        let untaken = custody.untaken();
        let mut hopeful = untaken.iter().filter(|(_, why)| *why != DEADLY).peekable();
        if hopeful.peek().is_none() {
            return;
        }
        std::thread::sleep(PAUSE);
        for (id, _) in hopeful {
            if let Some(Ok(held)) = custody.copy(*id) {
                try_to_take(runtime, custody, held);
            }
        }
    }
}

fn try_to_take(runtime: &Runtime, custody: &Arc<WithKeeper>, held: Held) {
    let id = held.id;
    custody.link().taking(id);
    match take_one_back(runtime, custody, held) {
        Ok(()) => custody.has_taken(id),
        Err(error) => {
            log_line(&format!("session {id} stays with the keeper: {error}"));
            custody.leave_there(id, error.to_string());
        }
    }
    custody.link().taken(id);
}

/// Ends what could not be taken back, step by step, and has the keeper forget it.
pub(super) fn end_untaken(custody: &WithKeeper, grace: Duration) {
    for id in custody.untaken().into_keys() {
        let held = custody.copy(id).and_then(Result::ok);
        let pid = held.and_then(|held| held.pid.or_else(|| leader(&held)));
        for signal in [Signal::HUP, Signal::TERM, Signal::KILL] {
            let members = pid.map_or_else(Vec::new, |pid| {
                let mut members = crate::os::session_groups(pid, &[pid]);
                members.extend(crate::os::session_members(pid));
                members
            });
            members.iter().for_each(|member| member.signal(signal));
            members.iter().for_each(|member| member.wait(grace));
        }
        log_line(&format!("session {id} was ended without being taken back"));
        custody.released(id);
    }
}

/// Who leads the session of a terminal.
fn leader(held: &Held) -> Option<u32> {
    let leader = rustix::termios::tcgetsid(&held.master).ok()?;
    u32::try_from(leader.as_raw_nonzero().get()).ok()
}

fn take_one_back(
    runtime: &Runtime,
    custody: &Arc<WithKeeper>,
    held: Held,
) -> Result<(), RuntimeError> {
    let failed = |source| RuntimeError::io("taking a session back", source);
    let copy = |fd: &std::os::fd::OwnedFd| fd.try_clone().map_err(failed);
    let (id, ended) = (held.id, held.ended);
    let (master, slave, journal) = (copy(&held.master)?, copy(&held.slave)?, copy(&held.journal)?);
    // Where the number was not said any more, the terminal knows who leads its session.
    let (said, pid) = (held.pid, held.pid.or_else(|| leader(&held)));
    custody.remember(held);
    if let (None, Some(pid)) = (said, pid) {
        custody.started(id, pid);
    }
    let (teller, notice) = ExitNotice::new().map_err(failed)?;
    match ended {
        Some(status) => teller.tell(status),
        None if pid.is_none() => drop(teller),
        None => custody.wait_for(id, teller),
    }
    let adopted = Adopted { pid: pid.unwrap_or(0), master, slave, journal, ended: notice };
    runtime.take_back(id, adopted)
}

/// Records the programs as lost that the supervisor before said to run, and that nobody holds: they ended with it.
///
/// # Errors
/// Whatever the store reports.
pub(super) fn record_missing(
    store: &dyn SessionStore,
    instance: &Instance,
    held: &BTreeSet<SessionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let observer = Observer { now, live_host: Some(instance.instance.clone()) };
    let nobody = Observer { now, live_host: None };
    let is_missing = |session: &Session| {
        let host = session.process.as_ref().and_then(|process| process.host.as_ref());
        session.has_live_process()
            && host.is_some_and(|host| host.instance == instance.instance)
            && !held.contains(&session.id())
    };
    // An order that the changes do not touch.
    let (scope, sort) = (Scope::All, Sort::Created);
    let mut query = Query { scope, sort, limit: NonZeroU32::new(PAGE), ..Query::new(observer) };
    loop {
        let page = store.list(&query)?;
        for session in page.sessions.iter().filter(|session| is_missing(session)) {
            let recorded = store.update_with(session.id(), now, |session| {
                *session = session.observed_by(&nobody).into_owned();
                Ok::<_, StoreError>(())
            })?;
            log_line(&format!("recorded session {} as {}", recorded.id(), recorded.status()));
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use session_core::Timestamp;

    use super::*;

    #[test]
    fn the_terminal_knows_who_leads_its_session() {
        let (master, slave) = pty_process::blocking::open().unwrap();
        let slave_fd = rustix::io::fcntl_dupfd_cloexec(&slave, 3).unwrap();
        let mut program = pty_process::blocking::Command::new("cat").spawn(slave).unwrap();
        let held = Held {
            id: SessionId::from_parts(Timestamp::from_millis(1), 1),
            pid: None,
            master: master.into(),
            journal: slave_fd.try_clone().unwrap(),
            slave: slave_fd,
            ended: None,
            skip: false,
        };
        assert_eq!(leader(&held), Some(program.id()));
        program.kill().unwrap();
        program.wait().unwrap();
    }
}
