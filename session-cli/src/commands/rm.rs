//! `session rm`: moves sessions to the trash.

use serde::Serialize;
use session_core::{Session, SessionId, SessionName};

use crate::args::RmArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::{Invocation, Writing};
use crate::output::json::ErrorBody;
use crate::output::text::called;
use crate::select::check_several;

#[derive(Serialize)]
struct Report<'a> {
    removed: Vec<Removed<'a>>,
    failed: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Removed<'a> {
    id: SessionId,
    name: Option<&'a SessionName>,
}

#[derive(Serialize)]
struct Failed<'a> {
    id: &'a str,
    error: ErrorBody<'a>,
}

pub(crate) fn run(invocation: &Invocation, args: &RmArgs) -> Result<Code, CliError> {
    check_several(&invocation.plan, &args.sessions)?;
    let writing = invocation.writing()?;
    let mut removed = Vec::new();
    let mut failed = Vec::new();
    for text in &args.sessions {
        match remove(invocation, &writing, text) {
            Ok(session) => removed.push(session),
            Err(error) => failed.push((text.as_str(), error)),
        }
    }
    writing.close()?;
    let out = &invocation.out;
    if out.is_json() {
        out.object(&Report {
            removed: removed
                .iter()
                .map(|session| Removed { id: session.id(), name: session.name() })
                .collect(),
            failed: failed
                .iter()
                .map(|(id, error)| Failed { id, error: ErrorBody::new(error) })
                .collect(),
        })?;
    } else {
        for session in &removed {
            out.note(&format!(
                "{} is in the trash as {}; everything of it is kept",
                called(session),
                session.id()
            ));
        }
    }
    let mut errors = failed.into_iter().map(|(_, error)| error);
    let Some(first) = errors.next() else { return Ok(Code::Done) };
    errors.for_each(|error| out.lesser_error(&error));
    Err(first)
}

fn remove(invocation: &Invocation, writing: &Writing, text: &str) -> Result<Session, CliError> {
    let session = invocation.session_in(&*writing.store, Some(text))?;
    Ok(writing.store.remove(session.id(), &writing.observer)?)
}
