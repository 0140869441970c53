//! `session prune`: moves to the trash what nobody has touched for long.

use serde::Serialize;
use session_core::{Page, Removal, Session, SessionStoreExt as _, Status, Timestamp};

use super::rm::{sessions, undo};
use crate::args::PruneArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::outcomes::NamedObject;
use crate::system;

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    removed: Vec<NamedObject<'a>>,
    at: Option<Timestamp>,
    undo: Option<String>,
}

/// What is pruned when nobody says what. What is pending has not begun yet.
const DEFAULT: [Status; 4] = [Status::Closed, Status::Expired, Status::Completed, Status::Failed];

pub(crate) fn run(invocation: &Invocation, args: &PruneArgs) -> Result<Code, CliError> {
    let age = i64::try_from(args.older_than.as_millis()).unwrap_or(i64::MAX);
    let mut removal = Removal::everything(invocation.observer()?);
    removal.statuses = match &args.status[..] {
        [] => DEFAULT.into(),
        named => named.iter().copied().collect(),
    };
    removal.only_empty = args.empty;
    let mut at = |now: Timestamp| {
        removal.observer.now = now;
        removal.inactive_since = Some(Timestamp::from_millis(now.as_millis().saturating_sub(age)));
        removal.clone()
    };
    if args.dry_run {
        let found = invocation.reading()?.removable(&at(system::now()))?;
        tell(invocation, &found);
        return report(invocation, &found.sessions, None);
    }
    // Where nothing was ever stored there is nothing to make a store for.
    if crate::backend::look(&invocation.plan)?.is_none() {
        return report(invocation, &[], Some(system::now()));
    }
    let writing = invocation.writing()?;
    let now = system::now();
    let mut removal = at(now);
    removal.observer.live_host.clone_from(&writing.observer.live_host);
    let removed = writing.store.remove_all(&removal)?;
    writing.close()?;
    report(invocation, &removed, Some(now))
}

fn report(
    invocation: &Invocation,
    found: &[Session],
    at: Option<Timestamp>,
) -> Result<Code, CliError> {
    let out = &invocation.out;
    let undo = at.filter(|_| !found.is_empty()).map(|at| undo(invocation, at));
    if out.is_json() {
        let removed = found.iter().map(NamedObject::from).collect();
        out.object(&Report { dry_run: at.is_none(), removed, at, undo })?;
        return Ok(Code::Done);
    }
    print(invocation, found)?;
    let number = sessions(found.len());
    match at {
        None => out.note(&format!("{number} would go to the trash")),
        Some(_) => out.note(&format!("{number} moved to the trash")),
    }
    if let Some(undo) = undo {
        out.note(&format!("to undo it: {undo}"));
    }
    Ok(Code::Done)
}

/// What may be missing from what would go, as it cannot be read.
pub(super) fn tell(invocation: &Invocation, found: &Page) {
    for damage in &found.damaged {
        invocation.out.note(&format!("damaged: {}: {}", damage.place, damage.reason));
    }
}

/// Name, id, status and last activity of each.
pub(super) fn print(invocation: &Invocation, found: &[Session]) -> Result<(), CliError> {
    let rows = found.iter().map(|session| {
        [
            session.name().map_or_else(|| "-".to_owned(), ToString::to_string),
            session.id().to_string(),
            session.status().to_string(),
            session.lifecycle.last_active_at.to_string(),
        ]
    });
    invocation.out.rows(["NAME", "ID", "STATUS", "LAST ACTIVE"], rows.collect())
}
