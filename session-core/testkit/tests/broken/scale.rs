//! Stores with a limit where there is none, which nobody meets who has little.

use std::num::NonZeroU32;

use session_core::{
    Appended, Entry, MemoryStore, Page, Query, Reading, RecordStore, Records, Removal, Session,
    SessionId, SessionName, SessionStore, SessionStoreExt, StoreError, StoreUpkeep, Timestamp,
    Tombstone,
};

use super::delegate::Faulty;
use super::{assert_noticed, noticed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ListsAHundred,
    ListsAThousandWithoutACursor,
    RemovesAHundred,
    KeepsTwentyTombstones,
    NamesTen,
    RefusesLargeBatches,
    ReadsWithoutEnd,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    store: MemoryStore,
}

impl Faulty for Broken {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, store }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let mut query = query.clone();
        if let (Fault::ListsAHundred, Some(most)) = (self.fault, NonZeroU32::new(100)) {
            query.limit = Some(query.limit.map_or(most, |limit| limit.min(most)));
        }
        let mut page = self.store.list(&query)?;
        if self.fault == Fault::ListsAThousandWithoutACursor {
            page.sessions.truncate(1000);
        }
        Ok(page)
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        let mut found = self.store.named(name)?;
        if self.fault == Fault::NamesTen {
            found.truncate(10);
        }
        Ok(found)
    }

    fn remove_all(&self, removal: &Removal) -> Result<Vec<Session>, StoreError> {
        if self.fault != Fault::RemovesAHundred {
            return self.store.remove_all(removal);
        }
        let found = self.store.removable(removal)?.sessions;
        let first = found.iter().take(100);
        first.map(|session| self.store.remove(session.id(), &removal.observer)).collect()
    }

    fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        let mut tombstones = self.store.tombstones()?;
        if self.fault == Fault::KeepsTwentyTombstones {
            tombstones.truncate(20);
        }
        Ok(tombstones)
    }

    fn append(
        &self,
        id: SessionId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Appended, StoreError> {
        if self.fault == Fault::RefusesLargeBatches && entries.len() > 300 {
            let source = std::io::Error::other("too many variables");
            return Err(StoreError::backend("bind", source));
        }
        self.store.append(id, entries, at)
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        let mut page = self.store.read(id, reading)?;
        while self.fault == Fault::ReadsWithoutEnd
            && reading.limit.is_none()
            && let Some(next) = page.next.take()
        {
            let more = self.store.read(id, &next)?;
            page.records.extend(more.records);
            page.next = more.next;
        }
        Ok(page)
    }
}

noticed! {
    listings_of_a_hundred_are_noticed: ListsAHundred by ["scale::thousands_of_sessions_are_all_there"];
    cut_listings_are_noticed: ListsAThousandWithoutACursor by ["scale::thousands_of_sessions_are_all_there"];
    removals_of_a_hundred_are_noticed: RemovesAHundred by ["scale::thousands_of_sessions_are_all_there"];
    lost_tombstones_are_noticed: KeepsTwentyTombstones by ["scale::thousands_of_tombstones_are_all_there"];
    cut_names_are_noticed: NamesTen by ["scale::thousands_of_sessions_are_all_there"];
    refused_batches_are_noticed: RefusesLargeBatches by ["scale::thousands_of_entries_are_one_batch"];
    endless_pages_are_noticed: ReadsWithoutEnd by ["history::pages_end_at_so_many_bytes"];
}
