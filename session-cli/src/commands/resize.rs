//! `session resize`: changes the size of a session's terminal.

use serde::Serialize;
use session_core::{SessionId, TerminalSize};

use crate::args::ResizeArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::live::not_running;

#[derive(Serialize)]
struct Resized {
    session: SessionId,
    size: TerminalSize,
}

pub(crate) fn run(invocation: &Invocation, args: &ResizeArgs) -> Result<Code, CliError> {
    let session = invocation.session(Some(&args.session))?;
    if !session.has_live_process() {
        return Err(not_running(&session));
    }
    invocation.client_for(&session)?.resize(session.id(), args.size)?;
    if invocation.out.is_json() {
        invocation.out.object(&Resized { session: session.id(), size: args.size })?;
    }
    Ok(Code::Done)
}
