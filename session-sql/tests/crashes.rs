//! The suite of processes that share a store and die, on SQLite.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use session_core::SessionStore;
use session_sql::{SqlOptions, SqlStore};
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
        self.0.path().join("session.db")
    }

    fn open(path: &Path) -> Box<dyn SessionStore> {
        Box::new(SqlStore::open(path).unwrap())
    }

    fn open_patient(path: &Path, patience: Duration) -> Box<dyn SessionStore> {
        let options = SqlOptions::default().lock_timeout(patience);
        Box::new(SqlStore::open_with(path, options).unwrap())
    }

    fn open_read_only(path: &Path) -> Box<dyn SessionStore> {
        Box::new(SqlStore::open_read_only(path).unwrap().unwrap())
    }
}

session_testkit::store_process_conformance!(Place, if cfg!(feature = "slow") { 200 } else { 20 });
