//! The files of all sessions in one directory, each read again only when it has changed, and then only its end.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_core::{Damage, Session, SessionId, StoreError};

use crate::disk::{Access, Disk, DiskFile, Stamp, Times};
use crate::error::ReadError;
use crate::lines::{Lines, Raw};
use crate::pending::{self, Found, Overlaid, Pending};
use crate::recent::Recent;
use crate::replay::{Anchor, Outcome, Replay, Spot};
use crate::tombs::{self, Tombs};
use crate::{file, tail};

/// How many files are remembered as they were read.
const REMEMBERED: usize = 1 << 14;

/// How many sessions' latest records are remembered.
const APPENDED_TO: usize = 64;

/// How many files are left open that were appended to.
const OPEN: usize = 16;

/// So much is read of what others appended; of more, only the end is.
const CATCH_UP: u64 = 4 << 20;

/// The directory of a store.
#[derive(Debug)]
pub(crate) struct Directory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    files: Mutex<BTreeMap<SessionId, Arc<Loaded>>>,
    recent: Mutex<BTreeMap<SessionId, Recent>>,
    /// Files that were appended to, the last one last.
    open: Mutex<Vec<(SessionId, Box<dyn DiskFile>)>>,
    tombs: Mutex<Arc<Tombs>>,
    pending: Mutex<Found>,
    /// As it was when this handle had last written, with `tombs` and `pending` as they are remembered.
    left: Mutex<Option<Stamp>>,
    /// As it is, as far as the holder of the lock knows without looking again.
    seen: Mutex<Option<Stamp>>,
}

/// The directory as one call sees it: what was destroyed and what is being changed when the call begins.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) tombs: Arc<Tombs>,
    pub(crate) pending: Option<Arc<Pending>>,
    /// Whether there is a file for what is pending, complete or not.
    pub(crate) has_pending: bool,
    /// Whether nobody can have written since this handle did.
    is_as_left: bool,
}

/// The file of one session as it was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
    replay: Replay,
}

/// A file, and what it was when it was opened.
type Opened = (Box<dyn DiskFile>, Stamp);

impl Directory {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self {
            disk,
            path,
            files: Mutex::default(),
            recent: Mutex::default(),
            open: Mutex::default(),
            tombs: Mutex::default(),
            pending: Mutex::default(),
            left: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory as it is now.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn view(&self) -> Result<View<'_>, ReadError> {
        let (pending, has_pending) = {
            let mut known = lock(&self.pending);
            *known = pending::read(self.disk(), &self.path, &known)?;
            (known.pending.clone(), known.stamp.is_some())
        };
        let tombs = {
            let mut known = lock(&self.tombs);
            *known = tombs::read(self.disk(), &self.path, &known)?;
            Arc::clone(&known)
        };
        Ok(View { directory: self, tombs, pending, has_pending, is_as_left: false })
    }

