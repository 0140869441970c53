//! Copies of a whole store, and what takes the place of one.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{SessionStore, StoreError, StoreUpkeep as _, bundle};

use crate::adopt::{self, DRAFTS};
use crate::disk::{Access, Disk, Held, Kind};
use crate::format::{self, MARKER};
use crate::index::INDEX;
use crate::pending::PENDING;
use crate::quarantine::{self, QUARANTINE};
use crate::{JsonlStore, file, line};

/// How the name of a directory ends that is about to take the place of a store.
pub(crate) const RESTORING: &str = ".restoring";

/// The file in such a directory that says that it is to become the store, as soon as there is none. What an exchange
/// leaves under that name has no such file: it is what was replaced, and must not come back.
const INTENT: &str = "restoring";

/// How the name of a store's former content goes on.
const REPLACED: &str = ".replaced-";

/// Puts a copy of the store at `target`. Nobody else may write meanwhile.
///
/// # Errors
/// `TargetExists`; what the disk reports; `Corrupt` when the copy does not hold the same.
pub(crate) fn back_up(
    disk: &Arc<dyn Disk>,
    store: &JsonlStore,
    from: &Path,
    target: &Path,
) -> Result<(), StoreError> {
    let fail = |error| StoreError::io("copying a store", target, error);
    let exists = || StoreError::TargetExists { path: target.to_owned() };
    if disk.stamp(target).map_err(fail)?.is_some() {
        return Err(exists());
    }
    if is_inside(&**disk, target, from).map_err(fail)? {
        return Err(StoreError::Unsupported { what: "be copied into itself" });
    }
    let draft = beside(target, &format!(".{:016x}.draft", adopt::random()));
    remove_dead(&**disk, target);
    disk.create_directory(&draft).map_err(fail)?;
    // So nobody takes it for one that a dead process left.
    let held = disk.open(&draft, Access::Read).inspect(|draft| _ = draft.hold());
    let copied = copy(&**disk, from, &draft, None).map_err(fail).and_then(|()| {
        let copy = JsonlStore::read_on(Arc::clone(disk), &draft)?;
        same(store, &copy, &draft)
    });
    let named = copied.and_then(|()| {
        if disk.stamp(target).map_err(fail)?.is_some() {
            return Err(exists());
        }
        disk.rename(&draft, target).and_then(|()| sync_parent(&**disk, target)).map_err(fail)
    });
    drop(held);
    named.inspect_err(|_| {
        _ = remove_all(&**disk, &draft);
    })
}

/// Removes what dead processes left of copies to this place: those that nobody holds.
fn remove_dead(disk: &dyn Disk, target: &Path) {
    let (Some(parent), Some(stem)) = (target.parent(), target.file_name()) else { return };
    for name in disk.names(parent).unwrap_or_default() {
        let rest = name.as_encoded_bytes().strip_prefix(stem.as_encoded_bytes());
        let digits = rest.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(b".draft"));
        if digits.is_some_and(|it| it.len() == 16 && it.iter().all(u8::is_ascii_hexdigit))
            && let Ok(draft) = disk.open(&parent.join(&name), Access::Read)
            && draft.hold() == Held::Here
        {
            // It costs room and nothing else.
            _ = remove_all(disk, &parent.join(&name));
        }
    }
}

