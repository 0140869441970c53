//! One store in the place of another, in steps between which a command may die: what is to be done is written down
//! first, so that the place is never taken for an empty one, and whoever writes next finishes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use session_core::StoreError;

use crate::backend;
use crate::plan::StoreKind;

/// What is to be done. The new store is beside it, in `new/`.
#[derive(Debug, Deserialize, Serialize)]
struct Intent {
    /// Where the store goes that is there.
    kept: PathBuf,
    /// The new store, by which it is known wherever it stands.
    inode: u64,
}

/// What is left to do at the place of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    Settled,
    /// A command was killed before it was done, or is about to be.
    Interrupted,
    /// The log of a database is there, and the database is not.
    OnlyLog,
}

/// The directory inside the data directory in which stores of this kind are built.
pub(crate) fn workshop(data_dir: &Path, kind: StoreKind) -> PathBuf {
    data_dir.join(format!("building-{}", kind.as_str()))
}

/// Where the store is that is being built there.
pub(crate) fn built(workshop: &Path, kind: StoreKind) -> PathBuf {
    workshop.join("new").join(backend::file_name(kind))
}

/// Where programs before this one put a store that they replaced.
pub(crate) fn replaced(workshop: &Path, kind: StoreKind) -> PathBuf {
    workshop.join("old").join(backend::file_name(kind))
}

