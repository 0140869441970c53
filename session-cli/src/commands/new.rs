//! `session new`: a program in a session of its own.

use session_core::{Observer, Query, Scope, Session, SessionId, SessionName};
use session_pty::Client;

use super::viewing::{AtPipe, Sitting};
use crate::args::NewArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::json::OneSession;
use crate::select::find;
use crate::spawn::Wish;

pub(crate) fn run(invocation: &Invocation, args: NewArgs) -> Result<Code, CliError> {
    if invocation.out.is_json() && !args.detach {
        return Err(CliError::usage("a session cannot be watched as JSON")
            .hint("add --detach, then use `session logs` and `session wait`"));
    }
    let name = args.name.as_deref().map(SessionName::parse).transpose()?;
    let parent = match &args.parent {
        Some(parent) => Some(find(&*invocation.reading()?, parent)?.id()),
        None => None,
    };
    if args.reuse
        && let (Some(parent), Some(tool)) = (parent, &args.tool)
        && let Some(child) = running_child(invocation, parent, tool)?
    {
        if args.detach {
            return told(invocation, &child);
        }
        return Sitting::new(invocation).attach(&child, false, AtPipe::Wait);
    }
    let detach = args.detach;
    let wish = Wish {
        name,
        tool: args.tool,
        parent,
        command: args.command,
        workdir: args.workdir,
        env: args.env,
        labels: args.label,
        size: args.size,
    };
    let spawn = invocation.spawn_for(wish)?;
    let mut client: Client = invocation.client_or_start()?;
    if detach {
        if args.record {
            client.record_spawned();
        }
        let session = client.spawn(spawn)?;
        if args.record {
            say_recorded(invocation, session.id());
        }
        return told(invocation, &session);
    }
    Sitting { record: args.record, ..Sitting::new(invocation) }.begin(client, spawn, AtPipe::Wait)
}

/// Says where the recording is found.
pub(super) fn say_recorded(invocation: &Invocation, id: SessionId) {
    let place = invocation.place.recording(id);
    invocation.out.note(&format!("[recording to {}]", place.display()));
}

/// The child of this parent that runs this tool.
fn running_child(
    invocation: &Invocation,
    parent: SessionId,
    tool: &str,
) -> Result<Option<Session>, CliError> {
    let observer: Observer = invocation.observer()?;
    let mut query = Query::new(observer.clone());
    query.parent = Some(parent);
    query.tool = Some(tool.to_owned());
    query.scope = Scope::All;
    let page = invocation.reading()?.list(&query)?;
    let running = |session: &Session| session.observed_by(&observer).has_live_process();
    Ok(page.sessions.into_iter().find(running))
}

/// Prints name and id.
fn told(invocation: &Invocation, session: &Session) -> Result<Code, CliError> {
    if invocation.out.is_json() {
        let live = invocation.live();
        invocation.out.object(&OneSession::new(session, live.of(session))?)?;
    } else {
        let name = session.name().map(ToString::to_string).unwrap_or_default();
        invocation.out.text(&format!("{name}\t{}", session.id()))?;
    }
    Ok(Code::Done)
}
