//! `session list`: what there is, with what runs beside what is stored.

use std::num::NonZeroU32;

use serde::Serialize;
use session_core::{Query, Scope, Session, SessionStore};
use session_pty::LiveSession;

use crate::args::ListArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::Output;
use crate::output::json::{DamageObject, SessionObject};
use crate::output::text::{ago, command_line, number, program_state};
use crate::select::find;

#[derive(Serialize)]
struct Listing<'a> {
    sessions: Vec<SessionObject>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<DamageObject<'a>>,
}

pub(crate) fn run(invocation: &Invocation, args: &ListArgs) -> Result<Code, CliError> {
    let store = invocation.reading()?;
    let observer = invocation.observer()?;
    let mut query = Query::new(observer.clone());
    query.statuses = args.status.iter().copied().collect();
    query.labels = args.label.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    query.workdir = args.workdir.as_deref().map(|dir| directory(invocation, dir)).transpose()?;
    query.parent = match &args.parent {
        Some(parent) => Some(find(&*store, parent)?.id()),
        None => None,
    };
    query.tool.clone_from(&args.tool);
    query.role.clone_from(&args.role);
    query.chat.clone_from(&args.chat);
    query.agent.clone_from(&args.agent);
    query.project.clone_from(&args.project);
    query.scope = if args.all { Scope::All } else { Scope::Current };
    query.sort = args.sort.0;
    query.limit = args.limit;
    query.cursor.clone_from(&args.cursor);
    let page = store.list(&query)?;
    let live = invocation.live();
    let seen: Vec<_> = page.sessions.iter().map(|session| session.observed_by(&observer)).collect();
    let out = &invocation.out;
    let next_cursor = page.next.as_ref().map(ToString::to_string);
    if out.is_json() {
        let sessions = seen
            .iter()
            .map(|session| SessionObject::new(session, live.of(session)))
            .collect::<Result<_, _>>()?;
        let damaged = page.damaged.iter().map(DamageObject::from).collect();
        out.object(&Listing { sessions, next_cursor, damaged })?;
        return Ok(Code::Done);
    }
    if seen.is_empty() && out.is_terminal {
        out.note("No sessions. `session attach NAME` begins one.");
    }
    if out.is_terminal {
        let rows = seen.iter().map(|session| {
            let updated = ago(session.lifecycle.updated_at, observer.now);
            let [name, status, program, what] = words(session, live.of(session));
            let viewers =
                live.of(session).map_or_else(|| "-".to_owned(), |live| live.viewers.to_string());
            [name, session.id().short(), status, program, viewers, updated, what]
        });
        let headings = ["NAME", "ID", "STATUS", "PROGRAM", "VIEWERS", "CHANGED", "COMMAND"];
        out.rows(headings, rows.collect())?;
    } else {
        let rows = seen.iter().map(|session| {
            let updated = session.lifecycle.updated_at.to_string();
            let [name, status, program, what] = words(session, live.of(session));
            [name, session.id().to_string(), status, program, updated, what]
        });
        out.rows(["name", "id", "status", "program", "changed", "command"], rows.collect())?;
    }
    for damage in &page.damaged {
        out.note(&format!("damaged: {}: {}", damage.place, damage.reason));
    }
    match next_cursor {
        Some(cursor) => out.note(&format!("there is more: --cursor {cursor}")),
        // Later pages, and those that are not the whole listing, cannot say what all of it hides.
        None if args.cursor.is_none() && !out.is_quiet() => {
            tell_hidden(out, &*store, query, seen.len())?;
        }
        None => {}
    }
    Ok(Code::Done)
}

/// Says how many sessions the listing hides, having looked at a few more than it shows.
fn tell_hidden(
    out: &Output,
    store: &dyn SessionStore,
    mut query: Query,
    shown: usize,
) -> Result<(), CliError> {
    if query.scope == Scope::All {
        return Ok(());
    }
    let most = u32::try_from(shown).unwrap_or(u32::MAX).saturating_add(COUNTED);
    (query.scope, query.limit) = (Scope::All, NonZeroU32::new(most));
    let page = store.list(&query)?;
    let hidden = page.sessions.len().saturating_sub(shown);
    if page.next.is_some() {
        out.note(&format!("{hidden} or more sessions are hidden; --all shows them"));
    } else if hidden > 0 {
        out.note(&format!("{} hidden; --all shows them", number(hidden as u64, "session")));
    }
    Ok(())
}

/// Hidden sessions are counted up to this many: a listing must not take longer because many are hidden.
const COUNTED: u32 = 100;

/// The directory as sessions record it; one that is gone can still be asked for.
fn directory(invocation: &Invocation, given: &std::path::Path) -> Result<String, CliError> {
    let absolute = invocation.plan.caller.absolute(given)?;
    let canonical = absolute.canonicalize().unwrap_or(absolute);
    let text = canonical.into_os_string().into_string();
    text.map_err(|path| CliError::usage(format!("{} is not valid UTF-8", path.display())))
}

/// Name, status, state of the program, command or title.
fn words(session: &Session, live: Option<&LiveSession>) -> [String; 4] {
    let dash = || "-".to_owned();
    let title = session.identity.title.clone().or_else(|| live.and_then(|live| live.title.clone()));
    let command = session.launch.as_ref().map(|launch| command_line(&launch.argv));
    [
        session.name().map_or_else(dash, ToString::to_string),
        session.status().to_string(),
        program_state(session),
        command.or(title).unwrap_or_else(dash),
    ]
}
