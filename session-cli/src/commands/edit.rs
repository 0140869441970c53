//! `session edit`: changes what is recorded of a session.

use session_core::{Binding, Conversation, Expiry, Lease, Session, SessionStoreExt as _};

use super::show::print;
use crate::args::{EditArgs, RecordFlags, Ttl};
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::plan::Caller;
use crate::spawn::workdir;
use crate::system;

pub(crate) fn run(invocation: &Invocation, args: &EditArgs) -> Result<Code, CliError> {
    if args.flags.is_empty() {
        return Err(CliError::usage("there is nothing to change").hint("see `session edit --help`"));
    }
    let writing = invocation.changing()?;
    let session = invocation.session_in(&*writing.store, args.session.as_deref())?;
    let caller = &invocation.plan.caller;
    let changed = writing
        .store
        .update_with(session.id(), system::now(), |session| apply(session, &args.flags, caller))?;
    writing.close()?;
    if invocation.out.is_json() {
        print(invocation, &changed)?;
    }
    Ok(Code::Done)
}

/// Puts what was given into the session; an empty text removes what was there.
pub(crate) fn apply(
    session: &mut Session,
    flags: &RecordFlags,
    caller: &Caller,
) -> Result<(), CliError> {
    put(&mut session.identity.title, flags.title.as_deref());
    match flags.ttl {
        Some(Ttl::Never) => session.lifecycle.expiry = Expiry::Never,
        Some(Ttl::Idle(idle)) => session.lifecycle.expiry = Expiry::Idle(idle),
        None => {}
    }
    let workspace = match flags.workspace.as_deref() {
        Some(path) if path.as_os_str().is_empty() => Some(String::new()),
        Some(path) => Some(workdir(Some(path), caller)?),
        None => None,
    };
    let mut conversation = session.conversation.clone().unwrap_or_default();
    put(&mut conversation.workspace, workspace.as_deref());
    put(&mut conversation.vendor, flags.vendor.as_deref());
    put(&mut conversation.endpoint, flags.endpoint.as_deref());
    put(&mut conversation.model, flags.model.as_deref());
    if session.conversation.is_some() || conversation != Conversation::default() {
        session.conversation = Some(conversation);
    }
    bind(session, flags);
    Ok(())
}

/// What is absent in a binding is the empty text; one that has nothing is none, and a lease without anything neither.
fn bind(session: &mut Session, flags: &RecordFlags) {
    let mut lease = session.lease.clone().unwrap_or_default();
    let mut binding = lease.binding.clone().unwrap_or_default();
    for (field, given) in [
        (&mut binding.chat, &flags.chat),
        (&mut binding.agent, &flags.agent),
        (&mut binding.project, &flags.project),
    ] {
        if let Some(given) = given {
            field.clone_from(given);
        }
    }
    lease.binding = (binding != Binding::default()).then_some(binding);
    session.lease = (lease != Lease::default()).then_some(lease);
}

fn put(field: &mut Option<String>, given: Option<&str>) {
    if let Some(given) = given {
        *field = (!given.is_empty()).then(|| given.to_owned());
    }
}

impl RecordFlags {
    fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.workspace.is_none()
            && self.vendor.is_none()
            && self.endpoint.is_none()
            && self.model.is_none()
            && self.chat.is_none()
            && self.agent.is_none()
            && self.project.is_none()
            && self.ttl.is_none()
    }
}
