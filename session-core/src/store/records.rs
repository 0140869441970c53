//! The part of a store that keeps histories.

use std::fmt;

use crate::{
    Entry, Hits, Reading, Records, Revision, Search, Seq, SessionId, StoreError, Timestamp,
};

/// The histories of sessions: records that are appended, read and searched, and never change.
pub trait RecordStore: Send + Sync + fmt::Debug {
    /// Appends entries to the history of a session, all of them or none.
    ///
    /// - `STORE-33`: they get the next sequence numbers in the order given, and are read back as they were, with
    ///   members and kinds that this version does not know byte for byte.
    /// - `STORE-34`: a batch that is refused leaves nothing of itself.
    /// - `STORE-35`: an entry whose id the history has already, within the declared reach, is not appended again; its
    ///   place in the answer is the number that it has. A batch of nothing new changes nothing.
    /// - `STORE-36`: the session's record changes in the same step: its revision grows by one, `updated_at` becomes
    ///   `at`, `last_active_at` becomes `at` unless it is later, and the totals grow.
    /// - `STORE-37`: a session without a title is called after its first text of a user.
    /// - `STORE-38`: an unknown id is `NotFound`, one in the trash `Trashed`; one that is closed, expired or overdue
    ///   at `at` is `Ended`. An entry that could not be read back, with a member among the unknown ones that its object
    ///   knows, is `Invalid`, which names that member.
    /// - `STORE-56`: a checkpoint that covers itself or what comes after it is `Invalid`: nobody can sum up what is not
    ///   there yet.
    /// - `STORE-57`: the answer tells what was appended from what was there: see [`Appended::repeats`].
    /// - `STORE-39`: of concurrent appends none is lost, each is whole, and no number is given twice.
    ///
    /// # Errors
    /// As above, and whatever the backend reports.
    fn append(
        &self,
        id: SessionId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Appended, StoreError>;

    /// Reads a stretch of a history, or the first part of it.
    ///
    /// - `STORE-40`: exactly the records of the stretch, in its order.
    /// - `STORE-41`: pages of any size, each gone on with by its `next`, are the whole stretch once, also while
    ///   others append; every page has a record, some damage, or no `next`.
    /// - `STORE-54`: a page ends at the latest with the record that brings the canonical JSON of its records to
    ///   [`Reading::PAGE_BYTES`], however many were asked for, so that a page takes a bounded amount of memory.
    /// - `STORE-42`: an unknown id is `NotFound`; the history of a session in the trash is read like any other.
    ///
    /// # Errors
    /// As above, and whatever the backend reports. A damaged record is no error: it is reported in the page.
    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError>;

    /// One page of the records that match, of all sessions outside the trash.
    ///
    /// - `STORE-43`: exactly those that [`Search::matches`] accepts, the newest first by time, then session id, then
    ///   sequence number; what was just appended is among them.
    /// - `STORE-44`: pages of any size, joined by their cursors, are the whole answer once; a cursor of another
    ///   search or generation is refused with `StaleCursor`.
    ///
    /// # Errors
    /// As above, and whatever the backend reports. A damaged record is no error: it is reported in the page.
    fn search(&self, search: &Search) -> Result<Hits, StoreError>;
}

/// What became of a batch of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The sequence number of each entry, in the order given.
    pub seqs: Vec<Seq>,
    /// The entries that were not appended, since the history, or the batch before them, has their id: by their index in
    /// the batch, in order. They need not say what stands under that id.
    pub repeats: Vec<usize>,
    /// The revision of the session's record.
    pub revision: Revision,
    /// The title of the session, which may have just been derived.
    pub title: Option<String>,
}
