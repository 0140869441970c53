//! A store that is built beside its place, and moved there when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{Durability, ErrorKind, SessionStore};

use crate::backend;
use crate::backups;
use crate::error::CliError;
use crate::plan::StoreKind;
use crate::replacing::{self, Standing};
use crate::system;

/// A directory inside the data directory in which one store is built. It is removed with everything in it at the end;
/// one that a killed command left is taken over by the next.
#[derive(Debug)]
pub(crate) struct Staging {
    kind: StoreKind,
    directory: PathBuf,
    _lock: File,
}

impl Staging {
    /// Begins a store of this kind in this data directory.
    ///
    /// # Errors
    /// `busy` when somebody is at it already; what the operating system says.
    pub(crate) fn begin(data_dir: &Path, kind: StoreKind) -> Result<Self, CliError> {
        let directory = replacing::workshop(data_dir, kind);
        backend::make_dir(&directory)?;
        let lock = replacing::hold(&directory).map_err(|source| failed(&directory, &source))?;
        let Some(lock) = lock else {
            let message = format!("another command builds a store in {}", directory.display());
            return Err(CliError::new(ErrorKind::Busy, message).hint("try again when it is done"));
        };
        if replacing::standing(data_dir, kind)? == Standing::Interrupted {
            let message = format!("{} holds what an interrupted command left", directory.display());
            return Err(CliError::new(ErrorKind::Conflict, message)
                .hint("`session store check --repair` finishes it"));
        }
        keep_old(data_dir, kind, &directory)?;
        let staging = Self { kind, directory, _lock: lock };
        let path = staging.directory.join("new");
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&path, &source));
            }
            _ => backend::make_dir(&path)?,
        }
        Ok(staging)
    }

    /// Opens the store that is being built. It must be closed before it is moved.
    ///
    /// # Errors
    /// As the store's own opening.
    pub(crate) fn open(&self, durability: Durability) -> Result<Arc<dyn SessionStore>, CliError> {
        Ok(backend::open_at(self.kind, &self.built(), durability)?)
    }

    /// Where the store is that is being built.
    pub(crate) fn built(&self) -> PathBuf {
        replacing::built(&self.directory, self.kind)
    }

    /// Moves the store to its place in one step. Whatever somebody put there meanwhile stays as it is.
    ///
    /// # Errors
    /// `exists` when anything stands there; what the operating system says.
    pub(crate) fn install(&self, location: &Path) -> Result<(), CliError> {
        self.check_whole()?;
        let moved = match self.kind {
            // A directory takes the place of nothing but an empty one.
            StoreKind::Jsonl => fs::rename(self.built(), location),
            StoreKind::Sqlite => replacing::rename_new(&self.built(), location),
        };
        match moved {
            Ok(()) => sync_around(location),
            Err(source) if is_taken(&source) => Err(taken(self.kind, location)),
            Err(source) => Err(failed(location, &source)),
        }
    }

    /// Puts the store in the place of one that cannot be read, which goes to `kept` as it is.
    ///
    /// # Errors
    /// `busy` while somebody writes to it; what the operating system says. The place is never empty, and whoever opens the store for writing finishes what
    /// was begun.
    pub(crate) fn replace(&self, location: &Path, kept: &Path) -> Result<(), CliError> {
        self.check_whole()?;
        replacing::replace(&self.directory, self.kind, location, kept).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                let message = format!("somebody writes to {}", location.display());
                return CliError::new(ErrorKind::Busy, message)
                    .hint("nothing was changed; try again in a moment");
            }
            failed(location, &source)
        })
    }

    /// One file is moved, so all of the store has to be in it.
    fn check_whole(&self) -> Result<(), CliError> {
        for part in &backend::parts(self.kind, &self.built())[1..] {
            if part.metadata().is_ok_and(|found| found.len() > 0) {
                let message = format!("{} was not emptied", part.display());
                return Err(CliError::new(ErrorKind::Io, message).hint("try again"));
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        replacing::clear(&self.directory);
    }
}

/// Programs before this one moved here what stood in the place of a new store. It may be somebody's: it becomes a
/// backup.
fn keep_old(data_dir: &Path, kind: StoreKind, directory: &Path) -> Result<(), CliError> {
    let old = replacing::replaced(directory, kind);
    if backend::parts(kind, &old).iter().any(|part| part.symlink_metadata().is_ok()) {
        let kept = backups::free_target(data_dir, kind, system::now())?;
        for (from, to) in backend::parts(kind, &old).iter().zip(backend::parts(kind, &kept)) {
            match replacing::rename_new(from, &to) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(&to, &source));
                }
                _ => {}
            }
        }
        sync_around(&kept)?;
    }
    let directory = directory.join("old");
    match fs::remove_dir(&directory) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            let hint = format!("look at what is in {}, and move it away", directory.display());
            Err(failed(&directory, &source).hint(hint))
        }
        _ => Ok(()),
    }
}

