//! The shared suite of failing disks, against a store whose VFS fails.

#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::ffi::{
    SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_ACCESS, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSTAT,
    SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
};
use session_core::{SessionStore, StoreError};
use session_sql::{SqlOptions, SqlStore};
use session_testkit::fault::{Call, Fault, Lasting};
use session_testkit::{FaultFixture, StoreFixture, fault};

use crate::vfs::{Failure, Faults, Operation};

/// What the operating system says when the medium fails.
const EIO: c_int = 5;

/// A directory with a store on a disk of its own.
struct OnFailingDisk {
    dir: tempfile::TempDir,
    faults: &'static Faults,
    others: AtomicU32,
}

impl OnFailingDisk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, faults: Faults::register(), others: AtomicU32::new(0) }
    }

    fn at(&self, name: &str) -> Result<SqlStore, StoreError> {
        // What trails would meet a fault that is meant for somebody else.
        let options = SqlOptions::default().vfs(self.faults.name).rest(Duration::MAX);
        SqlStore::open_with(self.dir.path().join(name), options)
    }
}

impl StoreFixture for OnFailingDisk {
    fn open(&self) -> Box<dyn SessionStore> {
        self.try_open().unwrap()
    }

    fn other(&self) -> Box<dyn SessionStore> {
        let number = self.others.fetch_add(1, Ordering::Relaxed);
        Box::new(self.at(&format!("other-{number}.db")).unwrap())
    }
}

impl FaultFixture for OnFailingDisk {
    fn try_open(&self) -> Result<Box<dyn SessionStore>, StoreError> {
        Ok(Box::new(self.at("session.db")?))
    }

    fn arm(&self, fault: Fault) {
        let plan = move |operation| {
            let counts = fault.call.is_none_or(|call| call == call_of(operation));
            counts.then(|| failure_of(fault.failure, operation))
        };
        self.faults.say(EIO);
        let after = fault.nth as usize - 1;
        self.faults.arm(Box::new(plan), after, fault.lasting == Lasting::FromThenOn);
    }

    fn disarm(&self) -> Vec<Call> {
        self.faults.disarm().into_iter().map(call_of).collect()
    }
}

fn call_of(operation: Operation) -> Call {
    match operation {
        Operation::Open | Operation::Access | Operation::Read | Operation::Size => Call::Read,
        Operation::Create | Operation::Delete | Operation::Write | Operation::Truncate => {
            Call::Write
        }
        Operation::Sync => Call::Sync,
    }
}

fn failure_of(failure: fault::Failure, operation: Operation) -> Failure {
    let told = match operation {
        Operation::Open | Operation::Create => SQLITE_IOERR,
        Operation::Access => SQLITE_IOERR_ACCESS,
        Operation::Delete => SQLITE_IOERR_DELETE,
        Operation::Read => SQLITE_IOERR_READ,
        Operation::Write => SQLITE_IOERR_WRITE,
        Operation::Sync => SQLITE_IOERR_FSYNC,
        Operation::Truncate => SQLITE_IOERR_TRUNCATE,
        Operation::Size => SQLITE_IOERR_FSTAT,
    };
    match failure {
        fault::Failure::Io => Failure::Code(told),
        fault::Failure::NoRoom => Failure::Code(SQLITE_FULL),
        fault::Failure::Short => Failure::Short(SQLITE_FULL),
    }
}

session_testkit::store_fault_conformance!(OnFailingDisk::new());
