//! A disk in memory, which can be made of any state that a disk may be in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use super::{Access, Disk, DiskFile, Kind, Modified, Stamp, Times};

/// A disk in memory.
#[derive(Debug)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>, String);

/// What a disk holds: directories, and files by their inodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    pub(crate) directories: BTreeMap<PathBuf, BTreeMap<OsString, Entry>>,
    pub(crate) files: BTreeMap<u64, Vec<u8>>,
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    File(u64),
    Directory,
}

#[derive(Debug)]
struct State {
    image: Image,
    next_inode: u64,
    clock: i64,
    times: BTreeMap<Changed, Times>,
    /// Of how many nanoseconds the times of directories are that somebody sets.
    granularity: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Changed {
    File(u64),
    Directory(PathBuf),
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    inode: u64,
    access: Access,
}

impl Image {
    /// An empty directory, those above it, and nothing else.
    pub(crate) fn empty(directory: &Path) -> Self {
        let above = directory.ancestors().map(|path| (path.to_owned(), BTreeMap::new()));
        Self { directories: above.collect(), files: BTreeMap::new() }
    }

    /// The directory that `path` is in, and its name there.
    pub(crate) fn place<'a>(
        &mut self,
        path: &'a Path,
    ) -> io::Result<(&mut BTreeMap<OsString, Entry>, &'a OsStr)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Errno::INVAL.into());
        };
        let directory = self.directories.get_mut(parent).ok_or(Errno::NOENT)?;
        Ok((directory, name))
    }

    /// Lets two names change places, with everything below.
    pub(crate) fn exchange(&mut self, one: &Path, other: &Path) {
        let entries = [one, other].map(|path| self.at(path));
        for (path, entry) in [(one, entries[1]), (other, entries[0])] {
            let (directory, name) = self.place(path).unwrap();
            directory.insert(name.to_owned(), entry.unwrap());
        }
        self.move_directories(|path| match (path.strip_prefix(one), path.strip_prefix(other)) {
            (Ok(below), _) => Some(other.join(below)),
            (_, Ok(below)) => Some(one.join(below)),
            _ => None,
        });
    }

    /// Gives a directory another name, with everything below.
    pub(crate) fn rename_directory(&mut self, from: &Path, to: &Path) {
        let (directory, name) = self.place(from).unwrap();
        directory.remove(name);
        let (directory, name) = self.place(to).unwrap();
        directory.insert(name.to_owned(), Entry::Directory);
        self.move_directories(|path| Some(to.join(path.strip_prefix(from).ok()?)));
    }

    fn move_directories(&mut self, moved: impl Fn(&Path) -> Option<PathBuf>) {
        let directories = std::mem::take(&mut self.directories).into_iter();
        let moved = directories.map(|(path, names)| match moved(&path) {
            Some(to) => (plain(&to), names),
            None => (path, names),
        });
        self.directories = moved.collect();
    }

    /// Puts bytes at the end of a file, which is created when it is missing.
    pub(crate) fn append(&mut self, path: &Path, bytes: &[u8]) {
        let inode = match self.at(path) {
            Some(Entry::File(inode)) => inode,
            _ => self.next_inode(),
        };
        let (directory, name) = self.place(path).unwrap();
        directory.insert(name.to_owned(), Entry::File(inode));
        self.files.entry(inode).or_default().extend_from_slice(bytes);
    }

    /// Writes what is below a directory to the same place on the real disk.
    pub(crate) fn write_below(&self, root: &Path) {
        let below = self.directories.iter().filter(|(directory, _)| directory.starts_with(root));
        for (directory, names) in below {
            std::fs::create_dir_all(directory).unwrap();
            for (name, entry) in names {
                if let Entry::File(inode) = entry {
                    std::fs::write(directory.join(name), &self.files[inode]).unwrap();
                }
            }
        }
    }

    fn next_inode(&self) -> u64 {
        self.files.keys().last().map_or(1, |inode| inode + 1)
    }

    fn at(&mut self, path: &Path) -> Option<Entry> {
        if self.directories.contains_key(path) {
            return Some(Entry::Directory);
        }
        let (directory, name) = self.place(path).ok()?;
        directory.get(name).copied()
    }
}