fn is_taken(source: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(source.kind(), Io::AlreadyExists | Io::DirectoryNotEmpty | Io::NotADirectory)
}

fn taken(kind: StoreKind, location: &Path) -> CliError {
    let message = format!(
        "somebody else has made a {} store meanwhile: {}",
        kind.as_str(),
        location.display()
    );
    CliError::new(ErrorKind::Exists, message).hint(format!(
        "it is as it was, and nothing was changed; look at it with `session list --all --store {}`, then try again",
        kind.as_str()
    ))
}

/// Makes moves to and from this place last.
///
/// # Errors
/// What the operating system says.
fn sync_around(location: &Path) -> Result<(), CliError> {
    let directory = location.parent().unwrap_or(location);
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| failed(directory, &source))
}

fn failed(path: &Path, source: &io::Error) -> CliError {
    CliError::io(&format!("writing {}", path.display()), source)
}

#[cfg(test)]
mod tests {
    use session_core::{Session, SessionId, Timestamp};

    use super::*;

    const KINDS: [StoreKind; 2] = [StoreKind::Sqlite, StoreKind::Jsonl];

    fn fill(store: &dyn SessionStore, number: u128) {
        let now = Timestamp::from_millis(5);
        store.create(Session::new(SessionId::from_parts(now, number), now)).unwrap();
        store.close().unwrap();
    }

    fn sessions(kind: StoreKind, location: &Path) -> u64 {
        let store = backend::look_in(kind, location).unwrap().unwrap();
        store.stats().unwrap().sessions.values().sum()
    }

    #[test]
    fn what_somebody_made_meanwhile_is_not_replaced() {
        for kind in KINDS {
            let directory = tempfile::tempdir().unwrap();
            let location = directory.path().join(backend::file_name(kind));
            let staging = Staging::begin(directory.path(), kind).unwrap();
            for number in 1..3 {
                let built = backend::open_at(kind, &staging.built(), Durability::Full).unwrap();
                fill(&*built, number);
            }
            fill(&*backend::open_at(kind, &location, Durability::Full).unwrap(), 3);
            let refused = staging.install(&location).unwrap_err();
            assert!(refused.is(ErrorKind::Exists), "{refused:?}");
            drop(staging);
            assert_eq!(sessions(kind, &location), 1);
            assert!(!directory.path().join(format!("building-{}", kind.as_str())).exists());
        }
    }

    #[test]
    fn what_was_moved_away_by_a_command_that_died_becomes_a_backup() {
        for kind in KINDS {
            let directory = tempfile::tempdir().unwrap();
            let workshop = replacing::workshop(directory.path(), kind);
            let moved = replacing::replaced(&workshop, kind);
            backend::make_dir(moved.parent().unwrap()).unwrap();
            let location = directory.path().join(backend::file_name(kind));
            backend::open_at(kind, &location, Durability::Full).unwrap().close().unwrap();
            fill(&*backend::open_at(kind, &moved, Durability::Full).unwrap(), 1);
            for lock in [".lock", "/lock"] {
                let _other_kind = fs::remove_file(format!("{}{lock}", moved.display()));
            }
            drop(Staging::begin(directory.path(), kind).unwrap());
            let mut backups = fs::read_dir(directory.path().join("backups")).unwrap();
            let kept = backups.next().unwrap().unwrap().path();
            assert_eq!(sessions(kind, &kept), 1);
            assert!(!workshop.exists());
        }
    }
}
