//! The operating system's disk.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{
    DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown,
};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, UTIME_OMIT, utimensat};

use super::{Access, Disk, DiskFile, Held, Modified, Stamp};

/// The disk that everybody else sees as well.
#[derive(Debug)]
pub(crate) struct RealDisk;

/// Opens `path` as `options` say, but not what a link points to, and without waiting at a pipe for its other end.
///
/// # Errors
/// What the operating system reports; for a link that is a "loop".
pub(crate) fn open_unfollowed(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // To reading and writing a regular file it makes no difference that it was opened not to block.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

impl Disk for RealDisk {
    fn stamp(&self, path: &Path) -> io::Result<Option<Stamp>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Stamp::from(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Append => options.append(true),
        };
        Ok(Box::new(open_unfollowed(path, &mut options)?))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        Ok(Box::new(options.append(true).create_new(true).mode(0o600).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn set_modified(&self, directory: &Path, to: Modified) -> io::Result<()> {
        let time = Timespec { tv_sec: to.seconds, tv_nsec: to.nanoseconds.into() };
        let unchanged = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access: unchanged, last_modification: time };
        Ok(utimensat(CWD, directory, &times, AtFlags::empty())?)
    }

    #[cfg(target_os = "linux")]
    fn sync_below(&self, directory: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(directory)?)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_below(&self, directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => self.sync_below(&entry.path())?,
                kind if kind.is_file() => File::open(entry.path())?.sync_all()?,
                _ => {}
            }
        }
        self.sync_directory(directory)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        Ok(rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, flags)?)
    }

    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    fn exchange(&self, _one: &Path, _other: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn copy_mode(&self, from: &Path, to: &Path) -> io::Result<()> {
        let known = fs::symlink_metadata(from)?;
        let file = open_unfollowed(to, OpenOptions::new().read(true))?;
        let found = file.metadata()?;
        if (known.uid(), known.gid()) != (found.uid(), found.gid()) {
            // Only the superuser may give it away, and others may give it to a group that they are in.
            _ = fchown(&file, Some(known.uid()), Some(known.gid()))
                .or_else(|_| fchown(&file, None, Some(known.gid())));
        }
        let is_of_group = file.metadata()?.gid() == known.gid();
        let mode = narrowed(known.mode(), is_of_group);
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn boot(&self) -> Option<&str> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        let read = || {
            let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            Some(text.trim().to_owned()).filter(|boot| !boot.is_empty())
        };
        BOOT.get_or_init(read).as_deref()
    }
}

/// The mode of a file that takes the place of one of this mode, in the same group or in another one.
const fn narrowed(mode: u32, is_of_group: bool) -> u32 {
    let of_others = mode & 0o007;
    // What everybody may do the members of a group could do too.
    let kept = if is_of_group { 0o777 } else { 0o707 | of_others << 3 };
    mode & kept
}

impl DiskFile for File {
    fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp::from(&self.metadata()?))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn hold(&self) -> Held {
        match self.try_lock() {
            Ok(()) => Held::Here,
            Err(TryLockError::WouldBlock) => Held::Elsewhere,
            Err(TryLockError::Error(_)) => Held::Untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;
    use crate::disk::Kind;

    #[test]
    fn a_link_is_not_opened_and_a_pipe_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("target"), "precious").unwrap();
        symlink("target", path.join("link")).unwrap();
        symlink("nowhere", path.join("dangling")).unwrap();
        assert!(Command::new("mkfifo").arg(path.join("pipe")).status().unwrap().success());
        for access in [Access::Read, Access::Append] {
            assert!(RealDisk.open(&path.join("link"), access).is_err());
            assert!(RealDisk.open(&path.join("dangling"), access).is_err());
            if let Ok(file) = RealDisk.open(&path.join("pipe"), access) {
                assert_eq!(file.stamp().unwrap().kind, Kind::Other);
            }
        }
        assert_eq!(RealDisk.stamp(&path.join("link")).unwrap().unwrap().kind, Kind::Other);
        assert!(RealDisk.create(&path.join("dangling")).is_err());
        assert!(!path.join("nowhere").exists());
    }

    #[test]
    fn a_mode_is_copied_and_opens_nothing_to_another_group() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        fs::write(&from, "").unwrap();
        RealDisk.create(&to).unwrap();
        for mode in [0o640, 0o400, 0o604, 0o666, 0o600] {
            fs::set_permissions(&from, fs::Permissions::from_mode(mode)).unwrap();
            RealDisk.copy_mode(&from, &to).unwrap();
            assert_eq!(fs::metadata(&to).unwrap().mode() & 0o7777, mode);
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
        for (mode, expected) in [(0o640, 0o600), (0o664, 0o644), (0o660, 0o600), (0o4755, 0o755)] {
            assert_eq!(narrowed(mode, false), expected, "{mode:o}");
        }
        assert_eq!(narrowed(0o100_640, true), 0o640);
    }

    #[test]
    fn a_directory_says_the_time_that_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        for (seconds, nanoseconds) in [(0, 0), (1_750_000_000, 123_456_789), (-5, 250_000_000)] {
            let time = Modified { seconds, nanoseconds };
            RealDisk.set_modified(directory.path(), time).unwrap();
            assert_eq!(RealDisk.stamp(directory.path()).unwrap().unwrap().modified, time);
        }
    }
}
