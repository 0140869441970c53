//! Calls: what a client asks for, done on a thread of its own.
//!
//! Some calls wait for a program, or for the store. On threads that they shared, a few that wait long would keep
//! every other client waiting; a connection makes one call at a time, so there are never more threads than clients.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use session_core::{
    ErrorKind, Exit, RuntimeError, SessionId, SessionStoreExt as _, Spawn, StoreError,
};

use super::{Supervisor, log_line, recording};
use crate::environment;
use crate::events::{Cursor, CursorError, Follower};
use crate::live::{Beginning, SessionHandle};
use crate::output::Kept;
use crate::runtime::Runtime;
use crate::wire::{Call, ExitMessage, MAX_BLOB, Request, ViewerSpec};

/// The longest that a client may let each step of the ladder take.
const LONGEST_GRACE: Duration = Duration::from_secs(600);

/// What a call leads to.
pub(super) enum Outcome {
    /// A result, with bytes that belong to it.
    Answer(Box<RawValue>, Vec<u8>),
    /// The connection becomes a viewer's stream.
    Watch(Box<RawValue>, Watch),
    /// The connection becomes a stream of events.
    Follow(Box<RawValue>, Follower),
    /// The supervisor ends after the answer.
    Leave(Box<RawValue>),
    /// The next supervisor takes over after the answer.
    MakeRoom(Box<RawValue>),
}

/// Who begins to watch what.
pub(super) enum Watch {
    Running(SessionHandle, ViewerSpec),
    Beginning(Beginning, ViewerSpec),
    /// It ended while its viewer was cut off.
    Ended(Kept, Exit, ViewerSpec),
}

/// The number of the request, and what it leads to. No blob is one that was too long.
pub(super) async fn answer(
    supervisor: &Arc<Supervisor>,
    payload: &[u8],
    blob: Option<Vec<u8>>,
) -> (u64, Result<Outcome, RuntimeError>) {
    match (serde_json::from_slice::<Request>(payload), blob) {
        (Ok(Request { id, call }), Some(blob)) => {
            let supervisor = Arc::clone(supervisor);
            let outcome = on_a_thread("call", move || act(&supervisor, call, blob)).await;
            (id, outcome.and_then(|outcome| outcome))
        }
        (Ok(Request { id, .. }), None) => {
            let message = format!("a request may bring at most {MAX_BLOB} bytes");
            let hint = Some("send them in several".to_owned());
            (id, Err(RuntimeError::Remote { kind: ErrorKind::Refused, message, hint }))
        }
        (Err(error), _) => {
            #[derive(serde::Deserialize)]
            struct Numbered {
                id: u64,
            }
            let id = serde_json::from_slice::<Numbered>(payload).map_or(0, |numbered| numbered.id);
            let message = format!("the supervisor does not understand the call: {error}");
            let hint =
                Some("is the client of another version? session supervisor status".to_owned());
            (id, Err(RuntimeError::Remote { kind: ErrorKind::Unsupported, message, hint }))
        }
    }
}

/// Does what may wait beside the control plane.
pub(super) async fn on_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RuntimeError> {
    let (done, result) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let started = thread.spawn(move || {
        let _nobody_waits = done.send(work());
    });
    started.map_err(|source| RuntimeError::io("starting a thread", source))?;
    result.await.map_err(|_| RuntimeError::Remote {
        kind: ErrorKind::Internal,
        message: "the supervisor failed at this call".to_owned(),
        hint: Some("its log says more: session doctor".to_owned()),
    })
}

fn act(supervisor: &Supervisor, call: Call, blob: Vec<u8>) -> Result<Outcome, RuntimeError> {
    act_on(supervisor, call, blob).map_err(|error| match error {
        RuntimeError::NotRunning { id } => supervisor.out_of_reach(id).unwrap_or(error),
        error => error,
    })
}

