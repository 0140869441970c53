//! The suite of failing disks that every store on a disk passes.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use session_testkit::StoreFixture;
use session_testkit::fault::{self as suite, Failure, FaultFixture};

use super::*;
use crate::disk::faulty::{Call, Fault, FaultyDisk, Lasting};
use crate::disk::memory::{Image, MemoryDisk};

/// A store on a disk in memory that fails, and others beside it.
struct Faults {
    place: Place,
    disk: Arc<FaultyDisk>,
    others: AtomicU32,
}

impl Faults {
    fn new() -> Self {
        let place = Place::for_lock();
        let disk = FaultyDisk::new(MemoryDisk::new(Image::empty(place.root())));
        Self { place, disk, others: AtomicU32::new(0) }
    }
}

impl StoreFixture for Faults {
    fn open(&self) -> Box<dyn SessionStore> {
        self.try_open().unwrap()
    }

    fn other(&self) -> Box<dyn SessionStore> {
        let number = self.others.fetch_add(1, Ordering::Relaxed);
        let directory = self.place.root().join(format!("other-{number}"));
        std::fs::create_dir_all(&directory).unwrap();
        let disk = Arc::clone(&self.disk);
        Box::new(JsonlStore::open_on(disk, &directory, JsonlOptions::new()).unwrap())
    }
}

impl FaultFixture for Faults {
    fn try_open(&self) -> Result<Box<dyn SessionStore>, StoreError> {
        Ok(Box::new(self.place.open(self.disk.clone())?))
    }

    fn arm(&self, fault: suite::Fault) {
        let only = ALL.into_iter().filter(|call| Some(kind(*call)) == fault.call);
        let failure = match fault.failure {
            Failure::Io => Fault::Before(Errno::IO),
            Failure::NoRoom => Fault::Before(Errno::NOSPC),
            Failure::Short => Fault::Half(Errno::NOSPC),
        };
        let lasting = match fault.lasting {
            suite::Lasting::Once => Lasting::Once,
            suite::Lasting::FromThenOn => Lasting::FromThenOn,
        };
        self.disk.fail_among(fault.nth, only.collect(), failure, lasting);
    }

    fn disarm(&self) -> Vec<suite::Call> {
        self.disk.heal().into_iter().map(kind).collect()
    }
}

const ALL: [Call; 18] = [
    Call::Stamp,
    Call::Names,
    Call::Open,
    Call::Create,
    Call::Rename,
    Call::Remove,
    Call::CreateDirectory,
    Call::SyncDirectory,
    Call::SetModified,
    Call::SyncBelow,
    Call::Link,
    Call::Exchange,
    Call::CopyMode,
    Call::RemoveDirectory,
    Call::Read,
    Call::Append,
    Call::SetLength,
    Call::Sync,
];

const fn kind(call: Call) -> suite::Call {
    match call {
        Call::Stamp | Call::Names | Call::Open | Call::Read => suite::Call::Read,
        Call::Sync | Call::SyncDirectory | Call::SyncBelow => suite::Call::Sync,
        Call::Create
        | Call::Rename
        | Call::Remove
        | Call::CreateDirectory
        | Call::SetModified
        | Call::Link
        | Call::Exchange
        | Call::CopyMode
        | Call::RemoveDirectory
        | Call::Append
        | Call::SetLength => suite::Call::Write,
    }
}

session_testkit::store_fault_conformance!(Faults::new());
