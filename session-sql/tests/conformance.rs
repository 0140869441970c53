//! The shared suite, against a store in a file.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use session_core::SessionStore;
use session_sql::SqlStore;
use session_testkit::StoreFixture;

/// A directory that goes with the fixture, and the stores in it.
struct InFile {
    dir: tempfile::TempDir,
    others: AtomicU32,
}

impl InFile {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), others: AtomicU32::new(0) }
    }
}

impl StoreFixture for InFile {
    fn open(&self) -> Box<dyn SessionStore> {
        Box::new(SqlStore::open(self.dir.path().join("session.db")).unwrap())
    }

    fn other(&self) -> Box<dyn SessionStore> {
        let number = self.others.fetch_add(1, Ordering::Relaxed);
        Box::new(SqlStore::open(self.dir.path().join(format!("other-{number}.db"))).unwrap())
    }

    fn scratch(&self) -> Option<PathBuf> {
        let scratch = self.dir.path().join("backups");
        std::fs::create_dir_all(&scratch).unwrap();
        Some(scratch)
    }

    fn open_copy(&self, copy: &Path) -> Box<dyn SessionStore> {
        Box::new(SqlStore::open(copy).unwrap())
    }
}

session_testkit::store_conformance!(InFile::new());
