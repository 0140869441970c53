//! `session create`: a session without a program.

use session_core::{Session, SessionName};

use super::edit::apply;
use crate::args::CreateArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::json::OneSession;
use crate::spawn::generated_name;
use crate::system;

pub(crate) fn run(invocation: &Invocation, args: CreateArgs) -> Result<Code, CliError> {
    let name = args.name.as_deref().map(SessionName::parse).transpose()?;
    let writing = invocation.writing()?;
    let now = writing.observer.now;
    let mut session = Session::new(system::new_id(now)?, now);
    session.identity.name = Some(match name {
        Some(name) => name,
        None => generated_name(&*writing.store)?,
    });
    apply(&mut session, &args.flags, &invocation.plan.caller)?;
    let session = writing.store.create(session)?;
    writing.close()?;
    if invocation.out.is_json() {
        invocation.out.object(&OneSession::new(&session, None)?)?;
    } else {
        let name = session.name().map(ToString::to_string).unwrap_or_default();
        invocation.out.text(&format!("{name}\t{}", session.id()))?;
    }
    Ok(Code::Done)
}
