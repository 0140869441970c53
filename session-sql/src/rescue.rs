//! Putting a sound store in the place of a damaged one.

use std::io;
use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior};
use session_core::{Damage, StoreError};

use crate::beside::BESIDE;
use crate::check::{self, Depth};
use crate::connection::{FileId, Place, suffixed};
use crate::error::SqlError;
use crate::lock::LockFile;
use crate::salvage::{Salvaged, salvage};
use crate::schema::{Migration, Standing};
use crate::{backup, beside, open};

/// What [`crate::SqlStore::rescue`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rescued {
    /// Where the damaged database is now, with its log beside it.
    pub original: PathBuf,
    /// How many rows of all tables were copied.
    pub rows: u64,
    /// What could not be copied, and what was copied but cannot be read.
    pub damaged: Vec<Damage>,
}

/// # Errors
/// Whatever goes wrong. Nothing was changed then.
pub(crate) fn rescue(place: &Place, plan: &[Migration]) -> Result<Option<Rescued>, SqlError> {
    let told = |source| StoreError::io("rescue", &place.path, source);
    let mut lock = LockFile::beside(&place.path);
    if !beside::stands(place)? {
        return Err(told(io::ErrorKind::NotFound.into()).into());
    }
    let _turn = lock.acquire(place.options.deadline())?;
    beside::mend_in_turn(place, &std::fs::metadata(&place.path).map_err(told)?)?;
    let source = place.reader()?;
    let standing = Standing::read(&source, &place.path)?;
    standing.check_supported(open::target(plan), &place.path)?;
    let steps: Vec<_> =
        plan.iter().filter(|step| step.version <= standing.version()).copied().collect();
    match check::structure(&source, Depth::Full) {
        // A record that cannot be read on pages that can would be no better in another file.
        Ok(damaged) if damaged.is_empty() => return Ok(None),
        // Whoever wants it rescued wants what a failing medium still gives.
        Err(error) if !error.is_unreadable() => return Err(error),
        _ => {}
    }
    let fresh = place.at(suffixed(&place.path, ".rescued"));
    let salvaged = open::build(&fresh, &steps, |target| fill(&source, target))?;
    source.close().map_err(|(_, error)| error)?;
    let swapped = swap(place, &fresh);
    if swapped.is_err() {
        // The next rescue removes what cannot be removed now.
        let _ = std::fs::remove_file(&fresh.path);
    }
    let Salvaged { rows, damaged } = salvaged;
    Ok(Some(Rescued { original: swapped.map_err(told)?, rows, damaged }))
}

fn fill(source: &Connection, target: &Connection) -> Result<Salvaged, SqlError> {
    let transaction = rusqlite::Transaction::new_unchecked(target, TransactionBehavior::Immediate)?;
    // Unless it is read from there, nobody knows it.
    transaction.execute("UPDATE meta SET value = 'lost' WHERE key = 'generation'", [])?;
    let mut salvaged = salvage(source, &transaction)?;
    // Cursors of what was there before are stale. Where its number is lost, any other is as good.
    let sql = "UPDATE meta SET value = 1 + iif(typeof(value) = 'integer' AND value BETWEEN 0 AND 1 << 62, \
         value, abs(random() % (1 << 52))) WHERE key = 'generation'";
    transaction.execute(sql, [])?;
    check::records(&transaction, &mut salvaged.damaged)?;
    transaction.commit().map_err(SqlError::Commit)?;
    Ok(salvaged)
}

/// Gives the fresh database the name of the damaged one, which keeps its content under another: where that is.
///
/// The log of the damaged one must be gone before the fresh one has the name, for SQLite would take it for the log of
/// the fresh one. At no moment there is nothing under the name, for somebody would make a new store there. Who dies
/// on the way leaves two names of one file, which whoever opens it undoes: see [`beside`].
fn swap(place: &Place, fresh: &Place) -> io::Result<PathBuf> {
    let permissions = std::fs::metadata(&place.path)?.permissions();
    std::fs::set_permissions(&fresh.path, permissions)?;
    let original = linked(place)?;
    let swapped = (|| {
        for suffix in BESIDE {
            match std::fs::rename(suffixed(&place.path, suffix), suffixed(&original, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for suffix in BESIDE {
            // Of somebody who does not know what a rescue is and has opened it just now.
            beside::remove(&suffixed(&place.path, suffix))?;
        }
        std::fs::rename(&fresh.path, &place.path)?;
        backup::sync_directory(&place.path)
    })();
    if swapped.is_err() && FileId::of(&place.path).ok() == FileId::of(&original).ok() {
        // As it was; what cannot be undone now, the next writer undoes.
        let _ = beside::undo(place, &original);
    }
    swapped.map(|()| original)
}

/// Gives the database a second name, of which nothing stands there yet.
fn linked(place: &Place) -> io::Result<PathBuf> {
    for number in 1_u64.. {
        let original = suffixed(&place.path, &format!(".damaged-{number}"));
        if BESIDE.iter().any(|suffix| suffixed(&original, suffix).symlink_metadata().is_ok()) {
            continue;
        }
        match std::fs::hard_link(&place.path, &original) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => return linked.map(|()| original),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
