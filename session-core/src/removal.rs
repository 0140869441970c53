//! Which sessions a removal of many takes.

use std::collections::BTreeSet;

use crate::{Observer, Session, Status, Timestamp};

/// A condition for moving sessions to the trash. Sessions whose programs run, or whose children's programs run, stay
/// whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Who looks, and when the removal happens.
    pub observer: Observer,
    /// Only these statuses, as the observer sees them; empty for any.
    pub statuses: BTreeSet<Status>,
    /// Only sessions in which nothing happened since then: their last activity is before it.
    pub inactive_since: Option<Timestamp>,
    /// Only empty sessions: see [`Session::is_empty`].
    pub only_empty: bool,
}

impl Removal {
    /// Everything that does not run.
    #[must_use]
    pub const fn everything(observer: Observer) -> Self {
        Self { observer, statuses: BTreeSet::new(), inactive_since: None, only_empty: false }
    }

    /// Whether a session as recorded meets the condition. Whether it can be removed is another question.
    #[must_use]
    pub fn takes(&self, session: &Session) -> bool {
        let seen = session.observed_by(&self.observer);
        !seen.is_trashed()
            && (self.statuses.is_empty() || self.statuses.contains(&seen.status()))
            && self.inactive_since.is_none_or(|since| seen.lifecycle.last_active_at < since)
            && (!self.only_empty || seen.is_empty())
    }
}
