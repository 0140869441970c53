//! `session label`: sets and removes labels.

use session_core::{SessionStoreExt as _, StoreError};

use super::show::print;
use crate::args::{LabelArgs, LabelChange};
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::system;

pub(crate) fn run(invocation: &Invocation, args: &LabelArgs) -> Result<Code, CliError> {
    let writing = invocation.changing()?;
    let session = invocation.session_in(&*writing.store, Some(&args.session))?;
    let labelled = writing.store.update_with(session.id(), system::now(), |session| {
        for change in &args.changes {
            let labels = &mut session.identity.labels;
            match change {
                LabelChange::Set(pair) => labels.insert(pair.key.clone(), pair.value.clone()),
                LabelChange::Remove(key) => labels.remove(key),
            };
        }
        Ok::<_, StoreError>(())
    })?;
    writing.close()?;
    if invocation.out.is_json() {
        print(invocation, &labelled)?;
    }
    Ok(Code::Done)
}