/// Puts what `copy_at` holds in the place of the store, in one step and of a later generation; what was there is kept
/// beside, and copied to `kept` first if that is wanted. Nobody else may write meanwhile.
///
/// # Errors
/// `NotAStore`, `NewerVersion` or `Corrupt` when there is no sound copy; what the disk reports.
pub(crate) fn replace(
    disk: &Arc<dyn Disk>,
    store: &JsonlStore,
    directory: &Path,
    copy_at: &Path,
    kept: Option<&Path>,
) -> Result<(), StoreError> {
    let generation = store.info().generation;
    let fail = |error| StoreError::io("replacing a store", directory, error);
    if is_inside(&**disk, &copy_at.join("copy"), directory).map_err(fail)? {
        return Err(StoreError::Unsupported {
            what: "be restored from itself or from what is in it",
        });
    }
    let sound = JsonlStore::read_on(Arc::clone(disk), copy_at)?;
    if let Some(damage) = sound.check()?.damaged.into_iter().next() {
        return Err(StoreError::Corrupt { place: damage.place, reason: damage.reason });
    }
    if let Some(kept) = kept {
        back_up(disk, store, directory, kept)?;
    }
    let draft = beside(directory, RESTORING);
    if disk.stamp(&draft).map_err(fail)?.is_some() {
        // A complete one is what an earlier replacement took away, and did not come to give its name.
        if disk.stamp(&draft.join(MARKER)).map_err(fail)?.is_some() {
            keep_replaced(&**disk, &draft, directory, generation).map_err(fail)?;
        } else {
            remove_all(&**disk, &draft).map_err(fail)?;
        }
    }
    let next = generation.max(sound.info().generation).saturating_add(1);
    let marker = format::with_generation(&**disk, copy_at, next)?;
    disk.create_directory(&draft).map_err(fail)?;
    let written = copy(&**disk, copy_at, &draft, Some(&marker)).map_err(fail).and_then(|()| {
        let written = JsonlStore::read_on(Arc::clone(disk), &draft)?;
        same(&sound, &written, &draft)
    });
    written.inspect_err(|_| {
        _ = remove_all(&**disk, &draft);
    })?;
    sync_parent(&**disk, &draft).map_err(fail)?;
    // It would say of what is replaced now that it is to come back.
    remove_intent(&**disk, directory).map_err(fail)?;
    match disk.exchange(&draft, directory) {
        Ok(()) => {
            sync_parent(&**disk, directory).map_err(fail)?;
            keep_replaced(&**disk, &draft, directory, generation).map_err(fail)
        }
        // Between these two steps there is no store, and whoever opens it next finishes them.
        Err(_) => say_intent(&**disk, &draft)
            .and_then(|()| keep_replaced(&**disk, directory, directory, generation))
            .and_then(|()| finish_replacing(&**disk, directory))
            .map_err(fail),
    }
}

/// Finishes a replacement that was interrupted where directories cannot be exchanged.
///
/// # Errors
/// What the disk reports.
pub(crate) fn finish_replacing(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    let draft = beside(directory, RESTORING);
    let is_there = |name| disk.stamp(&draft.join(name)).unwrap_or_default().is_some();
    if is_there(MARKER) && is_there(INTENT) {
        disk.rename(&draft, directory)?;
        sync_parent(disk, directory)?;
        remove_intent(disk, directory)?;
    }
    Ok(())
}

/// Whether something stands beside a store that a replacement may have left there.
pub(crate) fn has_left(disk: &dyn Disk, directory: &Path) -> bool {
    disk.stamp(&beside(directory, RESTORING)).unwrap_or_default().is_some()
}

/// Gives what a replacement took away the name that it did not come to get, if it is that. Only for the holder of the
/// writer lock of the store, which is of this generation.
///
/// # Errors
/// What the disk reports; `NotAStore` and the like when something else stands there.
pub(crate) fn name_replaced(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    generation: u64,
) -> Result<(), StoreError> {
    let left = beside(directory, RESTORING);
    let known = JsonlStore::read_on(Arc::clone(disk), &left)?.info().generation;
    if known < generation {
        keep_replaced(&**disk, &left, directory, known)
            .map_err(|error| StoreError::io("replacing a store", directory, error))?;
    }
    Ok(())
}

fn say_intent(disk: &dyn Disk, draft: &Path) -> io::Result<()> {
    disk.create(&draft.join(INTENT))?.sync()?;
    disk.sync_directory(draft)
}

fn remove_intent(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    match disk.remove(&directory.join(INTENT)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| disk.sync_directory(directory)),
    }
}

