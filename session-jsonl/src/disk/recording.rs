//! A disk that remembers in which order it was changed and synced.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Access, Disk, DiskFile, Kind, Modified, Stamp};

/// Another disk whose changes are recorded.
#[derive(Debug)]
pub(crate) struct RecordingDisk {
    inner: Arc<dyn Disk>,
    steps: Steps,
}

/// One thing that happened to the disk; files are known by their inodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create {
        path: PathBuf,
        inode: u64,
    },
    CreateDirectory {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        inode: u64,
    },
    RenameDirectory {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Append {
        inode: u64,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLength {
        inode: u64,
        length: u64,
    },
    Sync {
        inode: u64,
    },
    SyncDirectory {
        path: PathBuf,
    },
    /// Everything is synced.
    SyncBelow,
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Exchange {
        one: PathBuf,
        other: PathBuf,
    },
    RemoveDirectory {
        path: PathBuf,
    },
    /// The store said to its caller that everything it was asked for so far is done.
    Acknowledged,
}

type Steps = Arc<Mutex<Vec<Step>>>;

#[derive(Debug)]
struct RecordingFile {
    inner: Box<dyn DiskFile>,
    inode: u64,
    steps: Steps,
}

impl RecordingDisk {
    /// Records from now on what happens to `inner`.
    pub(crate) fn new(inner: Arc<dyn Disk>) -> Arc<Self> {
        Arc::new(Self { inner, steps: Steps::default() })
    }

    /// Records that the caller of the store knows now that a call succeeded.
    pub(crate) fn acknowledge(&self) {
        push(&self.steps, Step::Acknowledged);
    }

    /// What happened so far.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }

    fn file(&self, inner: Box<dyn DiskFile>) -> io::Result<Box<RecordingFile>> {
        let inode = inner.stamp()?.inode;
        Ok(Box::new(RecordingFile { inner, inode, steps: Arc::clone(&self.steps) }))
    }

    fn done(&self, step: Step) {
        push(&self.steps, step);
    }
}

fn push(steps: &Steps, step: Step) {
    steps.lock().unwrap().push(step);
}

impl Disk for RecordingDisk {
    fn stamp(&self, path: &Path) -> io::Result<Option<Stamp>> {
        self.inner.stamp(path)
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.inner.names(directory)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.inner.open(path, access)?)?)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.file(self.inner.create(path)?)?;
        self.done(Step::Create { path: path.to_owned(), inode: file.inode });
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let stamp = self.inner.stamp(from)?;
        self.inner.rename(from, to)?;
        let Stamp { kind, inode, .. } = stamp.ok_or(io::ErrorKind::NotFound)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        self.done(match kind {
            Kind::Directory => Step::RenameDirectory { from, to },
            _ => Step::Rename { from, to, inode },
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)?;
        self.done(Step::Remove { path: path.to_owned() });
        Ok(())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.create_directory(path)?;
        self.done(Step::CreateDirectory { path: path.to_owned() });
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_directory(path)?;
        self.done(Step::SyncDirectory { path: path.to_owned() });
        Ok(())
    }

    fn set_modified(&self, directory: &Path, to: Modified) -> io::Result<()> {
        // A time is a hint, and none that a loss of power has to keep.
        self.inner.set_modified(directory, to)
    }

    fn sync_below(&self, directory: &Path) -> io::Result<()> {
        self.inner.sync_below(directory)?;
        self.done(Step::SyncBelow);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.link(from, to)?;
        self.done(Step::Link { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.inner.exchange(one, other)?;
        self.done(Step::Exchange { one: one.to_owned(), other: other.to_owned() });
        Ok(())
    }

    fn copy_mode(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.copy_mode(from, to)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_directory(path)?;
        self.done(Step::RemoveDirectory { path: path.to_owned() });
        Ok(())
    }

    fn boot(&self) -> Option<&str> {
        self.inner.boot()
    }
}

impl RecordingFile {
    fn done(&self, step: Step) {
        push(&self.steps, step);
    }
}

impl DiskFile for RecordingFile {
    fn stamp(&self) -> io::Result<Stamp> {
        self.inner.stamp()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let offset = self.inner.stamp()?.length;
        self.inner.append(bytes)?;
        self.done(Step::Append { inode: self.inode, offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.inner.set_length(length)?;
        self.done(Step::SetLength { inode: self.inode, length });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()?;
        self.done(Step::Sync { inode: self.inode });
        Ok(())
    }
}
