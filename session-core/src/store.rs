//! The seam between sessions and whatever keeps them.

use std::fmt;
use std::path::PathBuf;

use crate::{
    IdFragment, Observer, Page, Query, Selector, Session, SessionId, SessionName, Status,
    StoreError, Timestamp,
};

/// A place where sessions are kept.
///
/// Synchronous, object-safe, small. Several threads may use one store, and several processes may have the same
/// one open, where its backend is on a disk. It reads no clock: whoever writes says when.
///
/// Each sentence with an id is a promise that the shared suite tests under that id for every backend.
/// Every refusal leaves the store as it was.
pub trait SessionStore: Send + Sync + fmt::Debug {
    /// What kind of store this is and where.
    fn info(&self) -> StoreInfo;

    /// Stores a new session, created at its own `created_at`, and returns it as stored.
    ///
    /// - `STORE-01`: what was created is what `get` returns, at revision 1 and updated when created.
    /// - `STORE-02`: an id that is stored already, in the trash or not, is refused with `IdExists`.
    /// - `STORE-03`: a name that another session holds is refused with `NameHeld`, which names the holder; of
    ///   several racing creators exactly one wins.
    /// - `STORE-04`: a holder whose deadline has passed is recorded as expired and gives the name up, in the same
    ///   transaction.
    /// - `STORE-05`: a released name can be taken again, and what had it before stays as it is.
    /// - `STORE-23`: a session that could not be read back (a launch part without a program, its own parent) is
    ///   refused with `Invalid`, here and in `update`, and so is creating one in the trash; a deadline is kept in
    ///   whole milliseconds.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn create(&self, session: Session) -> Result<Session, StoreError>;

    /// The session with this id.
    ///
    /// - `STORE-06`: an unknown id is `NotFound`; a session in the trash is returned.
    ///
    /// # Errors
    /// As above; `Corrupt` when its record cannot be read.
    fn get(&self, id: SessionId) -> Result<Session, StoreError>;

    /// All sessions of this name, whether they hold it or did when their work was open.
    ///
    /// - `STORE-07`: those outside the trash, the last created first.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError>;

    /// Sessions whose id begins or ends with these characters.
    ///
    /// - `STORE-08`: those outside the trash, the last created first, at most ten.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError>;

    /// Replaces the session of the same id, if it is still at the revision that `changed` carries, and returns it
    /// as stored.
    ///
    /// - `STORE-09`: the revision grows by one, `updated_at` becomes `at`, everything else is as given.
    /// - `STORE-10`: another revision is refused with `Conflict`; of several racing writers of one revision
    ///   exactly one wins.
    /// - `STORE-11`: a change of status that the table does not allow is refused with `Transition`.
    /// - `STORE-12`: an unknown id is `NotFound`, one in the trash `Trashed`, another `created_at`, or a `trashed_at`, is `Immutable`.
    /// - `STORE-13`: taking a name, by renaming or by running again, follows the rules of `create`.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError>;

    /// One page of the sessions that match.
    ///
    /// - `STORE-14`: exactly those that [`Query::matches`] accepts, in the order of [`crate::Sort`].
    /// - `STORE-15`: pages of any size, joined by their cursors, are the whole listing once.
    /// - `STORE-16`: a cursor of another query or generation is refused with `StaleCursor`.
    ///
    /// # Errors
    /// As above, and whatever the backend reports. A damaged record is no error: it is reported in the page.
    fn list(&self, query: &Query) -> Result<Page, StoreError>;

    /// Moves a session to the trash and returns it as stored.
    ///
    /// - `STORE-17`: it keeps everything, is recorded as the observer sees it, and gets `trashed_at`; it is listed, found and named no more, and its
    ///   name is released; a second removal is `Trashed`.
    /// - `STORE-18`: a session with a running program is refused with `StillRunning`, one whose children have
    ///   running programs with `RunningChildren`; a program that the observer sees as lost runs no more.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError>;

    /// Records what the observer sees and nobody has recorded: deadlines that have passed, programs that are
    /// lost. Returns the sessions that changed.
    ///
    /// - `STORE-19`: afterwards the record of every session outside the trash equals what the observer sees; a
    ///   second sweep changes nothing.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError>;

