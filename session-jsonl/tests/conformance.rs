//! The contract that every store keeps, on files.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use session_core::SessionStore;
use session_jsonl::JsonlStore;
use session_testkit::StoreFixture;
use tempfile::TempDir;

/// A directory with the store, and others beside it.
struct Files(TempDir, AtomicU32);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), AtomicU32::new(0))
    }

    fn at(&self, name: &str) -> Box<dyn SessionStore> {
        Box::new(JsonlStore::open(self.0.path().join(name)).unwrap())
    }
}

impl StoreFixture for Files {
    fn open(&self) -> Box<dyn SessionStore> {
        self.at("store")
    }

    fn other(&self) -> Box<dyn SessionStore> {
        self.at(&format!("other-{}", self.1.fetch_add(1, Ordering::Relaxed)))
    }

    fn scratch(&self) -> Option<PathBuf> {
        Some(self.0.path().to_owned())
    }

    fn open_copy(&self, copy: &Path) -> Box<dyn SessionStore> {
        Box::new(JsonlStore::open(copy).unwrap())
    }
}

session_testkit::store_conformance!(Files::new());
