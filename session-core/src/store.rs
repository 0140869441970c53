//! The seam between sessions and whatever keeps them: the contract of a store, in three parts.
//!
//! [`SessionStore`] keeps sessions, [`RecordStore`] their histories, and [`StoreUpkeep`] looks after the whole.

mod ext;
mod info;
mod pointers;
mod records;
pub mod rules;
mod upkeep;

use std::fmt;

use crate::{
    IdFragment, Observer, Page, Query, Removal, Session, SessionId, SessionName, StoreError,
    Timestamp,
};

pub use ext::{Context, History, SessionStoreExt};
pub use info::{Deduplication, Durability, StoreInfo};
pub use records::{Appended, RecordStore};
pub use upkeep::{CheckReport, Repair, StoreStats, StoreUpkeep, Tombstone};

/// A place where sessions are kept.
///
/// Synchronous, object-safe, small. Several threads may use one store, and several processes may have the same
/// one open, where its backend is on a disk. It reads no clock: whoever writes says when.
///
/// Each sentence with an id is a promise that the shared suite tests under that id for every backend.
/// Every refusal leaves the store as it was. A pointer to a store (`&S`, `Box<S>`, `Arc<S>`) is a store.
pub trait SessionStore: RecordStore + StoreUpkeep + Send + Sync + fmt::Debug {
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
    /// - `STORE-23`: a session that could not be read back is refused with `Invalid`, here and in `update`: one with a
    ///   launch part that names no program, one that is its own parent, one whose name breaks the rules of its role
    ///   (also once the role was given back), and one with a member among the unknown ones that its object knows, which
    ///   the refusal names by its path. So is creating one in the trash, and a launch part that no system could start,
    ///   as [`crate::Launch`] says, unless the update leaves it as it was: older versions stored such ones. An idle time is cut to whole milliseconds.
    /// - `STORE-24`: the totals of a history are the store's: a new session has none, and `update` keeps them.
    /// - `STORE-25`: a name is also held by a session that is completed or failed, as long as its lease stands. It is
    ///   free with the very write that gives the role back, or that closes or expires the session.
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
    /// - `STORE-55`: without a limit the page is all that is left, however much that is, and has no cursor.
    /// - `STORE-26`: the scope of the trash lists what is in the trash and nothing else.
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

    /// Moves all sessions that the removal takes to the trash, in one step, and returns them as stored, by id.
    ///
    /// - `STORE-27`: exactly those that [`Removal::takes`] accepts and `remove` would not refuse.
    /// - `STORE-28`: all of them or none, also when the process or a call of the disk fails in between; once it has
    ///   returned, every handle finds all of it done. A session to which others append meanwhile goes with everything
    ///   that was acknowledged, and takes nothing afterwards. It is no promise to whoever lists meanwhile: a listing
    ///   may have some of them still and others no more.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn remove_all(&self, removal: &Removal) -> Result<Vec<Session>, StoreError>;

    /// Takes a session out of the trash and returns it as stored.
    ///
    /// - `STORE-29`: it is as the removal recorded it, what the observer saw of it included (a lost program, a passed
    ///   deadline): only `trashed_at` is taken away, the revision grows by one, and `updated_at` becomes `at`. Its
    ///   `last_active_at`, its deadline and its history stay. A name that it claims it takes by the rules of `create`.
    /// - `STORE-30`: an unknown id is `NotFound`, one outside the trash `NotTrashed`.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn restore(&self, id: SessionId, at: Timestamp) -> Result<Session, StoreError>;

    /// Destroys a session in the trash with all of its history, and keeps its tombstone.
    ///
    /// - `STORE-31`: afterwards the id is `NotFound` everywhere, but creating or adopting it is refused with
    ///   `Purged`; its tombstone says when.
    /// - `STORE-32`: an unknown id is `NotFound`, one outside the trash `NotTrashed`.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn purge(&self, id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError>;

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
