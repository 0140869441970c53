//! `session trash empty`: destroys for good what was removed long ago.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde::Serialize;
use session_core::{ErrorKind, Session, SessionId, SessionStore, StoreError};

use super::{removed_at, trashed};
use crate::backend;
use crate::backups;
use crate::commands::prune::print;
use crate::commands::rm::sessions;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::outcomes::{FailedObject, NamedObject, Outcomes};
use crate::system;

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    destroyed: Vec<NamedObject<'a>>,
    failed: Vec<FailedObject<'a>>,
}

pub(super) fn run(
    invocation: &Invocation,
    older_than: Duration,
    yes: bool,
    dry_run: bool,
) -> Result<Code, CliError> {
    let out = &invocation.out;
    let now = system::now();
    let is_due = |session: &Session| removed_at(session).plus(older_than) <= now;
    let (mut due, _) = trashed(&*invocation.reading()?, invocation.observer()?)?;
    due.retain(is_due);
    if dry_run || due.is_empty() {
        if out.is_json() {
            let destroyed = due.iter().map(NamedObject::from).collect();
            out.object(&Report { dry_run, destroyed, failed: Vec::new() })?;
        } else {
            print(invocation, &due)?;
            out.note(&match dry_run {
                true => format!("{} would be destroyed", sessions(due.len())),
                false => {
                    "nothing was removed that long ago; --older-than 0s destroys all that is in the trash"
                        .to_owned()
                }
            });
        }
        return Ok(Code::Done);
    }
    let question = format!("Destroy {} for good?", sessions(due.len()));
    invocation.confirm(&question, yes)?;
    let writing = invocation.writing().map_err(|error| without_room(invocation, error))?;
    let mut outcomes = destroy(&*writing.store, due, is_due);
    let removed = remove_output(invocation, &*writing.store);
    writing.close().map_err(|error| without_room(invocation, error))?;
    if let Err(error) = removed {
        outcomes.failed.push(("output".to_owned(), error));
    }
    for (_, error) in &mut outcomes.failed {
        *error = without_room(invocation, error.clone());
    }
    if out.is_json() {
        let (destroyed, failed) = (outcomes.done(), outcomes.failed());
        out.object(&Report { dry_run, destroyed, failed })?;
    } else {
        out.note(&format!("{} destroyed", sessions(outcomes.done.len())));
    }
    outcomes.finish(out)
}

/// Making room is what this command is for, and it takes a little of it: then something else has to go first.
fn without_room(invocation: &Invocation, error: CliError) -> CliError {
    if !error.is(ErrorKind::DiskFull) {
        return error;
    }
    let backups = backups::directory(&invocation.plan.data_dir);
    error.hint(format!(
        "destroying takes a little room first: remove something else, such as an old backup in {} (`session store info` lists them), then try again",
        backups.display()
    ))
}

/// Destroys what was found to be due and still is: a question may wait for hours.
fn destroy(
    store: &dyn SessionStore,
    found: Vec<Session>,
    is_due: impl Fn(&Session) -> bool,
) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for session in found {
        let destroyed = match store.get(session.id()) {
            // Somebody has removed it anew, and it is held from then on.
            Ok(present) if present.is_trashed() && !is_due(&present) => continue,
            Ok(_) => store.purge(session.id(), system::now()).map(drop),
            Err(error) => Err(error),
        };
        match destroyed {
            // Somebody has brought it back or destroyed it since the question.
            Err(StoreError::NotTrashed { .. } | StoreError::NotFound { .. }) => {}
            Ok(()) => outcomes.done.push(session),
            Err(error) => outcomes.failed.push((session.id().to_string(), error.into())),
        }
    }
    outcomes
}

/// Removes the kept output of everything that was ever destroyed, so that what an interrupted command left goes as
/// well. A store of the other kind in this directory may have the same session: then its output stays.
fn remove_output(invocation: &Invocation, store: &dyn SessionStore) -> Result<(), CliError> {
    let directory = invocation.place.output_dir();
    let failed = |source| CliError::io(&format!("emptying {}", directory.display()), &source);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    let tombstones = store.tombstones()?;
    let destroyed: BTreeSet<SessionId> = tombstones.iter().map(|stone| stone.id).collect();
    let mut plan = invocation.plan.clone();
    plan.store = plan.store.other();
    let other = match backend::look(&plan) {
        Ok(other) => other,
        Err(error) => {
            let kind = plan.store.as_str();
            let reason = error.message();
            invocation
                .out
                .note(&format!("kept output stays, as the {kind} store may need it: {reason}"));
            return Ok(());
        }
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let (stem, kept) = name.and_then(|name| name.split_once('.')).unwrap_or_default();
        let is_output = ["log", "screen", "cast", "cast.at"].contains(&kept);
        let id = Some(stem).filter(|_| is_output).and_then(|stem| SessionId::parse(stem).ok());
        let Some(id) = id.filter(|id| destroyed.contains(id)) else { continue };
        let is_gone = match &other {
            None => true,
            Some(other) => {
                matches!(other.get(id), Err(error) if error.kind() == ErrorKind::NotFound)
            }
        };
        if is_gone {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use session_core::{MemoryStore, Observer, Timestamp};

    use super::*;

    #[test]
    fn what_was_removed_anew_since_the_question_is_held() {
        let store = MemoryStore::new();
        let at = Timestamp::from_millis;
        let remove = |id, now| store.remove(id, &Observer { now, live_host: None }).unwrap();
        let sessions: Vec<_> = (1..4)
            .map(|number| {
                let id = SessionId::from_parts(at(1), number);
                store.create(Session::new(id, at(1))).unwrap();
                remove(id, at(1000))
            })
            .collect();
        let is_due = |session: &Session| removed_at(session) <= at(2000);
        for session in &sessions[..2] {
            store.restore(session.id(), at(3000)).unwrap();
        }
        remove(sessions[0].id(), at(3000));

        let outcomes = destroy(&store, sessions.clone(), is_due);
        assert_eq!((outcomes.done.len(), outcomes.failed.len()), (1, 0));
        assert!(store.get(sessions[0].id()).unwrap().is_trashed());
        assert!(!store.get(sessions[1].id()).unwrap().is_trashed());
        assert!(store.get(sessions[2].id()).is_err());
    }
}
