//! A disk of which single operations fail, as planned.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use super::{Access, Disk, DiskFile, Held, Modified, Stamp};

/// Another disk, apart from what is planned to fail.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    inner: Arc<dyn Disk>,
    plan: Arc<Mutex<Plan>>,
}

/// One operation of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Stamp,
    Names,
    Open,
    Create,
    Rename,
    Remove,
    CreateDirectory,
    SyncDirectory,
    SetModified,
    SyncBelow,
    Link,
    Exchange,
    CopyMode,
    RemoveDirectory,
    Read,
    Append,
    SetLength,
    Sync,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing is done.
    Before(Errno),
    /// All of it is done.
    After(Errno),
    /// So many bytes are appended; anything but appending is as with `Before`.
    Short(usize, Errno),
    /// The same with half of the bytes.
    Half(Errno),
}

/// For how long operations fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    Once,
    FromThenOn,
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<(Fault, Lasting)>,
    /// The only operations that count; without any, all do.
    only: Vec<Call>,
    /// How many are spared.
    spared: u32,
    failed: Vec<Call>,
}

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn DiskFile>,
    plan: Arc<Mutex<Plan>>,
}

impl FaultyDisk {
    /// A disk that does not fail until it is told to.
    pub(crate) fn new(inner: Arc<dyn Disk>) -> Arc<Self> {
        Arc::new(Self { inner, plan: Arc::default() })
    }

    /// Lets the `nth` operation from now fail, counted from 1; only those that are `only`, if that is given.
    pub(crate) fn fail(&self, nth: u32, only: Option<Call>, fault: Fault, lasting: Lasting) {
        self.fail_among(nth, only.into_iter().collect(), fault, lasting);
    }

    /// The same of several kinds of operations, or of all when there are none.
    pub(crate) fn fail_among(&self, nth: u32, only: Vec<Call>, fault: Fault, lasting: Lasting) {
        let fault = Some((fault, lasting));
        *lock(&self.plan) = Plan { fault, only, spared: nth - 1, failed: Vec::new() };
    }

    /// Lets nothing fail any more, and returns what did.
    pub(crate) fn heal(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.plan)).failed
    }
}

fn lock(plan: &Mutex<Plan>) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap()
}

/// The fault that this operation meets, if any.
fn meet(plan: &Mutex<Plan>, call: Call) -> Option<Fault> {
    let mut plan = lock(plan);
    let (fault, lasting) = plan.fault?;
    if !plan.only.is_empty() && !plan.only.contains(&call) {
        return None;
    }
    if plan.spared > 0 {
        plan.spared -= 1;
        return None;
    }
    if lasting == Lasting::Once {
        plan.fault = None;
    }
    plan.failed.push(call);
    Some(fault)
}

fn faulty<T>(
    plan: &Mutex<Plan>,
    call: Call,
    perform: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    match meet(plan, call) {
        None => perform(),
        Some(Fault::Before(errno) | Fault::Short(_, errno) | Fault::Half(errno)) => {
            Err(errno.into())
        }
        Some(Fault::After(errno)) => perform().and(Err(errno.into())),
    }
}

impl FaultyDisk {
    fn file(&self, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { inner, plan: Arc::clone(&self.plan) })
    }
}

impl Disk for FaultyDisk {
    fn stamp(&self, path: &Path) -> io::Result<Option<Stamp>> {
        faulty(&self.plan, Call::Stamp, || self.inner.stamp(path))
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        faulty(&self.plan, Call::Names, || self.inner.names(directory))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        faulty(&self.plan, Call::Open, || self.inner.open(path, access)).map(|file| self.file(file))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        faulty(&self.plan, Call::Create, || self.inner.create(path)).map(|file| self.file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::Rename, || self.inner.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::Remove, || self.inner.remove(path))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::CreateDirectory, || self.inner.create_directory(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::SyncDirectory, || self.inner.sync_directory(path))
    }

    fn set_modified(&self, directory: &Path, to: Modified) -> io::Result<()> {
        faulty(&self.plan, Call::SetModified, || self.inner.set_modified(directory, to))
    }

    fn sync_below(&self, directory: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::SyncBelow, || self.inner.sync_below(directory))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::Link, || self.inner.link(from, to))
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::Exchange, || self.inner.exchange(one, other))
    }

    fn copy_mode(&self, from: &Path, to: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::CopyMode, || self.inner.copy_mode(from, to))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        faulty(&self.plan, Call::RemoveDirectory, || self.inner.remove_directory(path))
    }

    fn boot(&self) -> Option<&str> {
        self.inner.boot()
    }
}

impl DiskFile for FaultyFile {
    fn stamp(&self) -> io::Result<Stamp> {
        faulty(&self.plan, Call::Stamp, || self.inner.stamp())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        faulty(&self.plan, Call::Read, || self.inner.read_at(buffer, offset))
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        match meet(&self.plan, Call::Append) {
            None => self.inner.append(bytes),
            Some(Fault::Before(errno)) => Err(errno.into()),
            Some(Fault::After(errno)) => self.inner.append(bytes).and(Err(errno.into())),
            Some(Fault::Short(kept, errno)) => {
                self.inner.append(&bytes[..kept.min(bytes.len())])?;
                Err(errno.into())
            }
            Some(Fault::Half(errno)) => {
                self.inner.append(&bytes[..bytes.len() / 2])?;
                Err(errno.into())
            }
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        faulty(&self.plan, Call::SetLength, || self.inner.set_length(length))
    }

    fn sync(&self) -> io::Result<()> {
        faulty(&self.plan, Call::Sync, || self.inner.sync())
    }

    fn hold(&self) -> Held {
        self.inner.hold()
    }
}