fn act_on(supervisor: &Supervisor, call: Call, blob: Vec<u8>) -> Result<Outcome, RuntimeError> {
    let runtime = &supervisor.runtime;
    match call {
        Call::Spawn { session, umask, viewer, record } => {
            if record {
                recording::prepare(&supervisor.place)?;
            }
            let mut environment = environment::decode(&blob);
            supervisor.agents.introduce(session.id(), &mut environment)?;
            let id = session.id();
            let (session, beginning) = supervisor
                .prepare(Spawn { session: *session, environment, umask })
                .inspect_err(|_| supervisor.agents.forget(id))?;
            if record && let Err(error) = supervisor.record(id) {
                // It runs by now, which is worth more.
                log_line(&format!("session {id} is not recorded: {error}"));
            }
            match viewer {
                Some(viewer) => {
                    note_attached(supervisor, session.id(), &viewer);
                    Ok(Outcome::Watch(raw(&session)?, Watch::Beginning(beginning, viewer)))
                }
                None => {
                    beginning.begin(None);
                    answered(&session)
                }
            }
        }
        Call::Attach { session, viewer } => {
            let handle = match runtime.handle(session) {
                Err(error @ RuntimeError::NotRunning { .. }) if viewer.from.is_some() => {
                    let (kept, exit) = runtime.kept(session)?.ok_or(error)?;
                    return Ok(Outcome::Watch(raw(&())?, Watch::Ended(kept, exit, viewer)));
                }
                handle => handle?,
            };
            note_attached(supervisor, session, &viewer);
            Ok(Outcome::Watch(raw(&())?, Watch::Running(handle, viewer)))
        }
        Call::Write { session, paste, typed } => {
            runtime.handle(session)?.answer_write(&blob, paste, typed)?;
            answered(&())
        }
        Call::Resize { session, size } => answered(&runtime.handle(session)?.resize(size)?),
        Call::Detach { session, all } => answered(&runtime.handle(session)?.detach(all)?),
        Call::Stop { session, grace_ms } => {
            let grace = Duration::from_millis(grace_ms).min(LONGEST_GRACE);
            answered(&ExitMessage::new(runtime.handle(session)?.stop(grace)?))
        }
        Call::Screen { session, history } => {
            let (size, screen) = runtime.handle(session)?.screen(history);
            Ok(Outcome::Answer(raw(&size)?, screen))
        }
        Call::Log { session } => Ok(Outcome::Answer(raw(&())?, runtime.handle(session)?.log())),
        Call::Events { session, cursor, follow } => {
            let after = cursor.map(|text| text.parse()).transpose().map_err(not_a_place)?;
            if follow {
                follow_events(runtime, session, after)
            } else {
                answered(&runtime.events(session, after).map_err(not_a_place)?)
            }
        }
        Call::Live => {
            let live: Vec<_> = runtime.handles().iter().map(|handle| handle.live()).collect();
            answered(&live)
        }
        Call::Status => answered(&supervisor.status()),
        Call::Upgrade => {
            supervisor.name_next()?;
            Ok(Outcome::MakeRoom(raw(&())?))
        }
        Call::Shutdown { force } => {
            supervisor.begin_to_leave(force).map_err(|running| RuntimeError::Remote {
                kind: ErrorKind::StillRunning,
                message: match running {
                    1 => "1 session is still running".to_owned(),
                    running => format!("{running} sessions are still running"),
                },
                hint: Some("--force ends them too".to_owned()),
            })?;
            Ok(Outcome::Leave(raw(&())?))
        }
    }
}

fn follow_events(
    runtime: &Runtime,
    session: Option<SessionId>,
    after: Option<Cursor>,
) -> Result<Outcome, RuntimeError> {
    let seen = runtime.clone();
    let runs = move || session.is_none_or(|session| seen.runs(session));
    let follower = runtime.hub().follow(after, session, runs).map_err(not_a_place)?;
    Ok(Outcome::Follow(raw(&follower.cursor())?, follower))
}

/// The cursor leads nowhere.
fn not_a_place(error: CursorError) -> RuntimeError {
    RuntimeError::Remote {
        kind: ErrorKind::Usage,
        message: error.to_string(),
        hint: Some("give the cursor of an event, or none for all that are kept".to_owned()),
    }
}

/// Records when somebody last sat down at a session. Nobody waits for it, and no viewer is refused because of it.
fn note_attached(supervisor: &Supervisor, id: SessionId, viewer: &ViewerSpec) {
    if !viewer.terminal || viewer.read_only {
        return;
    }
    if let Some(agent) = &viewer.ssh_agent {
        supervisor.agents.follow(id, agent);
    }
    let at = supervisor.runtime.now();
    supervisor.runtime.recorder().post(move |store| {
        let noted = store.update_with(id, at, |session| {
            if let Some(process) = &mut session.process {
                process.last_attached_at = Some(at);
            }
            // Its end may have been recorded meanwhile.
            session.lifecycle.last_active_at = session.lifecycle.last_active_at.max(at);
            Ok::<_, StoreError>(())
        });
        if let Err(error) = noted {
            log_line(&format!("recording an attach to {id}: {error}"));
        }
    });
}

fn answered(value: &impl Serialize) -> Result<Outcome, RuntimeError> {
    Ok(Outcome::Answer(raw(value)?, Vec::new()))
}

/// A value as JSON text. A path that is not UTF-8 has none.
fn raw(value: &impl Serialize) -> Result<Box<RawValue>, RuntimeError> {
    to_raw_value(value).map_err(|error| RuntimeError::Remote {
        kind: ErrorKind::Unsupported,
        message: format!("the answer cannot be told: {error}"),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_has_no_json_is_an_error() {
        let path = Path::new(OsStr::from_bytes(b"/run/\xff"));
        assert_eq!(raw(&path).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(raw(&Path::new("/run")).unwrap().get(), "\"/run\"");
    }
}
