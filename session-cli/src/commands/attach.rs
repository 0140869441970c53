//! `session attach`: come back to a running session, or begin it.

use session_core::{ErrorKind, Query, Scope, Session, SessionName, Status};

use super::viewing::{AtPipe, Sitting};
use crate::args::AttachArgs;
use crate::error::{CliError, Kind};
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::live::not_running;
use crate::output::text::{called, program_state};
use crate::select::find;
use crate::spawn::Wish;

/// A session may end between looking it up and attaching to it; more often than this, something else is wrong.
const ATTEMPTS: u32 = 3;

pub(crate) fn run(invocation: &Invocation, args: AttachArgs) -> Result<Code, CliError> {
    if invocation.out.is_json() {
        return Err(CliError::usage("a session cannot be watched as JSON")
            .hint("use `session screen`, `session logs` and `session wait`"));
    }
    let name = match (&args.name, &invocation.plan.session) {
        (Some(name), Some(flag)) if name != flag => {
            return Err(CliError::usage(format!(
                "two sessions are named: {name}, and {flag} with -S"
            ))
            .hint("name one of them"));
        }
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) if !args.command.is_empty() => {
            return Err(CliError::usage("a command needs a name for its session")
                .hint("session attach NAME -- CMD, or `session new -- CMD`"));
        }
        (None, None) => last_attached(invocation)?.id().to_string(),
    };
    let sitting = Sitting {
        invocation,
        read_only: args.read_only,
        scrollback: if args.no_scrollback { 0 } else { invocation.plan.scrollback },
        record: false,
    };
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        let found = lookup(invocation, &name)?;
        if let Some(session) = found.as_ref().filter(|session| session.has_live_process()) {
            refuse_itself(invocation, session)?;
            if !args.command.is_empty() {
                let text =
                    format!("[{} runs already; the command was not started]", called(session));
                invocation.out.note(&text);
            }
            match sitting.attach(session, args.detach_others, AtPipe::Leave) {
                Err(error) if error.is(ErrorKind::NotRunning) && attempts > 0 => continue,
                attached => return attached,
            }
        }
        let name = name_to_create(found.as_ref(), &name, args.no_create)?;
        let previous = found.as_ref().map(|ended| {
            let how = match ended.process {
                Some(_) => program_state(ended),
                None => ended.status().to_string(),
            };
            format!("[{} has ended ({how}); this is a new one]", called(ended))
        });
        let wish = Wish { name: Some(name), command: args.command.clone(), ..Wish::default() };
        let spawn = invocation.spawn_for(wish)?;
        let client = invocation.client_or_start()?;
        if let Some(previous) = previous {
            invocation.out.note(&previous);
        }
        match sitting.begin(client, spawn, AtPipe::Leave) {
            // Somebody else was faster: then it is there to attach to.
            Err(error) if error.is(ErrorKind::Exists) && attempts > 0 => {}
            began => return began,
        }
    }
}

/// The session that the text means, if there is one, as it is seen from here.
fn lookup(invocation: &Invocation, text: &str) -> Result<Option<Session>, CliError> {
    let store = invocation.reading()?;
    match find(&*store, text) {
        Ok(found) => Ok(Some(found.observed_by(&invocation.observer()?).into_owned())),
        Err(error) if error.is(ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name for a new session, where one may be created.
fn name_to_create(
    found: Option<&Session>,
    text: &str,
    no_create: bool,
) -> Result<SessionName, CliError> {
    match found {
        None if no_create => {
            Err(CliError::new(ErrorKind::NotFound, format!("there is no session {text}"))
                .hint("without --no-create it is created"))
        }
        None => Ok(SessionName::parse(text)?),
        Some(session) if no_create => Err(not_running(session)),
        // An id means that very session, and no other one in its place.
        Some(session) if session.name().is_none_or(|name| name.as_str() != text) => {
            Err(not_running(session))
        }
        Some(session) if session.status() == Status::Pending => {
            let message = format!("the name {text} is held by a session without a program");
            Err(CliError::new(ErrorKind::Exists, message).hint("choose another name"))
        }
        Some(_) => Ok(SessionName::parse(text)?),
    }
}

fn refuse_itself(invocation: &Invocation, session: &Session) -> Result<(), CliError> {
    if invocation.plan.inside.as_deref() == Some(session.id().to_string().as_str()) {
        let message = format!("{} cannot be shown inside itself", called(session));
        return Err(CliError::new(ErrorKind::Refused, message).hint("attach from another terminal"));
    }
    Ok(())
}

/// The running session that somebody attached to last, or else the one that was started last.
fn last_attached(invocation: &Invocation) -> Result<Session, CliError> {
    let observer = invocation.observer()?;
    let mut query = Query::new(observer.clone());
    query.statuses = [Status::Running].into();
    query.scope = Scope::All;
    let running = invocation.reading()?.list(&query)?.sessions;
    let inside = invocation.plan.inside.as_deref();
    running
        .into_iter()
        .filter(|session| session.observed_by(&observer).has_live_process())
        .filter(|session| inside != Some(session.id().to_string().as_str()))
        .max_by_key(|session| {
            let process = session.process.as_ref();
            (
                process.and_then(|process| process.last_attached_at),
                process.map(|process| process.started_at),
            )
        })
        .ok_or_else(|| {
            CliError::new(Kind::NoSession, "no session is running")
                .hint("begin one with: session attach NAME")
        })
}
