//! `session stop`: ends programs and waits for their ends.

use std::time::Duration;

use serde::Serialize;
use session_core::{Exit, Session, SessionId, SessionName};

use crate::args::StopArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::live::not_running;
use crate::output::json::{ErrorBody, ExitValue};
use crate::output::text::{called, ended};
use crate::select::check_several;

#[derive(Serialize)]
struct Report<'a> {
    stopped: Vec<Stopped<'a>>,
    failed: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Stopped<'a> {
    id: SessionId,
    name: Option<&'a SessionName>,
    exit: ExitValue,
}

#[derive(Serialize)]
struct Failed<'a> {
    id: String,
    error: ErrorBody<'a>,
}

/// What became of one of them, beside what it was called.
type Attempt = (String, Result<(Session, Exit), CliError>);

pub(crate) fn run(invocation: &Invocation, args: &StopArgs) -> Result<Code, CliError> {
    check_several(&invocation.plan, &args.sessions)?;
    let grace = if args.force { Duration::ZERO } else { args.timeout };
    let found: Vec<(String, Result<Session, CliError>)> = if args.all {
        invocation
            .running()?
            .into_iter()
            .map(|session| (session.id().to_string(), Ok(session)))
            .collect()
    } else {
        args.sessions.iter().map(|text| (text.clone(), invocation.session(Some(text)))).collect()
    };
    // Each may take the time of three steps: all of them at once.
    let results: Vec<_> = std::thread::scope(|scope| {
        let stops: Vec<_> = found
            .into_iter()
            .map(|(text, found)| {
                scope.spawn(move || {
                    (text, found.and_then(|session| stop(invocation, session, grace)))
                })
            })
            .collect();
        stops.into_iter().filter_map(|stop| stop.join().ok()).collect()
    });
    report(invocation, results)
}

fn stop(
    invocation: &Invocation,
    session: Session,
    grace: Duration,
) -> Result<(Session, Exit), CliError> {
    if !session.has_live_process() {
        return Err(not_running(&session));
    }
    let exit = invocation.client_for(&session)?.stop(session.id(), grace)?;
    Ok((session, exit))
}

/// Prints what became of each; fails with the first failure.
fn report(invocation: &Invocation, results: Vec<Attempt>) -> Result<Code, CliError> {
    let out = &invocation.out;
    if out.is_json() {
        let mut report = Report { stopped: Vec::new(), failed: Vec::new() };
        for (text, result) in &results {
            match result {
                Ok((session, exit)) => report.stopped.push(Stopped {
                    id: session.id(),
                    name: session.name(),
                    exit: ExitValue((*exit != Exit::Unknown).then_some(*exit)),
                }),
                Err(error) => {
                    report.failed.push(Failed { id: text.clone(), error: ErrorBody::new(error) });
                }
            }
        }
        out.object(&report)?;
    }
    let mut failures = Vec::new();
    for (_, result) in results {
        match result {
            Ok((session, exit)) if !out.is_json() => {
                out.note(&format!("{} {}", called(&session), ended(exit)));
            }
            Ok(_) => {}
            Err(error) => failures.push(error),
        }
    }
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else { return Ok(Code::Done) };
    failures.for_each(|error| out.lesser_error(&error));
    Err(first)
}
