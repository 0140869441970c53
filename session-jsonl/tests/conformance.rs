//! The contract that every store keeps, on files.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use session_core::SessionStore;
use session_jsonl::JsonlStore;
use session_testkit::StoreFixture;
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl StoreFixture for Files {
    fn open(&self) -> Box<dyn SessionStore> {
        Box::new(JsonlStore::open(self.0.path()).unwrap())
    }
}

session_testkit::store_conformance!(Files::new());
