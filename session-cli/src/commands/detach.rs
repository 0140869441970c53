//! `session detach`: sends viewers away.

use serde::Serialize;
use session_core::SessionId;

use crate::args::DetachArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::live::not_running;

#[derive(Serialize)]
struct Detached {
    session: SessionId,
    all: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &DetachArgs) -> Result<Code, CliError> {
    let session = invocation.session(args.session.as_deref())?;
    if !session.has_live_process() {
        return Err(not_running(&session));
    }
    invocation.client_for(&session)?.detach(session.id(), args.all)?;
    if invocation.out.is_json() {
        invocation.out.object(&Detached { session: session.id(), all: args.all })?;
    }
    Ok(Code::Done)
}