    /// The directory as it is now, for the holder of the lock.
    ///
    /// Every writer gives the directory another time before it touches any file, and so does who gives a name in it or
    /// takes one. While it has the time that this handle gave it last, everything is as this handle left it. `said` is
    /// when it was changed as the last holder of the lock says: one who cannot give it a time says nothing.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn view_to_write(&self, said: Option<Times>) -> Result<View<'_>, ReadError> {
        let left = *lock(&self.left);
        let stamp = self.stamp()?;
        self.see(stamp);
        if left.is_none() || left != stamp || said != stamp.map(|stamp| stamp.times()) {
            return self.view();
        }
        let pending = lock(&self.pending).clone();
        Ok(View {
            directory: self,
            tombs: Arc::clone(&lock(&self.tombs)),
            pending: pending.pending,
            has_pending: pending.stamp.is_some(),
            is_as_left: true,
        })
    }

    /// The directory as the holder of the lock has left it, if it is known.
    pub(crate) fn seen(&self) -> Option<Stamp> {
        *lock(&self.seen)
    }

    /// Remembers how the directory is, or that nobody knows.
    pub(crate) fn see(&self, stamp: Option<Stamp>) {
        *lock(&self.seen) = stamp;
    }

    /// Remembers that neither `tombs` nor `pending` were touched by what gave the directory this time, under the lock.
    pub(crate) fn leave(&self, stamp: Stamp) {
        *lock(&self.left) = Some(stamp);
    }

    /// Forgets what was pending, as it was struck out.
    pub(crate) fn forget_pending(&self) {
        *lock(&self.pending) = Found::default();
    }

    /// The state of the directory itself; `None` when it is gone.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>, ReadError> {
        let stamp = file::directory(self.disk(), &self.path);
        stamp.map_err(|error| ReadError::io("looking at a directory", &self.path, error))
    }

    /// The ids in the names of the directory's files, sorted. Anything with another name is no session's.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn ids(&self) -> Result<Vec<SessionId>, ReadError> {
        let fail = |error| ReadError::io("listing", &self.path, error);
        let mut ids = Vec::new();
        for name in self.disk.names(&self.path).map_err(fail)? {
            let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            // Ids are read in either case, files are named in upper case only.
            ids.extend(
                stem.and_then(|stem| {
                    SessionId::parse(stem).ok().filter(|id| id.to_string() == stem)
                }),
            );
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Where the file of a session is.
    pub(crate) fn file_of(&self, id: SessionId) -> PathBuf {
        self.path.join(format!("{id}.jsonl"))
    }

    /// Remembers a file as this process has written it.
    pub(crate) fn remember(&self, id: SessionId, loaded: Loaded) {
        let mut files = lock(&self.files);
        if files.len() >= REMEMBERED {
            files.clear();
        }
        files.insert(id, Arc::new(loaded));
    }

    /// Forgets a file that is not what it was.
    pub(crate) fn forget(&self, id: SessionId) {
        lock(&self.files).remove(&id);
        lock(&self.recent).remove(&id);
        drop(self.take_open(id));
    }

    /// The file of a session that was left open, which may have lost its name since.
    pub(crate) fn take_open(&self, id: SessionId) -> Option<Box<dyn DiskFile>> {
        let mut open = lock(&self.open);
        let at = open.iter().position(|(known, _)| *known == id)?;
        Some(open.remove(at).1)
    }

    /// Leaves the file of a session open, as the next one who appends may want the same.
    pub(crate) fn leave_open(&self, id: SessionId, file: Box<dyn DiskFile>) {
        let mut open = lock(&self.open);
        if open.len() == OPEN {
            open.remove(0);
        }
        open.push((id, file));
    }

    /// Forgets everything, as the whole content was replaced.
    pub(crate) fn forget_all(&self) {
        lock(&self.files).clear();
        lock(&self.recent).clear();
        lock(&self.open).clear();
        *lock(&self.left) = None;
        self.see(None);
        *lock(&self.tombs) = Arc::default();
        *lock(&self.pending) = Found::default();
    }

    /// The latest records of a session as they are remembered, which are taken out of the memory.
    pub(crate) fn take_recent(&self, id: SessionId) -> Option<Recent> {
        lock(&self.recent).remove(&id)
    }

    /// Remembers the latest records of a session.
    pub(crate) fn put_recent(&self, id: SessionId, recent: Recent) {
        let mut all = lock(&self.recent);
        if all.len() >= APPENDED_TO {
            all.clear();
        }
        all.insert(id, recent);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything in them is checked against the files before it is used, so a panic elsewhere does no harm.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl View<'_> {
    /// The file of a session; `None` when there is none.
    ///
    /// # Errors
    /// `NotAFile`; what the disk reports. Damage inside the file is no error here.
    pub(crate) fn load(&self, id: SessionId) -> Result<Option<Arc<Loaded>>, ReadError> {
        let directory = self.directory;
        if self.tombs.by_id.contains_key(&id) {
            return Ok(None);
        }
        let path = directory.file_of(id);
        if self.is_pending(id) {
            let Some((file, stamp)) = self.open(id)? else { return Ok(None) };
            let replay = tail::read(&*file, id, stamp.length)
                .map_err(|error| ReadError::io("reading", &path, error))?;
            return Ok(Some(Arc::new(Loaded { path, stamp, replay })));
        }
        let known = lock(&directory.files).get(&id).cloned();
        if let Some(known) = known.as_ref().filter(|known| self.is_unchanged(id, known)) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(stamp) = file::stamp(directory.disk(), &path)? else { return Ok(None) };
        if let Some(known) = &known
            && known.stamp == stamp
        {
            return Ok(Some(Arc::clone(known)));
        }
        let loaded = match read(directory.disk(), &path, id, known.as_deref()) {
            // It was there a moment ago: a creation that failed took its file back.
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            loaded => loaded?,
        };
        // A torn end can be replaced by other bytes of the same number at the same time; whole lines are final.
        if !loaded.is_settled() {
            return Ok(Some(Arc::new(loaded)));
        }
        let loaded = Arc::new(loaded);
        let mut files = lock(&directory.files);
        if files.len() >= REMEMBERED {
            files.clear();
        }
        files.insert(id, Arc::clone(&loaded));
        Ok(Some(loaded))
    }

    /// Whether a file that was left open is as it is known, and still has its name.
    fn is_unchanged(&self, id: SessionId, known: &Loaded) -> bool {
        let open = lock(&self.directory.open);
        let file = open.iter().find(|(opened, _)| self.is_as_left && *opened == id);
        file.is_some_and(|(_, file)| file.stamp().is_ok_and(|stamp| stamp == known.stamp))
    }

    /// The file of a session and its present state.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` or `NewerVersion` when it cannot be read; what the disk reports.
    pub(crate) fn stored(&self, id: SessionId) -> Result<(Arc<Loaded>, Arc<Session>), StoreError> {
        let not_found = || StoreError::NotFound { selector: id.to_string() };
        let loaded = self.load(id)?.ok_or_else(not_found)?;
        let session = loaded.session()?.map(Arc::clone).ok_or_else(not_found)?;
        Ok((loaded, session))
    }

    /// Opens the file of a session to read it as far as it was loaded; `None` when it is gone or another one.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn open_loaded(
        &self,
        id: SessionId,
        loaded: &Loaded,
    ) -> Result<Option<Box<dyn DiskFile>>, ReadError> {
        let opened = self.open(id)?;
        let is_same =
            |stamp: &Stamp| stamp.is_same_file(&loaded.stamp) && stamp.length >= loaded.whole();
        Ok(opened.filter(|(_, stamp)| is_same(stamp)).map(|(file, _)| file))
    }

    /// Whether the session's file is part of a change that is being made.
    pub(crate) fn is_pending(&self, id: SessionId) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.appends.contains_key(&id))
    }

    /// Opens the file of a session as it counts, with what is pending; `None` when there is none.
    fn open(&self, id: SessionId) -> Result<Option<Opened>, ReadError> {
        let path = self.directory.file_of(id);
        let opened = match file::open_regular(self.directory.disk(), &path, Access::Read) {
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        let Some(append) = self.pending.as_ref().and_then(|pending| pending.appends.get(&id))
        else {
            return Ok(opened);
        };
        if append.obstacle_in(opened.as_ref().map(|(_, stamp)| stamp)).is_some() {
            // The next writer keeps it aside.
            return Ok(opened);
        }
        let (below, stamp) =
            opened.map_or((None, Stamp::NOTHING), |(file, stamp)| (Some(file), stamp));
        let overlaid = Overlaid::new(below, append.clone(), stamp);
        let stamp = overlaid.stamp().map_err(|error| ReadError::io("reading", &path, error))?;
        Ok(Some((Box::new(overlaid), stamp)))
    }
}