/// The right to build there, until dropped; `None` while somebody else has it.
///
/// # Errors
/// What the operating system says.
pub(crate) fn hold(workshop: &Path) -> io::Result<Option<File>> {
    let path = workshop.join("lock");
    let lock = match File::create(&path) {
        // Whoever had it has just taken the directory away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok((Some(lock.metadata()?.ino()) == inode(&path)).then_some(lock))
}

/// Looks at the place of a store, and changes nothing.
///
/// # Errors
/// What the operating system says.
pub(crate) fn standing(data_dir: &Path, kind: StoreKind) -> Result<Standing, StoreError> {
    let workshop = workshop(data_dir, kind);
    if stands(&intent(&workshop))? {
        return Ok(Standing::Interrupted);
    }
    let location = data_dir.join(backend::file_name(kind));
    if stands(&location)? {
        return Ok(Standing::Settled);
    }
    let left = match kind {
        // The store itself was about to put it in place, and does so when it is opened for writing.
        StoreKind::Jsonl => data_dir.join("jsonl.restoring").join("restoring"),
        StoreKind::Sqlite => replaced(&workshop, kind),
    };
    if stands(&left)? || stands(&replaced(&workshop, kind))? {
        return Ok(Standing::Interrupted);
    }
    let log = backend::parts(kind, &location).into_iter().nth(1);
    let has_log = log.is_some_and(|log| log.metadata().is_ok_and(|found| found.len() > 0));
    Ok(if has_log { Standing::OnlyLog } else { Standing::Settled })
}

/// Finishes what a command that was killed had begun.
///
/// # Errors
/// `Locked` while that command is still at it; `Corrupt` where nothing of it can be finished; what the operating system
/// says.
pub(crate) fn settle(data_dir: &Path, kind: StoreKind) -> Result<(), StoreError> {
    let location = data_dir.join(backend::file_name(kind));
    match standing(data_dir, kind)? {
        Standing::Settled => return Ok(()),
        Standing::OnlyLog => {
            let place = backend::parts(kind, &location).swap_remove(1).display().to_string();
            let reason = "the database that this log belongs to is not there".to_owned();
            return Err(StoreError::Corrupt { place, reason });
        }
        Standing::Interrupted => {}
    }
    let workshop = workshop(data_dir, kind);
    if !stands(&workshop)? {
        return Ok(());
    }
    let told = |source| StoreError::io("finishing what was interrupted in", &workshop, source);
    let Some(_lock) = hold(&workshop).map_err(told)? else {
        return Err(StoreError::Locked { path: location, holder: None });
    };
    if stands(&intent(&workshop))? {
        let Some(_turn) = turn(kind, &location).map_err(told)? else {
            return Err(StoreError::Locked { path: location, holder: None });
        };
        carry_out(&workshop, kind, &location).map_err(told)?;
    } else if !stands(&location)? {
        put_back(kind, &replaced(&workshop, kind), &location).map_err(told)?;
    }
    clear(&workshop);
    Ok(())
}

/// Puts the store that was built in the place of the one that is there, which goes to `kept`. The caller holds the
/// workshop.
///
/// # Errors
/// `WouldBlock` while somebody writes to it, and nothing was begun; what the operating system says; what was begun is
/// finished by the next then.
pub(crate) fn replace(
    workshop: &Path,
    kind: StoreKind,
    location: &Path,
    kept: &Path,
) -> io::Result<()> {
    let Some(_turn) = turn(kind, location)? else {
        return Err(io::ErrorKind::WouldBlock.into());
    };
    let built = fs::metadata(built(workshop, kind))?;
    let text = serde_json::to_vec(&Intent { kept: kept.to_owned(), inode: built.ino() })?;
    let draft = workshop.join("intent.draft");
    let mut file = File::create(&draft)?;
    file.write_all(&text).and_then(|()| file.sync_all())?;
    fs::rename(&draft, intent(workshop))?;
    sync(workshop)?;
    carry_out(workshop, kind, location)
}

/// Removes the workshop with all that is of no use. Whatever somebody may miss stays, and the directory with it.
pub(crate) fn clear(workshop: &Path) {
    if intent(workshop).exists() {
        return;
    }
    let _not_there = fs::remove_dir_all(workshop.join("new"));
    let _not_empty = fs::remove_dir(workshop.join("old"));
    let _still_there =
        fs::remove_file(workshop.join("lock")).and_then(|()| fs::remove_dir(workshop));
}

/// The turn to write to the store that is there, as its own writers take it, so that none of them writes between two
/// steps; `None` while somebody else has it.
fn turn(kind: StoreKind, location: &Path) -> io::Result<Option<File>> {
    let path = match kind {
        StoreKind::Sqlite => location.with_extension("db.lock"),
        StoreKind::Jsonl => location.join("lock"),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = match options.open(&path) {
        // What is no directory has no writers, and there is nothing of it to lock.
        Err(error)
            if kind == StoreKind::Jsonl
                && matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
        {
            return File::open(location.parent().unwrap_or(location)).map(Some);
        }
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Does what is written down, from wherever it had come to.
fn carry_out(workshop: &Path, kind: StoreKind, location: &Path) -> io::Result<()> {
    let path = intent(workshop);
    let Intent { kept, inode: new } = serde_json::from_slice(&fs::read(&path)?)?;
    let built = built(workshop, kind);
    if inode(location) != Some(new) {
        if inode(&built) != Some(new) {
            let message = format!("the new store is not in {}", built.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        match kind {
            StoreKind::Sqlite => swap_database(&built, location, &kept)?,
            StoreKind::Jsonl => swap_directory(&built, location, &kept)?,
        }
        sync_parent(location)?;
    }
    if inode(&built).is_some_and(|inode| inode != new) {
        rename_new(&built, &kept)?;
        sync_parent(&kept)?;
    }
    fs::remove_file(&path)?;
    sync(workshop)
}

/// A database goes with its log, which would be taken for that of the new one: both have a second name before either
/// loses its first, and the name of the database never stands for nothing.
fn swap_database(built: &Path, location: &Path, kept: &Path) -> io::Result<()> {
    let kind = StoreKind::Sqlite;
    let parts = backend::parts(kind, location);
    for (from, to) in parts.iter().zip(backend::parts(kind, kept)) {
        match fs::hard_link(from, &to) {
            // A second attempt.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => copy(from, &to)?,
            Ok(()) => {}
        }
    }
    sync_parent(kept)?;
    for part in &parts[1..] {
        remove(part)?;
    }
    fs::rename(built, location)
}

fn swap_directory(built: &Path, location: &Path, kept: &Path) -> io::Result<()> {
    match renameat_with(CWD, built, CWD, location, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // Nothing is there, or this file system cannot exchange.
        Err(Errno::NOENT) => fs::rename(built, location),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            rename_new(location, kept).and_then(|()| fs::rename(built, location))
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts a store back that was moved away: its log first, so that it is never without it.
fn put_back(kind: StoreKind, from: &Path, to: &Path) -> io::Result<()> {
    let moves = backend::parts(kind, from).into_iter().zip(backend::parts(kind, to));
    for (from, to) in moves.rev() {
        match rename_new(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
    }
    sync_parent(to)
}

/// Gives a file or directory a name that nobody has.
///
/// # Errors
/// `AlreadyExists`; what else the operating system says.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if from.is_dir() => {
            // A directory takes the place of nothing but an empty one.
            fs::rename(from, to)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        renamed => Ok(renamed?),
    }
}

/// Copies a file where it cannot have two names.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut draft = to.as_os_str().to_owned();
    draft.push(".draft");
    fs::copy(from, &draft)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, to)
}

fn intent(workshop: &Path) -> PathBuf {
    workshop.join("intent")
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|found| found.ino())
}

fn stands(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::io("looking for the store", path, source)),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    sync(path.parent().unwrap_or(path))
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
