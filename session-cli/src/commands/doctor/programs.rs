//! Programs: whether what is recorded to run does, and whether what runs is recorded to.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use session_core::{
    ErrorKind, Process, ProcessState, Query, Scope, Session, SessionId, SessionStore,
};
use session_pty::{Client, Instance};

use super::{Check, PAGE, State};
use crate::backend;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::output::text::called;
use crate::system;

const NAME: &str = "session";

/// None when the store or the supervisor cannot be asked, which other checks say.
pub(super) fn checks(invocation: &Invocation, supervision: &[Check]) -> Vec<Check> {
    let found = || -> Result<Vec<Check>, CliError> {
        let Some(store) = backend::look(&invocation.plan)? else { return Ok(Vec::new()) };
        let is_hosted = Instance::alive(&invocation.place.instance_lock()).ok().flatten().is_some();
        if !is_hosted {
            return unhosted(invocation, &*store);
        }
        // One that something is wrong with is left alone: asking would have it do something about that.
        let is_well = supervision.iter().all(|check| check.state == State::Ok);
        if is_well { compared(invocation, &*store) } else { Ok(Vec::new()) }
    };
    found().unwrap_or_default()
}

/// What the supervisor says, held against the record.
fn compared(invocation: &Invocation, store: &dyn SessionStore) -> Result<Vec<Check>, CliError> {
    let Some(mut client) = Client::connect(&invocation.place)? else { return Ok(Vec::new()) };
    let live: BTreeSet<SessionId> = client.live()?.into_iter().map(|live| live.id).collect();
    let mut checks = Vec::new();
    let recorded = recorded_as_running(invocation, store)?;
    for session in recorded.iter().filter(|session| !live.contains(&session.id())) {
        // It may just have begun or ended.
        let session = invocation.settled(session.id())?;
        if !session.has_live_process() || is_live(&mut client, session.id())? {
            continue;
        }
        checks.push(match running(&session) {
            Some(pid) => Check::fail(
                NAME,
                format!("{} runs (process {pid}), and the supervisor could not take it back", called(&session)),
                "`session supervisor upgrade` tries again, `session supervisor stop --force` ends it; the log says why",
            ),
            None => Check::fail(
                NAME,
                format!("{} is recorded as running, and its process is gone", called(&session)),
                "`session supervisor upgrade` has it recorded, and ends nothing",
            ),
        });
    }
    let recorded: BTreeSet<SessionId> = recorded.iter().map(Session::id).collect();
    for id in client.status()?.out_of_reach.iter().filter(|id| !recorded.contains(id)) {
        checks.push(Check::fail(
            NAME,
            format!("{id} runs, could not be taken back, and is not in the store as running"),
            "`session supervisor stop --force` ends it with all others",
        ));
    }
    for id in live.difference(&recorded) {
        let message = match invocation.seen(*id) {
            Ok(session) if session.has_live_process() => continue,
            Ok(session) => {
                format!("{} runs, and is recorded as {}", called(&session), session.status())
            }
            Err(error) if error.is(ErrorKind::NotFound) => {
                format!("{id} runs, and is not in the store")
            }
            Err(error) => return Err(error),
        };
        if is_live(&mut client, *id)? {
            let hint = "`session supervisor stop --force` ends it with all others";
            checks.push(Check::fail(NAME, message, hint));
        }
    }
    Ok(checks)
}

fn is_live(client: &mut Client, id: SessionId) -> Result<bool, CliError> {
    Ok(client.live()?.iter().any(|live| live.id == id))
}

/// What no supervisor holds any more.
fn unhosted(invocation: &Invocation, store: &dyn SessionStore) -> Result<Vec<Check>, CliError> {
    let recorded = recorded_as_running(invocation, store)?;
    let lost = recorded.iter().map(|session| match running(session) {
        Some(pid) => Check::warn(
            NAME,
            format!(
                "{} was lost with its supervisor, and its process {pid} is still there",
                called(session)
            ),
            format!("nobody can reach it any more: kill {pid}"),
        ),
        None => Check::warn(
            NAME,
            format!("{} is recorded as running, and was lost with its supervisor", called(session)),
            "the next command that changes anything records that, for example `session new`",
        ),
    });
    Ok(lost.collect())
}

/// As the store has it, not as it is seen.
fn recorded_as_running(
    invocation: &Invocation,
    store: &dyn SessionStore,
) -> Result<Vec<Session>, CliError> {
    let mut query = Query::new(invocation.observer()?);
    (query.scope, query.limit) = (Scope::All, NonZeroU32::new(PAGE));
    let mut running = Vec::new();
    loop {
        let page = store.list(&query)?;
        running.extend(page.sessions.into_iter().filter(Session::has_live_process));
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(running);
        }
    }
}

/// The process of a session, if it certainly is that of its program.
fn running(session: &Session) -> Option<u32> {
    let Process { pid, pid_start, state, .. } = session.process.as_ref()?;
    let found = pid.and_then(system::process)?;
    let is_it =
        *pid_start == Some(found.start) && found.state != b'Z' && *state != ProcessState::Starting;
    pid.filter(|_| is_it)
}