impl MemoryDisk {
    /// A disk that holds this.
    pub(crate) fn new(image: Image) -> Arc<Self> {
        let next_inode = image.next_inode();
        let state = State { image, next_inode, clock: 0, times: BTreeMap::new(), granularity: 1 };
        // Each is another start of the machine.
        static STARTS: AtomicU64 = AtomicU64::new(0);
        let boot = format!("boot {}", STARTS.fetch_add(1, Ordering::Relaxed));
        Arc::new(Self(Arc::new(Mutex::new(state)), boot))
    }

    /// From now on keeps the times that are set only to so many nanoseconds.
    pub(crate) fn keep_times_to(&self, nanoseconds: i64) {
        self.state().granularity = nanoseconds;
    }

    /// What it holds now.
    pub(crate) fn image(&self) -> Image {
        self.state().image.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn file(&self, inode: u64, access: Access) -> Box<dyn DiskFile> {
        Box::new(MemoryFile { state: Arc::clone(&self.0), inode, access })
    }
}

impl State {
    /// Makes the time of change of something one that it never had.
    fn touch(&mut self, changed: Changed) {
        let now = self.now();
        self.times.insert(changed, Times { changed: now, modified: now });
    }

    fn now(&mut self) -> Modified {
        self.clock += 1;
        Modified { seconds: self.clock, nanoseconds: 0 }
    }

    fn touch_parent(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.touch(Changed::Directory(parent.to_owned()));
        }
    }

    fn stamp(&self, entry: Entry, path: &Path) -> Stamp {
        let (kind, inode, length, changed) = match entry {
            Entry::Directory => {
                let inode = crate::line::hash(path.as_os_str().as_encoded_bytes()) | 1 << 63;
                (Kind::Directory, inode, 0, Changed::Directory(path.to_owned()))
            }
            Entry::File(inode) => {
                let length = self.image.files[&inode].len() as u64;
                (Kind::File, inode, length, Changed::File(inode))
            }
        };
        let unchanged = Modified { seconds: 0, nanoseconds: 0 };
        let unchanged = Times { changed: unchanged, modified: unchanged };
        let Times { changed, modified } = self.times.get(&changed).copied().unwrap_or(unchanged);
        Stamp { kind, device: 0, inode, length, modified, changed }
    }

    fn new_entry(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        if self.image.at(path).is_some() {
            return Err(Errno::EXIST.into());
        }
        let (directory, name) = self.image.place(path)?;
        directory.insert(name.to_owned(), entry);
        self.touch_parent(path);
        Ok(())
    }

    /// Lets directories keep their times that go from one path to another, with those below.
    fn move_times(&mut self, moves: &[(&Path, &Path)]) {
        let times = std::mem::take(&mut self.times).into_iter();
        let moved = times.map(|(changed, time)| match changed {
            Changed::Directory(path) => {
                let moved = |(from, to): &(&Path, &Path)| {
                    Some(plain(&to.join(path.strip_prefix(from).ok()?)))
                };
                let path = moves.iter().find_map(moved).unwrap_or(path);
                (Changed::Directory(path), time)
            }
            file @ Changed::File(_) => (file, time),
        });
        self.times = moved.collect();
    }

    fn take_entry(&mut self, path: &Path) -> io::Result<Entry> {
        let (directory, name) = self.image.place(path)?;
        let entry = directory.remove(name).ok_or(Errno::NOENT)?;
        self.touch_parent(path);
        Ok(entry)
    }
}

/// Without the `.` at the end by which links are followed: there are none.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

