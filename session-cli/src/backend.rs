//! The one place that names stores: how each is opened, and when there is none yet.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{Durability, ErrorKind, MemoryStore, SessionStore, StoreError};
use session_jsonl::{JsonlOptions, JsonlStore};
use session_sql::{SqlOptions, SqlStore};

use crate::backups;
use crate::error::CliError;
use crate::output::text::command_line;
use crate::plan::{Plan, StoreKind};
use crate::replacing::{self, Standing};

/// Where the store is kept.
pub(crate) fn location(plan: &Plan) -> PathBuf {
    plan.data_dir.join(file_name(plan.store))
}

/// What a store of this kind is called in its directory.
pub(crate) const fn file_name(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Sqlite => "session.db",
        StoreKind::Jsonl => "jsonl",
    }
}

/// Everything that a store at `location` consists of, its locks excepted.
pub(crate) fn parts(kind: StoreKind, location: &Path) -> Vec<PathBuf> {
    let suffixes: &[&str] = match kind {
        StoreKind::Sqlite => &["", "-wal", "-shm"],
        StoreKind::Jsonl => &[""],
    };
    let with = |suffix: &&str| {
        let mut path = location.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    suffixes.iter().map(with).collect()
}

/// Makes the data directory, for this user alone, if it is not there.
///
/// # Errors
/// What the operating system says.
pub(crate) fn make_data_dir(plan: &Plan) -> Result<(), StoreError> {
    make_dir(&plan.data_dir)
}

/// Makes a directory, for this user alone, if it is not there.
///
/// # Errors
/// What the operating system says.
pub(crate) fn make_dir(path: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StoreError::io("making a directory", path, source))
}

/// Opens the store for writing, and makes it if there is none. A replacement that was interrupted is finished first.
///
/// # Errors
/// As the store's own opening.
pub(crate) fn open(plan: &Plan) -> Result<Arc<dyn SessionStore>, StoreError> {
    make_data_dir(plan)?;
    replacing::settle(&plan.data_dir, plan.store)?;
    open_at(plan.store, &location(plan), plan.durability)
}

/// Opens a store of this kind at this place, and makes it if there is none.
///
/// # Errors
/// As the store's own opening.
pub(crate) fn open_at(
    kind: StoreKind,
    location: &Path,
    durability: Durability,
) -> Result<Arc<dyn SessionStore>, StoreError> {
    Ok(match kind {
        StoreKind::Sqlite => {
            let options = SqlOptions::default().durability(durability);
            Arc::new(SqlStore::open_with(location, options)?)
        }
        StoreKind::Jsonl => {
            let options = JsonlOptions::new().durability(durability);
            Arc::new(JsonlStore::open_with(location, options)?)
        }
    })
}

/// Opens the store for reading, which makes nothing. `None` where there is no store yet.
///
/// # Errors
/// As the store's own opening; a place that cannot be looked at is never taken for an empty one.
pub(crate) fn look(plan: &Plan) -> Result<Option<Box<dyn SessionStore>>, CliError> {
    check_settled(plan)?;
    look_in(plan.store, &location(plan)).map_err(|error| match error.kind() {
        // Reading changes nothing, so it does not bring an older format up to date either.
        ErrorKind::Unsupported => CliError::from(error)
            .hint("`session store check --repair` brings it up to date, after a backup"),
        _ => error.into(),
    })
}

/// What was interrupted is no store without sessions, and whoever only reads does not finish it.
fn check_settled(plan: &Plan) -> Result<(), CliError> {
    let (location, kind) = (location(plan), plan.store.as_str());
    let place = location.display();
    match replacing::standing(&plan.data_dir, plan.store)? {
        Standing::Settled => Ok(()),
        Standing::Interrupted => {
            let message = format!("a command that replaces {place} was interrupted, or is at it");
            let words = ["session", "store", "check", "--repair", "--store", kind, "--data-dir"];
            let mut line = words.map(str::to_owned).to_vec();
            line.push(plan.data_dir.display().to_string());
            Err(CliError::new(ErrorKind::Conflict, message)
                .hint(format!("`{}` finishes it", command_line(&line))))
        }
        Standing::OnlyLog => {
            let message = format!("{place} is not there, and {place}-wal, its log, is");
            let hint = format!(
                "move the database back beside its log, from {} if a restoration put it there; `session store restore FILE` puts a backup in its place and keeps the log",
                backups::directory(&plan.data_dir).display()
            );
            Err(CliError::new(ErrorKind::Corrupt, message).hint(hint))
        }
    }
}

/// Opens a store of this kind at this place for reading. `None` where there is nothing.
///
/// # Errors
/// As [`look`], without advice.
pub(crate) fn look_in(
    kind: StoreKind,
    path: &Path,
) -> Result<Option<Box<dyn SessionStore>>, StoreError> {
    if !stands(path)? {
        return Ok(None);
    }
    Ok(match kind {
        StoreKind::Sqlite => SqlStore::open_read_only(path)?.map(|store| Box::new(store) as _),
        StoreKind::Jsonl if is_unmade(path)? => None,
        StoreKind::Jsonl => Some(Box::new(JsonlStore::open_read_only(path)?)),
    })
}

/// Opens the store for reading; one that does not exist yet has no sessions.
///
/// # Errors
/// As [`look`].
pub(crate) fn open_read_only(plan: &Plan) -> Result<Box<dyn SessionStore>, CliError> {
    Ok(look(plan)?.unwrap_or_else(|| Box::new(MemoryStore::new())))
}

/// Whether anything stands where the store is kept, a store or not.
///
/// # Errors
/// A place that cannot be looked at is never taken for an empty one.
pub(crate) fn is_there(plan: &Plan) -> Result<bool, StoreError> {
    let is_settled = replacing::standing(&plan.data_dir, plan.store)? == Standing::Settled;
    Ok(!is_settled || stands(&location(plan))?)
}

fn stands(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::io("looking for the store", path, source)),
    }
}

/// What is in the directory of a store of JSON lines while it is made, before it is one.
const UNMADE: [&str; 2] = ["lock", "format.json.draft"];

/// Whether a directory is empty, or somebody just makes it a store.
fn is_unmade(path: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|source| StoreError::io("listing", path, source))?;
                if !UNMADE.iter().any(|name| entry.file_name() == *name) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        // What else may stand there is for the store to refuse.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(source) => Err(StoreError::io("looking for the store", path, source)),
    }
}
