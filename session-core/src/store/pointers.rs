//! Pointers to stores are stores: each call goes to what they point to.

use std::path::Path;
use std::sync::Arc;

use super::{
    Appended, CheckReport, RecordStore, Repair, SessionStore, StoreInfo, StoreStats, StoreUpkeep,
    Tombstone,
};
use crate::{
    Entry, Hits, IdFragment, Observer, Page, Query, Reading, Record, Records, Removal, Search,
    Session, SessionId, SessionName, StoreError, Timestamp,
};

/// The records of a session that is adopted.
type Given<'a> = dyn Iterator<Item = Result<Record, StoreError>> + 'a;

macro_rules! forward {
    ($pointer:ty: $($trait:ident { $(fn $name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)* })*) => {
        $(impl<S: $trait + ?Sized> $trait for $pointer {
            $(fn $name(&self, $($argument: $kind),*) -> $result {
                (**self).$name($($argument),*)
            })*
        })*
    };
}

macro_rules! stores {
    ($($pointer:ty),*) => {$(
        forward! {
            $pointer:
            SessionStore {
                fn info() -> StoreInfo;
                fn create(session: Session) -> Result<Session, StoreError>;
                fn get(id: SessionId) -> Result<Session, StoreError>;
                fn named(name: &SessionName) -> Result<Vec<Session>, StoreError>;
                fn matching(fragment: &IdFragment) -> Result<Vec<Session>, StoreError>;
                fn update(changed: Session, at: Timestamp) -> Result<Session, StoreError>;
                fn list(query: &Query) -> Result<Page, StoreError>;
                fn remove(id: SessionId, observer: &Observer) -> Result<Session, StoreError>;
                fn remove_all(removal: &Removal) -> Result<Vec<Session>, StoreError>;
                fn restore(id: SessionId, at: Timestamp) -> Result<Session, StoreError>;
                fn purge(id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError>;
                fn sweep(observer: &Observer) -> Result<Vec<Session>, StoreError>;
                fn flush() -> Result<(), StoreError>;
                fn close() -> Result<(), StoreError>;
            }
            RecordStore {
                fn append(id: SessionId, entries: &[Entry], at: Timestamp) -> Result<Appended, StoreError>;
                fn read(id: SessionId, reading: &Reading) -> Result<Records, StoreError>;
                fn search(search: &Search) -> Result<Hits, StoreError>;
            }
            StoreUpkeep {
                fn stats() -> Result<StoreStats, StoreError>;
                fn check() -> Result<CheckReport, StoreError>;
                fn repair(at: Timestamp) -> Result<Vec<Repair>, StoreError>;
                fn reindex() -> Result<(), StoreError>;
                fn backup(target: &Path) -> Result<(), StoreError>;
                fn restore_backup(copy: &Path, kept: Option<&Path>) -> Result<(), StoreError>;
                fn adopt(session: Session, records: &mut Given<'_>) -> Result<(), StoreError>;
                fn tombstones() -> Result<Vec<Tombstone>, StoreError>;
                fn bury(tombstone: &Tombstone) -> Result<(), StoreError>;
            }
        }
    )*};
}

stores! { &S, Box<S>, Arc<S> }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, Selector, SessionStoreExt as _};

    /// What a caller does who takes any store by value.
    fn used(store: impl SessionStore + 'static) {
        let at = Timestamp::from_millis(1);
        let id = SessionId::from_parts(at, 1);
        store.create(Session::new(id, at)).unwrap();
        assert_eq!(store.find(&Selector::parse(&id.to_string()).unwrap()).unwrap().id(), id);
        assert!(store.append(id, &[], at).unwrap().seqs.is_empty());
        assert_eq!(store.check().unwrap().sessions, 1);
        store.close().unwrap();
    }

    #[test]
    fn a_pointer_to_a_store_is_a_store() {
        let store = MemoryStore::new();
        let lent: &'static MemoryStore = Box::leak(Box::new(store.reopen()));
        let stores: [fn(MemoryStore) -> Box<dyn SessionStore>; 3] = [
            |store| Box::new(Box::new(store) as Box<dyn SessionStore>),
            |store| Box::new(Arc::new(store) as Arc<dyn SessionStore>),
            |store| Box::new(Box::new(Arc::new(store))),
        ];
        used(lent);
        assert!(
            matches!(lent.stats(), Err(StoreError::StoreClosed)),
            "what is lent is the same store"
        );
        for boxed in stores {
            used(boxed(MemoryStore::new()));
        }
        assert_eq!(store.stats().unwrap().sessions.len(), 1);
    }
}
