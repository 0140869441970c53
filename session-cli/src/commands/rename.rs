//! `session rename`: gives a session another name.

use session_core::{SessionName, SessionStoreExt as _, StoreError};

use super::show::print;
use crate::args::RenameArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::system;

pub(crate) fn run(invocation: &Invocation, args: &RenameArgs) -> Result<Code, CliError> {
    let name = SessionName::parse(&args.name)?;
    let writing = invocation.changing()?;
    let session = invocation.session_in(&*writing.store, Some(&args.session))?;
    let renamed = writing.store.update_with(session.id(), system::now(), |session| {
        session.identity.name = Some(name.clone());
        Ok::<_, StoreError>(())
    })?;
    writing.close()?;
    if invocation.out.is_json() {
        print(invocation, &renamed)?;
    }
    Ok(Code::Done)
}