    /// Makes sure that everything that was acknowledged is on the medium.
    ///
    /// - `STORE-20`: what was acknowledged is there after the store is opened anew, with members that this version
    ///   does not know byte for byte as they were.
    /// - `STORE-21`: what one handle has written, another handle on the same store reads.
    ///
    /// # Errors
    /// Whatever went wrong since the last flush.
    fn flush(&self) -> Result<(), StoreError>;

    /// Flushes and lets go of everything.
    ///
    /// - `STORE-22`: afterwards every call is refused with `StoreClosed`; closing again succeeds.
    ///
    /// # Errors
    /// Whatever went wrong since the last flush. The store is closed all the same.
    fn close(&self) -> Result<(), StoreError>;
}

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The backend: `memory`, `sqlite` or `jsonl`.
    pub kind: &'static str,
    /// Where it is, for a backend on a disk.
    pub location: Option<PathBuf>,
    /// The version of its format.
    pub schema_version: i64,
    /// Changes when its content is replaced: cursors of another generation are stale.
    pub generation: u64,
}

impl StoreInfo {
    /// What a backend of this kind says of itself.
    #[must_use]
    pub const fn new(
        kind: &'static str,
        location: Option<PathBuf>,
        schema_version: i64,
        generation: u64,
    ) -> Self {
        Self { kind, location, schema_version, generation }
    }
}

/// What every store can do by means of the small trait.
pub trait SessionStoreExt: SessionStore {
    /// The one session that the selector means, never one in the trash.
    ///
    /// # Errors
    /// `NotFound`; `Ambiguous`, which lists candidates; whatever the backend reports.
    fn find(&self, selector: &Selector) -> Result<Session, StoreError> {
        if let Some(id) = selector.as_id() {
            match self.get(id) {
                Ok(session) if session.is_trashed() => return Err(StoreError::Trashed { id }),
                Err(StoreError::NotFound { .. }) => {}
                found => return found,
            }
        }
        if let Some(name) = selector.as_name() {
            let named = self.named(&name)?;
            let holder = named.iter().position(|session| session.status().is_open());
            if let Some(session) = named.into_iter().nth(holder.unwrap_or(0)) {
                return Ok(session);
            }
        }
        let mut found = match selector.as_fragment() {
            Some(fragment) => self.matching(&fragment)?,
            None => Vec::new(),
        };
        match found.len() {
            0 => Err(StoreError::NotFound { selector: selector.as_str().to_owned() }),
            1 => Ok(found.remove(0)),
            _ => Err(StoreError::Ambiguous {
                selector: selector.as_str().to_owned(),
                candidates: found
                    .into_iter()
                    .map(|session| (session.id(), session.identity.name))
                    .collect(),
            }),
        }
    }

    /// Reads a session, lets `change` edit it, and stores it; when somebody else was faster, all over again.
    ///
    /// # Errors
    /// What `change` returns; what `get` and `update` return, a conflict excepted.
    fn update_with<E: From<StoreError>>(
        &self,
        id: SessionId,
        at: Timestamp,
        mut change: impl FnMut(&mut Session) -> Result<(), E>,
    ) -> Result<Session, E> {
        loop {
            let mut session = self.get(id)?;
            change(&mut session)?;
            match self.update(session, at) {
                Err(StoreError::Conflict { .. }) => {}
                stored => return Ok(stored?),
            }
        }
    }
}

impl<S: SessionStore + ?Sized> SessionStoreExt for S {}

/// Rules of the contract that need no storage, so that every backend decides alike.
pub mod rules {
    use super::{Observer, Session, SessionId, StoreError, Timestamp};
    use crate::Revision;

    /// The session as `create` stores it.
    ///
    /// # Errors
    /// `Invalid` when it could not be read back.
    pub fn created(session: Session) -> Result<Session, StoreError> {
        if session.is_trashed() {
            let reason = "it is in the trash, where only a removal puts it";
            return Err(StoreError::Invalid { id: session.id(), reason });
        }
        let mut session = storable(session)?;
        session.lifecycle.revision = Revision(1);
        session.lifecycle.updated_at = session.lifecycle.created_at;
        Ok(session)
    }

    /// A session that every backend can write and read back as it is.
    fn storable(mut session: Session) -> Result<Session, StoreError> {
        let id = session.id();
        if session.launch.as_ref().is_some_and(|launch| launch.argv.is_empty()) {
            return Err(StoreError::Invalid { id, reason: "its launch part names no program" });
        }
        if session.identity.parent == Some(id) {
            return Err(StoreError::Invalid { id, reason: "it is its own parent" });
        }
        session.lifecycle.expiry = session.lifecycle.expiry.in_whole_millis();
        Ok(session)
    }

