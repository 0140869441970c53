//! The part of a store that looks after the whole: counting, checking, copying.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::json::canonical_object;
use crate::{Damage, Record, Session, SessionId, Status, StoreError, Timestamp, Unknown};

/// What people do to a store as a whole.
pub trait StoreUpkeep: Send + Sync + fmt::Debug {
    /// Counts what is there.
    ///
    /// - `STORE-45`: sessions by status as recorded, outside the trash, and what else [`StoreStats`] says.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Reads everything and changes nothing.
    ///
    /// - `STORE-46`: a sound store is reported without damage, with the numbers of its sessions and records.
    ///
    /// # Errors
    /// When the store cannot be read at all. Damage is no error: it is reported.
    fn check(&self) -> Result<CheckReport, StoreError>;

    /// Puts what is damaged into quarantine and what can be derived in order, and says what was done.
    ///
    /// - `STORE-47`: a sound store stays as it is; everything that could be read before can be read afterwards, and a
    ///   check then finds no damage.
    ///
    /// In place of a record that cannot be read stands one of the kind `lost` afterwards, so that no number is missing.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn repair(&self, at: Timestamp) -> Result<Vec<Repair>, StoreError>;

    /// Derives anew what is derived: indexes, caches.
    ///
    /// - `STORE-48`: no answer of the store changes.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn reindex(&self) -> Result<(), StoreError>;

    /// Puts a checked copy of the whole store at `target`, where nothing may stand.
    ///
    /// - `STORE-49`: the copy is a store of the same kind with the same content, whatever others write meanwhile; what
    ///   stands at `target` is refused with `TargetExists` and left alone. A backend that declares no backups refuses
    ///   with `Unsupported`, here and in `restore_backup`.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn backup(&self, target: &Path) -> Result<(), StoreError>;

    /// Replaces the whole content by that of a copy that `backup` made, in one step.
    ///
    /// - `STORE-50`: afterwards every handle reads the copy's content, the generation is another one, and cursors from
    ///   before are stale. A copy that is damaged or no store of this kind is refused with an error of the kind
    ///   `Corrupt`, a place where nothing stands with one of the kind `Corrupt` or `Io`; content and generation stay as
    ///   they are then.
    /// - `STORE-58`: with `kept`, what was there before is put there first, as by `backup`, and nobody writes in between:
    ///   what was acknowledged is in one of the two. A copy that is refused puts nothing there.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn restore_backup(&self, copy: &Path, kept: Option<&Path>) -> Result<(), StoreError>;

    /// Stores a session of another store as it is, with its revision, times and history; for conversions and imports.
    ///
    /// - `STORE-51`: `get` and `read` return exactly what was given, members of newer versions included. Nothing is
    ///   taken for a repetition: records of one id are all kept. A later append of that id, within the declared reach,
    ///   is answered with the number of one of them.
    /// - `STORE-52`: a stored id is `IdExists`, a destroyed one `Purged`, a name that is held, also by one that is
    ///   overdue, `NameHeld`. `Invalid` are what `create` and `append` refuse with it, but for a
    ///   launch part that names a program and that no system could start, an idle time that is not in
    ///   whole milliseconds, records that are not numbered from 1 on without a gap, and totals whose number of records
    ///   is another than that of the records. So are totals that cannot be, with more messages than records or a last
    ///   checkpoint behind them, and a revision of 0 or beyond [`Revision::LARGEST`](crate::Revision::LARGEST). What else
    ///   the totals say is kept as it is and compared with nothing. An error among the records is returned. Then nothing
    ///   of it is stored.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn adopt(
        &self,
        session: Session,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError>;

    /// What was destroyed, in the order of ids.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError>;

    /// Takes over a tombstone of another store.
    ///
    /// - `STORE-53`: afterwards the id cannot be stored; a tombstone that is there stays as it is, and one of a stored
    ///   session is refused with `IdExists`. One with a member among the unknown ones that it knows is `Invalid`, which
    ///   names that member.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn bury(&self, tombstone: &Tombstone) -> Result<(), StoreError>;
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Sessions outside the trash by status as recorded; statuses that no session has are absent.
    pub sessions: BTreeMap<Status, u64>,
    /// Sessions in the trash.
    pub trashed: u64,
    /// Sessions that were destroyed.
    pub tombstones: u64,
    /// Records of all sessions, those in the trash included.
    pub records: u64,
    /// Bytes on the disk, for a backend that is on one.
    pub bytes: Option<u64>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Sessions that can be read, those in the trash included.
    pub sessions: u64,
    /// Records that can be read.
    pub records: u64,
    /// What cannot be read, or contradicts itself.
    pub damaged: Vec<Damage>,
}

/// Something damaged that was put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What was damaged.
    pub damage: Damage,
    /// Where its bytes are kept; `None` when nothing was lost.
    pub kept: Option<PathBuf>,
}

/// What is left of a session that was destroyed: it keeps the id from coming back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The session.
    pub id: SessionId,
    /// When it was destroyed.
    pub at: Timestamp,
    /// Members from a newer version.
    pub unknown: Unknown,
}

impl Tombstone {
    /// The tombstone of a session that was destroyed at `at`.
    #[must_use]
    pub fn new(id: SessionId, at: Timestamp) -> Self {
        Self { id, at, unknown: Unknown::default() }
    }
}

canonical_object! { Tombstone { required id, required at } }
