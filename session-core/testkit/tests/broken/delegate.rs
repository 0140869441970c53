//! A store that does what the store in memory does, but for the methods in which it is broken.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use session_core::{
    Appended, CheckReport, Entry, Hits, IdFragment, MemoryStore, Observer, Page, Query, Reading,
    Record, RecordStore, Records, Removal, Repair, Search, Session, SessionId, SessionName,
    SessionStore, StoreError, StoreInfo, StoreStats, StoreUpkeep, Timestamp, Tombstone,
};
use session_testkit::StoreFixture;

/// The records of a session that is adopted.
pub(crate) type Given<'a> = dyn Iterator<Item = Result<Record, StoreError>> + 'a;

/// When something happens around a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// Makes the trait whose methods do what the store in memory does, and the store that has them.
macro_rules! delegate {
    ($($trait:ident { $(#[$info:ident])? $(fn $name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)* })*) => {
        /// A way to be broken.
        pub(crate) trait Faulty: Debug + Send + Sync + Sized + 'static {
            /// Which one of several.
            type Fault: Copy + Debug;

            fn new(fault: Self::Fault, store: MemoryStore) -> Self;

            /// The store that does everything else.
            fn store(&self) -> MemoryStore;

            /// What is left of a store when its last handle has gone.
            fn left(_fault: Self::Fault, store: MemoryStore) -> MemoryStore {
                store
            }

            /// Comes before every call, and after it when it succeeds.
            fn around(&self, _call: &str, _moment: Moment) -> Result<(), StoreError> {
                Ok(())
            }

            fn info(&self) -> StoreInfo {
                self.store().info()
            }

            $($(fn $name(&self, $($argument: $kind),*) -> Result<$result, StoreError> {
                self.store().$name($($argument),*)
            })*)*
        }

        $(impl<F: Faulty> $trait for Handle<F> {
            $(fn $info(&self) -> StoreInfo {
                self.faulty.$info()
            })?

            $(fn $name(&self, $($argument: $kind),*) -> Result<$result, StoreError> {
                self.faulty.around(stringify!($name), Moment::Before)?;
                let answer = self.faulty.$name($($argument),*)?;
                self.faulty.around(stringify!($name), Moment::After)?;
                Ok(answer)
            })*
        })*
    };
}

delegate! {
    SessionStore {
        #[info]
        fn create(session: Session) -> Session;
        fn get(id: SessionId) -> Session;
        fn named(name: &SessionName) -> Vec<Session>;
        fn matching(fragment: &IdFragment) -> Vec<Session>;
        fn update(changed: Session, at: Timestamp) -> Session;
        fn list(query: &Query) -> Page;
        fn remove(id: SessionId, observer: &Observer) -> Session;
        fn remove_all(removal: &Removal) -> Vec<Session>;
        fn restore(id: SessionId, at: Timestamp) -> Session;
        fn purge(id: SessionId, at: Timestamp) -> Tombstone;
        fn sweep(observer: &Observer) -> Vec<Session>;
        fn flush() -> ();
        fn close() -> ();
    }
    RecordStore {
        fn append(id: SessionId, entries: &[Entry], at: Timestamp) -> Appended;
        fn read(id: SessionId, reading: &Reading) -> Records;
        fn search(search: &Search) -> Hits;
    }
    StoreUpkeep {
        fn stats() -> StoreStats;
        fn check() -> CheckReport;
        fn repair(at: Timestamp) -> Vec<Repair>;
        fn reindex() -> ();
        fn backup(target: &Path) -> ();
        fn restore_backup(copy: &Path, kept: Option<&Path>) -> ();
        fn adopt(session: Session, records: &mut Given<'_>) -> ();
        fn tombstones() -> Vec<Tombstone>;
        fn bury(tombstone: &Tombstone) -> ();
    }
}

/// A handle that knows whether others live.
#[derive(Debug)]
pub(crate) struct Handle<F> {
    faulty: F,
    #[expect(dead_code, reason = "held for its count")]
    count: Arc<()>,
}

impl<F> Handle<F> {
    pub(crate) fn alone(faulty: F) -> Self {
        Self { faulty, count: Arc::default() }
    }
}

/// A place for one broken store.
pub(crate) struct Place<F: Faulty> {
    fault: F::Fault,
    store: Mutex<MemoryStore>,
    /// Dead when no handle is left.
    open: Mutex<Weak<()>>,
    kind: PhantomData<fn() -> F>,
}

impl<F: Faulty> Place<F> {
    pub(crate) fn new(fault: F::Fault) -> Self {
        Self { fault, store: Mutex::default(), open: Mutex::default(), kind: PhantomData }
    }
}

impl<F: Faulty> StoreFixture for Place<F> {
    fn open(&self) -> Box<dyn SessionStore> {
        let mut store = self.store.lock().unwrap();
        let mut open = self.open.lock().unwrap();
        let count = open.upgrade().unwrap_or_else(|| {
            *store = F::left(self.fault, store.clone());
            Arc::default()
        });
        *open = Arc::downgrade(&count);
        Box::new(Handle { faulty: F::new(self.fault, store.reopen()), count })
    }

    fn other(&self) -> Box<dyn SessionStore> {
        Self::new(self.fault).open()
    }
}
