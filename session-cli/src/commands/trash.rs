//! `session trash`: what was removed is seen, brought back, or destroyed.

mod empty;

use std::time::Duration;

use serde::Serialize;
use session_core::{
    Observer, Query, Scope, Selector, Session, SessionStore, SessionStoreExt as _, Timestamp,
};

use crate::args::TrashCommand;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::outcomes::{FailedObject, NamedObject, Outcomes};
use crate::output::json::{DamageObject, SessionObject};
use crate::output::text::{ago, called, command_line};
use crate::select::check_several;
use crate::system;

/// So long `trash empty` leaves alone what was removed, unless it is told otherwise.
const HOLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Serialize)]
struct Listing<'a> {
    sessions: Vec<Held>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<DamageObject<'a>>,
}

#[derive(Serialize)]
struct Held {
    #[serde(flatten)]
    session: SessionObject,
    /// Until then it is left alone.
    held_until: Timestamp,
}

#[derive(Serialize)]
struct Restored<'a> {
    restored: Vec<NamedObject<'a>>,
    failed: Vec<FailedObject<'a>>,
}

pub(crate) fn run(invocation: &Invocation, command: &TrashCommand) -> Result<Code, CliError> {
    match command {
        TrashCommand::List => list(invocation),
        TrashCommand::Restore { sessions, all: false, .. } => restore(invocation, sessions),
        TrashCommand::Restore { since, .. } => restore_all(invocation, *since),
        TrashCommand::Empty { older_than, yes, dry_run } => {
            empty::run(invocation, *older_than, *yes, *dry_run)
        }
    }
}

/// What is in the trash, the last removed first, and what of it cannot be read.
fn trashed(
    store: &dyn SessionStore,
    observer: Observer,
) -> Result<(Vec<Session>, Vec<session_core::Damage>), CliError> {
    let mut query = Query::new(observer);
    query.scope = Scope::Trash;
    let page = store.list(&query)?;
    let mut sessions = page.sessions;
    sessions.sort_by_key(|session| std::cmp::Reverse((removed_at(session), session.id())));
    Ok((sessions, page.damaged))
}

/// When it was removed.
fn removed_at(session: &Session) -> Timestamp {
    session.lifecycle.trashed_at.unwrap_or(session.lifecycle.updated_at)
}

fn list(invocation: &Invocation) -> Result<Code, CliError> {
    let observer = invocation.observer()?;
    let now = observer.now;
    let (sessions, damaged) = trashed(&*invocation.reading()?, observer)?;
    let out = &invocation.out;
    if out.is_json() {
        let held = |session: &Session| {
            let held_until = removed_at(session).plus(HOLD);
            Ok(Held { session: SessionObject::new(session, None)?, held_until })
        };
        out.object(&Listing {
            sessions: sessions.iter().map(held).collect::<Result<_, CliError>>()?,
            damaged: damaged.iter().map(DamageObject::from).collect(),
        })?;
        return Ok(Code::Done);
    }
    let row = |session: &Session| {
        let (removed, until) = (removed_at(session), removed_at(session).plus(HOLD));
        let times = if out.is_terminal {
            [session.id().short(), ago(removed, now), until.to_string().chars().take(10).collect()]
        } else {
            [session.id().to_string(), removed.to_string(), until.to_string()]
        };
        let [id, removed, until] = times;
        let command = session.launch.as_ref().map(|launch| command_line(&launch.argv));
        let what = command.or_else(|| session.identity.title.clone());
        [
            session.name().map_or_else(|| "-".to_owned(), ToString::to_string),
            id,
            session.status().to_string(),
            removed,
            until,
            what.unwrap_or_else(|| "-".to_owned()),
        ]
    };
    out.rows(
        ["NAME", "ID", "STATUS", "REMOVED", "HELD UNTIL", "COMMAND"],
        sessions.iter().map(row).collect(),
    )?;
    if sessions.is_empty() && out.is_terminal {
        out.note("The trash is empty.");
    }
    for damage in &damaged {
        out.note(&format!("damaged: {}: {}", damage.place, damage.reason));
    }
    Ok(Code::Done)
}

fn restore(invocation: &Invocation, selectors: &[String]) -> Result<Code, CliError> {
    check_several(&invocation.plan, selectors)?;
    let writing = invocation.changing()?;
    let mut outcomes = Outcomes::default();
    for text in selectors {
        let restored = Selector::parse(text).map_err(CliError::from).and_then(|selector| {
            let found = writing.store.find_trashed(&selector).map_err(not_in_trash)?;
            writing.store.restore(found.id(), system::now()).map_err(|error| held(&found, error))
        });
        outcomes.note(text, restored);
    }
    writing.close()?;
    report(invocation, outcomes)
}

/// The last removed first: of several that had one name, it gets the name.
fn restore_all(invocation: &Invocation, since: Option<Timestamp>) -> Result<Code, CliError> {
    let writing = invocation.changing()?;
    let mut outcomes = Outcomes::default();
    let (sessions, _) = trashed(&*writing.store, writing.observer.clone())?;
    for session in sessions {
        if since.is_none_or(|since| removed_at(&session) >= since) {
            let restored = writing.store.restore(session.id(), system::now());
            let restored = restored.map_err(|error| held(&session, error));
            outcomes.note(session.id().to_string(), restored);
        }
    }
    writing.close()?;
    report(invocation, outcomes)
}

fn report(invocation: &Invocation, outcomes: Outcomes) -> Result<Code, CliError> {
    let out = &invocation.out;
    if out.is_json() {
        out.object(&Restored { restored: outcomes.done(), failed: outcomes.failed() })?;
    } else if let [only] = &outcomes.done[..] {
        out.note(&format!("{} is back", called(only)));
    } else if !outcomes.done.is_empty() || outcomes.failed.is_empty() {
        out.note(&format!("restored {}", super::rm::sessions(outcomes.done.len())));
    }
    outcomes.finish(out)
}

fn not_in_trash(error: session_core::StoreError) -> CliError {
    CliError::from(error).hint("`session trash list` shows what is in the trash")
}

/// What to do when somebody else has the name by now.
fn held(session: &Session, error: session_core::StoreError) -> CliError {
    let is_held = matches!(error, session_core::StoreError::NameHeld { .. });
    let name = called(session);
    let error = CliError::from(error);
    if is_held {
        return error.hint(format!("`session rename {name} NAME` makes room for it"));
    }
    error
}
