//! `session rm`: moves sessions to the trash.

use std::path::Path;

use serde::Serialize;
use session_core::{Removal, Session, SessionStoreExt as _, Timestamp};

use crate::args::RmArgs;
use crate::backups;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::{Invocation, Writing};
use crate::outcomes::{FailedObject, NamedObject, Outcomes};
use crate::output::text::{called, number};
use crate::select::check_several;
use crate::system;

#[derive(Serialize)]
struct Report<'a> {
    removed: Vec<NamedObject<'a>>,
    failed: Vec<FailedObject<'a>>,
}

#[derive(Serialize)]
struct ReportOfAll<'a> {
    dry_run: bool,
    removed: Vec<NamedObject<'a>>,
    /// Everything was removed at this time.
    at: Option<Timestamp>,
    backup: Option<&'a Path>,
    /// The command that brings it back.
    undo: Option<String>,
}

pub(crate) fn run(invocation: &Invocation, args: &RmArgs) -> Result<Code, CliError> {
    if args.all {
        return all(invocation, args);
    }
    check_several(&invocation.plan, &args.sessions)?;
    let writing = invocation.changing()?;
    let mut outcomes = Outcomes::default();
    for text in &args.sessions {
        outcomes.note(text, remove(invocation, &writing, text));
    }
    writing.close()?;
    let out = &invocation.out;
    if out.is_json() {
        out.object(&Report { removed: outcomes.done(), failed: outcomes.failed() })?;
    } else {
        for session in &outcomes.done {
            let id = session.id().to_string();
            let undo = invocation.plan.again(["trash", "restore", &id]);
            out.note(&format!(
                "{} is in the trash; everything of it is kept, and `{undo}` brings it back",
                called(session)
            ));
        }
    }
    outcomes.finish(out)
}

fn remove(invocation: &Invocation, writing: &Writing, text: &str) -> Result<Session, CliError> {
    let session = invocation.session_in(&*writing.store, Some(text))?;
    Ok(writing.store.remove(session.id(), &writing.observer)?)
}

/// Everything that does not run, in one step, with a backup before.
fn all(invocation: &Invocation, args: &RmArgs) -> Result<Code, CliError> {
    let out = &invocation.out;
    let page = invocation.reading()?.removable(&Removal::everything(invocation.observer()?))?;
    super::prune::tell(invocation, &page);
    let found = page.sessions;
    if args.dry_run || found.is_empty() {
        let report = ReportOfAll {
            dry_run: args.dry_run,
            removed: found.iter().map(NamedObject::from).collect(),
            at: None,
            backup: None,
            undo: None,
        };
        if out.is_json() {
            out.object(&report)?;
        } else {
            super::prune::print(invocation, &found)?;
            out.note(&match args.dry_run {
                true => format!("{} would move to the trash", sessions(found.len())),
                false => "there is nothing to remove".to_owned(),
            });
        }
        return Ok(Code::Done);
    }
    let question = format!("Move {} to the trash?", sessions(found.len()));
    invocation.confirm(&question, args.yes)?;
    let writing = invocation.writing()?;
    let now = system::now();
    let backup = backups::make(invocation, &*writing.store, now)?;
    let mut removal = Removal::everything(writing.observer.clone());
    removal.observer.now = now;
    let removed = writing.store.remove_all(&removal);
    let removed = match removed {
        Ok(removed) => removed,
        Err(error) => {
            // If all is as it was, so it is without a copy; if nobody can say, the copy stays.
            if writing
                .store
                .removable(&removal)
                .is_ok_and(|left| left.sessions.len() >= found.len())
            {
                let _still_listed = backups::remove(&backup);
            }
            return Err(error.into());
        }
    };
    writing.close()?;
    let undo = undo(invocation, now);
    if out.is_json() {
        out.object(&ReportOfAll {
            dry_run: false,
            removed: removed.iter().map(NamedObject::from).collect(),
            at: Some(now),
            backup: Some(&backup),
            undo: Some(undo),
        })?;
    } else {
        out.note(&format!("{} moved to the trash", sessions(removed.len())));
        out.note(&format!("what was there before is in {}", backup.display()));
        out.note(&format!("to undo it: {undo}"));
    }
    Ok(Code::Done)
}

/// The command that brings back what was removed at this time, and later.
pub(super) fn undo(invocation: &Invocation, at: Timestamp) -> String {
    invocation.plan.again(["trash", "restore", "--all", "--since", &at.to_string()])
}

/// So many sessions, in words.
pub(super) fn sessions(many: usize) -> String {
    number(many as u64, "session")
}
