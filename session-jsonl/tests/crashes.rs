//! The suite of processes that share a store and die, on JSON Lines files.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use session_core::SessionStore;
use session_jsonl::{JsonlOptions, JsonlStore};
use session_testkit::ProcessFixture;
use tempfile::TempDir;

struct Place(TempDir);

impl Default for Place {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl ProcessFixture for Place {
    fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    fn open(path: &Path) -> Box<dyn SessionStore> {
        Box::new(JsonlStore::open(path).unwrap())
    }

    fn open_patient(path: &Path, patience: Duration) -> Box<dyn SessionStore> {
        let options = JsonlOptions::new().lock_timeout(patience);
        Box::new(JsonlStore::open_with(path, options).unwrap())
    }

    fn open_read_only(path: &Path) -> Box<dyn SessionStore> {
        Box::new(JsonlStore::open_read_only(path).unwrap())
    }
}

session_testkit::store_process_conformance!(Place, if cfg!(feature = "slow") { 200 } else { 20 });