/// Whether a path leads into a directory, by whatever names.
fn is_inside(disk: &dyn Disk, path: &Path, directory: &Path) -> io::Result<bool> {
    let Some(outer) = file::directory(disk, directory)? else { return Ok(false) };
    for above in path.ancestors().skip(1) {
        let found = file::directory(disk, above).unwrap_or_default();
        if found.is_some_and(|found| found.is_same_file(&outer)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives a store's former content, which stands at `from`, a name beside the store.
fn keep_replaced(
    disk: &dyn Disk,
    from: &Path,
    directory: &Path,
    generation: u64,
) -> io::Result<()> {
    for number in 1_u64.. {
        let end = match number {
            1 => format!("{REPLACED}{generation}"),
            _ => format!("{REPLACED}{generation}-{number}"),
        };
        let to = beside(directory, &end);
        if disk.stamp(&to)?.is_none() {
            disk.rename(from, &to)?;
            return sync_parent(disk, directory);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn sync_parent(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| disk.sync_directory(parent))
}

/// Copies all files of a store into an empty directory and syncs them; its marker last, or another one in its stead.
fn copy(disk: &dyn Disk, from: &Path, to: &Path, marker: Option<&str>) -> io::Result<()> {
    copy_files(disk, from, to, |name| is_ours(name) && name != MARKER)?;
    let aside = from.join(QUARANTINE);
    if disk.stamp(&aside)?.is_some_and(|stamp| stamp.kind == Kind::Directory) {
        disk.create_directory(&to.join(QUARANTINE))?;
        copy_files(disk, &aside, &to.join(QUARANTINE), |_| true)?;
        disk.sync_directory(&to.join(QUARANTINE))?;
    }
    disk.sync_directory(to)?;
    match marker {
        None => copy_files(disk, from, to, |name| name == MARKER)?,
        Some(marker) => {
            let file = disk.create(&to.join(MARKER))?;
            file.append(marker.as_bytes())?;
            file.sync()?;
        }
    }
    disk.sync_directory(to)
}

fn copy_files(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    wanted: impl Fn(&OsStr) -> bool,
) -> io::Result<()> {
    for name in disk.names(from)? {
        let source = from.join(&name);
        let is_file = disk.stamp(&source)?.is_some_and(|stamp| stamp.kind == Kind::File);
        if is_file && wanted(&name) {
            let opened = disk.open(&source, Access::Read)?;
            let length = opened.stamp()?.length;
            let file = disk.create(&to.join(&name))?;
            quarantine::copy(crate::disk::reader(&*opened, 0, length), &*file)?;
            file.sync()?;
        }
    }
    Ok(())
}

/// Whether a file of this name is part of what a store holds.
fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    name.ends_with(".jsonl") && name != INDEX && name != PENDING || name.starts_with(MARKER)
}

/// Removes a directory that this program made, if it is there.
fn remove_all(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    if disk.stamp(directory)?.is_none() {
        return Ok(());
    }
    for name in disk.names(directory)? {
        let path = directory.join(&name);
        match disk.stamp(&path)? {
            Some(stamp) if stamp.kind == Kind::Directory => {
                let is_ours = name == QUARANTINE || name == DRAFTS;
                if is_ours {
                    remove_all(disk, &path)?;
                }
            }
            Some(_) => disk.remove(&path)?,
            None => {}
        }
    }
    disk.remove_directory(directory)
}

/// Compares all that two stores hold.
fn same(one: &JsonlStore, other: &JsonlStore, place: &Path) -> Result<(), StoreError> {
    let digest = |store: &JsonlStore| {
        let mut sum = 0_u64;
        let damaged = bundle::dump(store, |line| {
            sum = sum.rotate_left(7) ^ line::hash(line.to_string().as_bytes());
            Ok::<_, StoreError>(())
        })?;
        Ok::<_, StoreError>((sum, damaged.len()))
    };
    if digest(one)? == digest(other)? {
        return Ok(());
    }
    let reason = "the copy does not hold the same".to_owned();
    Err(StoreError::Corrupt { place: place.display().to_string(), reason })
}