    /// The session as `update` stores it in place of `stored`.
    ///
    /// # Errors
    /// `Trashed`, `Conflict`, `Immutable` or `Transition`, as the contract says; `Invalid` as for [`created`].
    pub fn updated(
        stored: &Session,
        changed: Session,
        at: Timestamp,
    ) -> Result<Session, StoreError> {
        let mut changed = storable(changed)?;
        let id = stored.id();
        let (expected, found) = (changed.lifecycle.revision, stored.lifecycle.revision);
        if stored.is_trashed() {
            return Err(StoreError::Trashed { id });
        }
        if expected != found {
            return Err(StoreError::Conflict { id, expected, found });
        }
        if changed.lifecycle.created_at != stored.lifecycle.created_at {
            return Err(StoreError::Immutable { id, field: "created_at" });
        }
        if changed.is_trashed() {
            return Err(StoreError::Immutable { id, field: "trashed_at" });
        }
        stored.status().to(changed.status())?;
        changed.lifecycle.revision = found.next();
        changed.lifecycle.updated_at = at;
        Ok(changed)
    }

    /// Whether storing `session` claims its name: its work is open and it is not in the trash.
    ///
    /// Its own deadline does not count. Were a session past its deadline stored beside the holder of its name, a
    /// clock that goes back, or a longer deadline, would make two holders of it.
    #[must_use]
    pub fn claims_name(session: &Session) -> bool {
        session.name().is_some() && !session.is_trashed() && session.status().is_open()
    }

    /// Whether `update` of `stored` into `changed` takes a name that may have to be fought for.
    #[must_use]
    pub fn takes_name(stored: &Session, changed: &Session) -> bool {
        claims_name(changed) && !(claims_name(stored) && stored.name() == changed.name())
    }

    /// What to do about `other`, which has the name that `taker` wants at `at`: `None` when it does not hold the
    /// name, the record of its expiry when its deadline has passed.
    ///
    /// # Errors
    /// `NameHeld` when it holds the name.
    pub fn contest(
        taker: SessionId,
        other: &Session,
        at: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let Some(name) = other.name() else { return Ok(None) };
        if other.id() == taker || other.is_trashed() || !other.status().is_open() {
            return Ok(None);
        }
        if other.is_overdue(at) {
            let mut expired = other.clone();
            expired.record_expired();
            expired.lifecycle.revision = expired.lifecycle.revision.next();
            expired.lifecycle.updated_at = at;
            return Ok(Some(expired));
        }
        Err(StoreError::NameHeld { name: name.clone(), holder: other.id() })
    }

    /// The session as `remove` stores it, given its direct children.
    ///
    /// # Errors
    /// `Trashed`, `StillRunning` or `RunningChildren`, as the contract says.
    pub fn removed<'a>(
        stored: &Session,
        children: impl IntoIterator<Item = &'a Session>,
        observer: &Observer,
    ) -> Result<Session, StoreError> {
        let id = stored.id();
        if stored.is_trashed() {
            return Err(StoreError::Trashed { id });
        }
        let mut removed = stored.observed_by(observer).into_owned();
        if removed.has_live_process() {
            return Err(StoreError::StillRunning { id });
        }
        let running: Vec<_> = children
            .into_iter()
            .filter(|child| !child.is_trashed() && child.observed_by(observer).has_live_process())
            .map(Session::id)
            .collect();
        if !running.is_empty() {
            return Err(StoreError::RunningChildren { id, children: running });
        }
        removed.lifecycle.trashed_at = Some(observer.now);
        removed.lifecycle.updated_at = observer.now;
        removed.lifecycle.revision = removed.lifecycle.revision.next();
        Ok(removed)
    }

    /// The session as `sweep` stores it, when the observer sees it otherwise than it is recorded.
    #[must_use]
    pub fn swept(stored: &Session, observer: &Observer) -> Option<Session> {
        if stored.is_trashed() {
            return None;
        }
        let mut seen = stored.observed_by(observer).into_owned();
        if seen == *stored {
            return None;
        }
        seen.lifecycle.updated_at = observer.now;
        seen.lifecycle.revision = seen.lifecycle.revision.next();
        Some(seen)
    }
}

/// The statuses of open work, which alone can hold a name.
pub const OPEN: [Status; 2] = [Status::Pending, Status::Running];
