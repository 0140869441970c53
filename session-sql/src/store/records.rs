//! Histories of sessions.

use session_core::{
    Appended, Entry, Hits, Reading, RecordStore, Records, Search, SessionId, StoreError, Timestamp,
};

use super::SqlStore;
use crate::history::{self, Batch};
use crate::search;

impl RecordStore for SqlStore {
    fn append(
        &self,
        id: SessionId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Appended, StoreError> {
        let batch = Batch::of(entries)?;
        self.on_writer("append", move |connection| history::append(connection, id, &batch, at))
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        self.on_reader("read", |connection| history::page(connection, id, reading))
    }

    fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        self.on_snapshot("search", |snapshot, generation| {
            search::page(snapshot, search, generation, self.place.options.scale)
        })
    }
}