impl Loaded {
    /// A file that ends with a whole batch.
    pub(crate) const fn new(path: PathBuf, stamp: Stamp, replay: Replay) -> Self {
        Self { path, stamp, replay }
    }

    /// The session's present state; `None` when its creation was never finished.
    ///
    /// # Errors
    /// `Damaged` or `Newer`.
    pub(crate) fn session(&self) -> Result<Option<&Arc<Session>>, ReadError> {
        match self.replay.outcome() {
            Outcome::Session(session) => Ok(Some(session)),
            Outcome::Nothing => Ok(None),
            Outcome::Damaged(spot) => Err(ReadError::Damaged(self.damage_at(&spot))),
            Outcome::Newer(found) => Err(ReadError::Newer { path: self.path.clone(), found }),
        }
    }

    /// The session's present state, if it can be read.
    pub(crate) fn readable(&self) -> Option<&Arc<Session>> {
        self.session().ok().flatten()
    }

    /// The end of the last whole batch.
    pub(crate) const fn whole(&self) -> u64 {
        self.replay.whole()
    }

    /// The last line of that batch.
    pub(crate) const fn anchor(&self) -> Option<Anchor> {
        self.replay.anchor()
    }

    pub(crate) const fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Everything in what was read of the file that cannot be read.
    pub(crate) fn damage(&self) -> Vec<Damage> {
        let spots: Vec<_> = self.replay.spots().iter().map(|spot| self.damage_at(spot)).collect();
        match self.session() {
            Err(error) if spots.is_empty() => vec![error.into_damage()],
            _ => spots,
        }
    }

    /// A spot of this file, for people.
    pub(crate) fn damage_at(&self, spot: &Spot) -> Damage {
        spot.in_file(&self.path)
    }

    /// Whether the file ends with a whole batch.
    pub(crate) fn is_settled(&self) -> bool {
        self.replay.whole() == self.stamp.length
    }
}

/// How often a file is read again that changed in another way than by growing.
const ATTEMPTS: u32 = 4;

fn read(
    disk: &dyn Disk,
    path: &Path,
    id: SessionId,
    known: Option<&Loaded>,
) -> Result<Loaded, ReadError> {
    let fail = |error| ReadError::io("reading", path, error);
    let mut attempt = 1;
    loop {
        let (file, stamp) = file::open_regular(disk, path, Access::Read)?;
        let replay = match known {
            Some(known) if continues(&*file, stamp, known).map_err(fail)? => {
                let begin = known.replay.clone().without_tail();
                let mut lines = Lines::new(&*file, begin.whole()..stamp.length);
                tail::replayed(begin, &mut lines)
            }
            _ => tail::read(&*file, id, stamp.length),
        };
        let replay = replay.map_err(fail)?;
        // A writer may have cut off a torn end while this read it, so that two halves met. Growing does no harm.
        let changed = file.stamp().map_err(fail)? != stamp;
        if !changed || replay.spots().is_empty() || attempt == ATTEMPTS {
            return Ok(Loaded { path: path.to_owned(), stamp, replay });
        }
        attempt += 1;
    }
}

/// Whether the file only grew since it was read, and not by much: its last whole line stands where it stood.
fn continues(file: &dyn DiskFile, stamp: Stamp, known: &Loaded) -> io::Result<bool> {
    let whole = known.whole();
    let Some(anchor) = known.anchor() else { return Ok(false) };
    let grew = whole < stamp.length && stamp.length - whole <= CATCH_UP;
    if !stamp.is_same_file(&known.stamp) || !grew {
        return Ok(false);
    }
    let mut line = Lines::new(file, anchor.offset..whole);
    Ok(matches!(line.next()?, Some((Raw::Line(line), _)) if anchor.is(line)))
}