impl Disk for MemoryDisk {
    fn stamp(&self, path: &Path) -> io::Result<Option<Stamp>> {
        let (mut state, path) = (self.state(), plain(path));
        let entry = state.image.at(&path);
        Ok(entry.map(|entry| state.stamp(entry, &path)))
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let state = self.state();
        let names = state.image.directories.get(directory).ok_or(Errno::NOENT)?;
        Ok(names.keys().cloned().collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        match self.state().image.at(path).ok_or(Errno::NOENT)? {
            Entry::File(inode) => Ok(self.file(inode, access)),
            Entry::Directory => Err(Errno::ISDIR.into()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let inode = state.next_inode;
        state.new_entry(path, Entry::File(inode))?;
        state.image.files.insert(inode, Vec::new());
        state.next_inode += 1;
        state.touch(Changed::File(inode));
        Ok(self.file(inode, Access::Append))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let moved = state.image.at(from).ok_or(Errno::NOENT)?;
        match (moved, state.image.at(to)) {
            (Entry::File(_), Some(Entry::Directory)) => return Err(Errno::ISDIR.into()),
            (Entry::Directory, Some(Entry::File(_))) => return Err(Errno::NOTDIR.into()),
            (Entry::Directory, Some(Entry::Directory)) => return Err(Errno::NOTEMPTY.into()),
            (Entry::Directory, None) => {
                state.image.place(to)?;
                state.image.rename_directory(from, to);
                state.move_times(&[(from, to)]);
            }
            (Entry::File(_), _) => {
                state.image.place(to)?;
                let entry = state.take_entry(from)?;
                let (directory, name) = state.image.place(to)?;
                directory.insert(name.to_owned(), entry);
            }
        }
        state.touch_parent(from);
        state.touch_parent(to);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().take_entry(path).map(drop)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.new_entry(path, Entry::Directory)?;
        state.image.directories.insert(path.to_owned(), BTreeMap::new());
        state.touch(Changed::Directory(path.to_owned()));
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.state().image.directories.get(path).map(drop).ok_or_else(|| Errno::NOENT.into())
    }

    fn set_modified(&self, directory: &Path, to: Modified) -> io::Result<()> {
        self.sync_directory(directory)?;
        let mut state = self.state();
        let total = to.seconds * 1_000_000_000 + i64::from(to.nanoseconds);
        let kept = total - total.rem_euclid(state.granularity);
        let modified = Modified {
            seconds: kept.div_euclid(1_000_000_000),
            nanoseconds: u32::try_from(kept.rem_euclid(1_000_000_000)).unwrap(),
        };
        let changed = state.now();
        let times = Times { changed, modified };
        state.times.insert(Changed::Directory(directory.to_owned()), times);
        Ok(())
    }

    fn sync_below(&self, directory: &Path) -> io::Result<()> {
        self.sync_directory(directory)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let entry = state.image.at(from).ok_or(Errno::NOENT)?;
        state.new_entry(to, entry)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.image.at(one).is_none() || state.image.at(other).is_none() {
            return Err(Errno::NOENT.into());
        }
        state.image.exchange(one, other);
        state.move_times(&[(one, other), (other, one)]);
        state.touch_parent(one);
        state.touch_parent(other);
        Ok(())
    }

    fn copy_mode(&self, from: &Path, to: &Path) -> io::Result<()> {
        // Files in memory have no modes.
        let mut state = self.state();
        let are_there = [from, to].map(|path| state.image.at(path).is_some());
        if are_there == [true; 2] { Ok(()) } else { Err(Errno::NOENT.into()) }
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.image.directories.get(path) {
            None => return Err(Errno::NOENT.into()),
            Some(names) if !names.is_empty() => return Err(Errno::NOTEMPTY.into()),
            Some(_) => {}
        }
        state.image.directories.remove(path);
        state.take_entry(path).map(drop)
    }

    fn boot(&self) -> Option<&str> {
        Some(&self.1)
    }
}

impl MemoryFile {
    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        if self.access != Access::Append {
            return Err(Errno::BADF.into());
        }
        let mut state = self.state.lock().unwrap();
        change(state.image.files.get_mut(&self.inode).ok_or(Errno::IO)?);
        state.touch(Changed::File(self.inode));
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn stamp(&self) -> io::Result<Stamp> {
        Ok(self.state.lock().unwrap().stamp(Entry::File(self.inode), Path::new("")))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.access != Access::Read {
            return Err(Errno::BADF.into());
        }
        let state = self.state.lock().unwrap();
        let bytes = &state.image.files[&self.inode];
        let begin = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
        let length = buffer.len().min(bytes.len() - begin);
        buffer[..length].copy_from_slice(&bytes[begin..begin + length]);
        Ok(length)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.change(|file| file.extend_from_slice(bytes))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(|file| file.resize(usize::try_from(length).unwrap(), 0))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
