//! Which session is meant: an explicit argument, else `-S`, else the one that this program runs in.

use session_core::{ErrorKind, Selector, Session, SessionStore, SessionStoreExt as _};

use crate::error::{CliError, Kind};
use crate::invocation::Invocation;
use crate::plan::Plan;

impl Invocation {
    /// The session that is meant, as it is seen from here.
    ///
    /// # Errors
    /// `no-session` when nothing says which; `usage` when two things say it differently; a wrong explicit name is
    /// an error and never falls back on another one.
    pub(crate) fn session(&self, given: Option<&str>) -> Result<Session, CliError> {
        let store = self.reading()?;
        self.session_in(&*store, given)
    }

    /// As [`Self::session`], in a store that is open already.
    pub(crate) fn session_in(
        &self,
        store: &dyn SessionStore,
        given: Option<&str>,
    ) -> Result<Session, CliError> {
        let (text, source) = choose(&self.plan, given)?;
        let found = find(store, text).map_err(|error| match source {
            Source::Explicit => self.or_in_the_trash(store, text, error),
            Source::Environment => {
                error.hint("SESSION_ID names it; give a session explicitly, or unset that variable")
            }
        })?;
        Ok(found.observed_by(&self.observer()?).into_owned())
    }

    /// The error with the way back, where what is not found was removed.
    fn or_in_the_trash(&self, store: &dyn SessionStore, text: &str, error: CliError) -> CliError {
        let found = Selector::parse(text).ok().filter(|_| error.is(ErrorKind::NotFound));
        let trashed = found.and_then(|selector| store.find_trashed(&selector).ok());
        let Some(trashed) = trashed else { return error };
        let undo = self.plan.again(["trash", "restore", &trashed.id().to_string()]);
        error.hint(format!("it is in the trash: `{undo}` brings it back"))
    }
}

/// The one session that the text means, as recorded.
pub(crate) fn find(store: &dyn SessionStore, text: &str) -> Result<Session, CliError> {
    Ok(store.find(&Selector::parse(text)?)?)
}

/// Several sessions at once make sense only where nothing else is named as well.
///
/// # Errors
/// `usage` when `-S` names another one.
pub(crate) fn check_several(plan: &Plan, given: &[String]) -> Result<(), CliError> {
    given.iter().try_for_each(|text| choose(plan, Some(text)).map(drop))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Explicit,
    Environment,
}

fn choose<'a>(plan: &'a Plan, given: Option<&'a str>) -> Result<(&'a str, Source), CliError> {
    match (given, plan.session.as_deref(), plan.inside.as_deref()) {
        (Some(given), Some(flag), _) if given != flag => {
            Err(CliError::usage(format!("two sessions are named: {given}, and {flag} with -S"))
                .hint("name one of them"))
        }
        (Some(given), _, _) | (None, Some(given), _) => Ok((given, Source::Explicit)),
        (None, None, Some(inside)) => Ok((inside, Source::Environment)),
        (None, None, None) => {
            Err(CliError::new(Kind::NoSession, "no session is named, and none is current")
                .hint("name one, as `session list` shows them, or give it with -S"))
        }
    }
}
