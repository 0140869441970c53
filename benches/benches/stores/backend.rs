//! The stores that are measured, and where they lie.

use std::path::Path;

use session_core::{MemoryStore, SessionStore};
use session_jsonl::JsonlStore;
use session_sql::SqlStore;
use tempfile::TempDir;

/// A backend of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Memory,
    Sqlite,
    Jsonl,
}

/// A new directory on the disk that the build is on: a temporary file system would sync for nothing.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Backend {
    /// Every backend.
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Jsonl];

    /// The word for it in the name of a bench.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Jsonl => "jsonl",
        }
    }

    /// The store of this kind in a directory, made when there is none.
    pub(crate) fn open(self, directory: &Path) -> Box<dyn SessionStore> {
        match self {
            Self::Memory => Box::new(MemoryStore::new()),
            Self::Sqlite => Box::new(SqlStore::open(directory.join("session.db")).unwrap()),
            Self::Jsonl => Box::new(JsonlStore::open(directory.join("jsonl")).unwrap()),
        }
    }
}
