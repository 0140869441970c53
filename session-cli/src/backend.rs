//! The one place that names stores: how each is opened, and when there is none yet.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{MemoryStore, SessionStore, StoreError};
use session_jsonl::JsonlStore;
use session_sql::SqlStore;

use crate::plan::{Plan, StoreKind};

/// Where the store of this kind is kept in a data directory.
pub(crate) fn location(plan: &Plan) -> PathBuf {
    plan.data_dir.join(match plan.store {
        StoreKind::Sqlite => "session.db",
        StoreKind::Jsonl => "jsonl",
    })
}

/// Makes the data directory, for this user alone, if it is not there.
///
/// # Errors
/// What the operating system says.
pub(crate) fn make_data_dir(plan: &Plan) -> Result<(), StoreError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&plan.data_dir)
        .map_err(|source| StoreError::io("making the data directory", &plan.data_dir, source))
}

/// Opens the store for writing, and makes it if there is none.
///
/// # Errors
/// As the store's own opening.
pub(crate) fn open(plan: &Plan) -> Result<Arc<dyn SessionStore>, StoreError> {
    make_data_dir(plan)?;
    let path = location(plan);
    Ok(match plan.store {
        StoreKind::Sqlite => Arc::new(SqlStore::open(path)?),
        StoreKind::Jsonl => Arc::new(JsonlStore::open(path)?),
    })
}

/// Opens the store for reading, which makes nothing. `None` where there is no store yet.
///
/// # Errors
/// As the store's own opening; a place that cannot be looked at is never taken for an empty one.
pub(crate) fn look(plan: &Plan) -> Result<Option<Box<dyn SessionStore>>, StoreError> {
    let path = location(plan);
    if !is_there(&path)? {
        return Ok(None);
    }
    Ok(match plan.store {
        StoreKind::Sqlite => SqlStore::open_read_only(path)?.map(|store| Box::new(store) as _),
        StoreKind::Jsonl if is_empty_directory(&path)? => None,
        StoreKind::Jsonl => Some(Box::new(JsonlStore::open_read_only(path)?)),
    })
}

/// Opens the store for reading; one that does not exist yet has no sessions.
///
/// # Errors
/// As [`look`].
pub(crate) fn open_read_only(plan: &Plan) -> Result<Box<dyn SessionStore>, StoreError> {
    Ok(look(plan)?.unwrap_or_else(|| Box::new(MemoryStore::new())))
}

fn is_there(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::io("looking for the store", path, source)),
    }
}

fn is_empty_directory(path: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        // What else may stand there is for the store to refuse.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(source) => Err(StoreError::io("looking for the store", path, source)),
    }
}
