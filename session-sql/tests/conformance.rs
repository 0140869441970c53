//! The shared suite, against a store in a file.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use session_core::SessionStore;
use session_sql::SqlStore;
use session_testkit::StoreFixture;

/// A directory that goes with the fixture, and the store in it.
struct InFile(tempfile::TempDir);

impl StoreFixture for InFile {
    fn open(&self) -> Box<dyn SessionStore> {
        Box::new(SqlStore::open(self.0.path().join("session.db")).unwrap())
    }
}

session_testkit::store_conformance!(InFile(tempfile::tempdir().unwrap()));
