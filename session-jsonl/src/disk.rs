//! The disk as the store uses it: every operation on files and directories, behind one seam.
//!
//! The store reaches its files through [`Disk`] and [`DiskFile`] only, so that tests can make any single operation
//! fail, or take away the power after it. Each method is one step that can fail on its own, in most cases one
//! system call; what is made of several steps, such as appending durably, is in `file.rs` and works on every disk.
//! The writer lock is no part of this: locks belong to processes, not to what is stored.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

mod real;

#[cfg(test)]
pub(crate) mod faulty;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
pub(crate) mod power;
#[cfg(test)]
pub(crate) mod recording;

pub(crate) use real::{RealDisk, open_unfollowed};

/// Files and directories by their paths.
///
/// A path is never followed when its last component is a link. Nothing is on the medium before it is synced: bytes
/// and lengths by [`DiskFile::sync`], the names in a directory by [`sync_directory`](Self::sync_directory). What a
/// method changed when it reports an error is unknown, unless it says so.
pub(crate) trait Disk: Send + Sync + Debug {
    /// What stands at `path`; `None` when nothing does.
    fn stamp(&self, path: &Path) -> io::Result<Option<Stamp>>;

    /// The names in a directory, in no order.
    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Opens what stands at `path`, without waiting for anybody. It may be something else than a regular file:
    /// look at its stamp before using it.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Creates an empty file for appending, with mode 0600. `AlreadyExists` when anything stands there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name in one step, and takes that name from the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates one directory, with mode 0700. `AlreadyExists` when anything stands there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Returns once the names in a directory are on the medium.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Sets the time at which a directory says that it was changed.
    fn set_modified(&self, directory: &Path, to: Modified) -> io::Result<()>;

    /// Returns once everything in and below a directory is on the medium, whoever wrote it, and the names in it.
    fn sync_below(&self, directory: &Path) -> io::Result<()>;

    /// Gives a file a second name. `AlreadyExists` when anything has it.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Exchanges what stands at two paths in one step. `Unsupported` where that cannot be done.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;

    /// Opens the file at `to` to those to whom the regular file at `from` is open, and to nobody else.
    fn copy_mode(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// A word that is another one each time that the machine is started; `None` when nobody says it.
    fn boot(&self) -> Option<&str>;
}

/// A file that was opened, whatever happens to its name.
pub(crate) trait DiskFile: Send + Sync + Debug {
    /// Its state now.
    fn stamp(&self) -> io::Result<Stamp>;

    /// Reads bytes that begin at `offset`, fewer than there is place for perhaps, none at the end of the file.
    /// `Interrupted` means nothing: ask again.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Puts all these bytes at the end of the file. On an error any number of them may stand there.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file shorter, or longer with zero bytes.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Returns once its bytes and its length are on the medium. After an error nobody knows which of them are, and
    /// syncing again does not tell.
    fn sync(&self) -> io::Result<()>;

    /// Takes it for this process until it is closed, if nobody has it.
    fn hold(&self) -> Held {
        Held::Untold
    }
}

/// Who has something that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Here,
    Elsewhere,
    /// It cannot be told here.
    Untold,
}

/// What an existing file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading at any offset.
    Read,
    /// Appending, cutting and syncing.
    Append,
}

/// What stands at a path. It tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) kind: Kind,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) length: u64,
    pub(crate) modified: Modified,
    /// When anything of it was changed last, that time included. Nobody can set this one.
    pub(crate) changed: Modified,
}

/// When something was changed: the time that can be set, and the one that cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) changed: Modified,
    pub(crate) modified: Modified,
}

/// What sort of thing stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a pipe, a socket, a device.
    Other,
}

/// A time of change as file systems keep it: seconds since 1970, and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Modified {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// The bytes of `file` from one offset to another, as a reader.
pub(crate) fn reader(file: &dyn DiskFile, from: u64, to: u64) -> impl Read {
    Span { file, from, to }
}

struct Span<'a> {
    file: &'a dyn DiskFile,
    from: u64,
    to: u64,
}

impl Read for Span<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.to.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut buffer[..wanted], self.from)?;
        self.from += read as u64;
        Ok(read)
    }
}

impl Modified {
    /// The first time after this one that is a whole number of `step` nanoseconds, which divides some whole seconds.
    pub(crate) fn next(self, step: u64) -> Self {
        const SECOND: i128 = 1_000_000_000;
        let step = i128::from(step);
        let total = i128::from(self.seconds) * SECOND + i128::from(self.nanoseconds);
        let next = (total.div_euclid(step) + 1) * step;
        Self {
            seconds: i64::try_from(next.div_euclid(SECOND)).unwrap_or(i64::MAX),
            nanoseconds: u32::try_from(next.rem_euclid(SECOND)).unwrap_or_default(),
        }
    }
}

impl Stamp {
    /// The state of a file that is not there yet.
    pub(crate) const NOTHING: Self = Self {
        kind: Kind::File,
        device: 0,
        inode: 0,
        length: 0,
        modified: Modified { seconds: 0, nanoseconds: 0 },
        changed: Modified { seconds: 0, nanoseconds: 0 },
    };

    /// When it was changed.
    pub(crate) const fn times(&self) -> Times {
        Times { changed: self.changed, modified: self.modified }
    }

    /// Whether this is a state of the same file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.kind, self.device, self.inode) == (other.kind, other.device, other.inode)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        let kind = match metadata.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Directory,
            _ => Kind::Other,
        };
        Self {
            kind,
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: Modified {
                seconds: metadata.mtime(),
                nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
            },
            changed: Modified {
                seconds: metadata.ctime(),
                nanoseconds: u32::try_from(metadata.ctime_nsec()).unwrap_or_default(),
            },
        }
    }
}
