//! The files of all sessions in one directory, each read again only when it has changed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_core::{Damage, Session, SessionId, StoreError};

use crate::error::ReadError;
use crate::file::{self, AppendError, Stamp};
use crate::line::{self, Lines, Raw};
use crate::replay::{Outcome, Replay, Spot};

/// The directory of a store.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    cache: Mutex<BTreeMap<SessionId, Arc<Loaded>>>,
}

/// The file of one session as it was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    path: PathBuf,
    stamp: Stamp,
    replay: Replay,
}

impl Directory {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, cache: Mutex::new(BTreeMap::new()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a session; `None` when there is none.
    ///
    /// # Errors
    /// `NotAFile`; what the operating system reports. Damage inside the file is no error here.
    pub(crate) fn load(&self, id: SessionId) -> Result<Option<Arc<Loaded>>, ReadError> {
        let path = self.file_of(id);
        let Some(stamp) = file::stamp(&path)? else { return Ok(None) };
        let known = self.cache().get(&id).cloned();
        if let Some(known) = &known
            && known.stamp == stamp
        {
            return Ok(Some(Arc::clone(known)));
        }
        let loaded = match read(&path, id, known.as_deref()) {
            // It was there a moment ago: a creation that failed took its file back.
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            loaded => Arc::new(loaded?),
        };
        // A torn end can be replaced by other bytes of the same number at the same time; whole lines are final.
        if loaded.is_settled() {
            self.cache().insert(id, Arc::clone(&loaded));
        }
        Ok(Some(loaded))
    }

    /// The files of all sessions, by id.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn load_all(&self) -> Result<Vec<Result<Arc<Loaded>, ReadError>>, ReadError> {
        let ids = self.ids().map_err(|error| ReadError::io("listing", &self.path, error))?;
        self.cache().retain(|id, _| ids.binary_search(id).is_ok());
        Ok(ids.into_iter().filter_map(|id| self.load(id).transpose()).collect())
    }

    /// The files of all sessions that can be read, by id.
    ///
    /// # Errors
    /// When the operating system refuses to read one: what it holds, a name for example, is not known then.
    pub(crate) fn load_readable(&self) -> Result<Vec<Arc<Loaded>>, ReadError> {
        let mut readable = Vec::new();
        for loaded in self.load_all()? {
            match loaded {
                Ok(loaded) => readable.push(loaded),
                Err(error) if error.is_io() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(readable)
    }

    /// Appends the session's present state to its file, which stands as `before` says and is created without.
    ///
    /// Only for the holder of the writer lock.
    ///
    /// # Errors
    /// `Unsupported` for a session that is too large; what the operating system reports.
    pub(crate) fn put(
        &self,
        session: &Session,
        before: Option<&Loaded>,
    ) -> Result<(), AppendError> {
        let id = session.id();
        let path = self.file_of(id);
        let line = line::session(session).map_err(|error| AppendError { error, touched: false })?;
        // What an unfinished creation left is written anew, its header included.
        let mut replay = match before {
            Some(before) if before.readable().is_some() => before.replay.clone(),
            _ => Replay::new(id),
        };
        let whole = replay.whole();
        let bytes = if whole == 0 { line::header(id) + &line } else { line };
        let stamp = match before {
            None => file::create(&path, bytes.as_bytes())?,
            Some(_) => file::append(&path, whole, bytes.as_bytes())?,
        };
        // Whatever was begun behind the last whole line has been cut off.
        replay.forget_begun();
        // What was written is known without reading it; should it not be what a reader would make of it, the
        // next reader finds out, as nothing is kept then.
        let loaded = replay_lines(replay, &mut Lines::new(bytes.as_bytes(), whole))
            .map(|replay| Loaded { path, stamp, replay });
        match loaded {
            Ok(loaded) if loaded.is_settled() => self.cache().insert(id, Arc::new(loaded)),
            _ => self.cache().remove(&id),
        };
        Ok(())
    }

    /// The ids in the names of the directory's files, sorted. Anything with another name is not ours.
    fn ids(&self) -> io::Result<Vec<SessionId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
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

    fn file_of(&self, id: SessionId) -> PathBuf {
        self.path.join(format!("{id}.jsonl"))
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Loaded>>> {
        // Each entry is checked against its file before it is used, so a panic elsewhere does no harm.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// The session's present state; `None` when its creation was never finished.
    ///
    /// # Errors
    /// `Damaged` or `Newer`.
    pub(crate) fn session(&self) -> Result<Option<&Session>, ReadError> {
        match self.replay.outcome() {
            Outcome::Session(session) => Ok(Some(session)),
            Outcome::Nothing => Ok(None),
            Outcome::Damaged(spot) => Err(ReadError::Damaged(self.damage_at(spot))),
            Outcome::Newer(found) => Err(ReadError::Newer { path: self.path.clone(), found }),
        }
    }

    /// The session's present state, if it can be read.
    pub(crate) fn readable(&self) -> Option<&Session> {
        self.session().ok().flatten()
    }

    /// Everything in the file that cannot be read.
    pub(crate) fn damage(&self) -> Vec<Damage> {
        let spots: Vec<_> =
            self.replay.spots().into_iter().map(|spot| self.damage_at(spot)).collect();
        match self.session() {
            Err(error) if spots.is_empty() => vec![error.into_damage()],
            _ => spots,
        }
    }

    fn damage_at(&self, spot: Spot) -> Damage {
        let place = format!("{}: byte {}", self.path.display(), spot.offset);
        Damage { place, reason: spot.reason }
    }

    fn is_settled(&self) -> bool {
        self.replay.whole() == self.stamp.length
    }
}

/// How often a file is read again that changed in another way than by growing.
const ATTEMPTS: u32 = 4;

fn read(path: &Path, id: SessionId, known: Option<&Loaded>) -> Result<Loaded, ReadError> {
    let fail = |error| ReadError::io("reading", path, error);
    let mut attempt = 1;
    loop {
        let mut file = file::open_regular(path, OpenOptions::new().read(true))?;
        let stamp = Stamp::of(&file.metadata().map_err(fail)?);
        let replay = read_once(&mut file, stamp, id, known).map_err(fail)?;
        // A writer may have cut off a torn end while this read it, so that two halves met. Growing does no harm.
        let changed = Stamp::of(&file.metadata().map_err(fail)?) != stamp;
        if !changed || replay.spots().is_empty() || attempt == ATTEMPTS {
            return Ok(Loaded { path: path.to_owned(), stamp, replay });
        }
        attempt += 1;
    }
}

fn read_once(
    file: &mut File,
    stamp: Stamp,
    id: SessionId,
    known: Option<&Loaded>,
) -> io::Result<Replay> {
    let begin = match known {
        Some(known) if continues(file, stamp, known)? => known.replay.clone(),
        _ => Replay::new(id),
    };
    let whole = begin.whole();
    file.seek(SeekFrom::Start(whole))?;
    let rest = BufReader::new(file.take(stamp.length.saturating_sub(whole)));
    replay_lines(begin, &mut Lines::new(rest, whole))
}

/// Whether the file only grew since it was read: its last whole line stands where it stood.
fn continues(file: &mut File, stamp: Stamp, known: &Loaded) -> io::Result<bool> {
    let (whole, anchor) = (known.replay.whole(), known.replay.anchor());
    let Some(anchor) = anchor else { return Ok(false) };
    if !stamp.is_same_file(&known.stamp) || stamp.length <= whole {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(anchor.offset))?;
    let line = BufReader::new(file.take(whole - anchor.offset));
    Ok(
        matches!(Lines::new(line, anchor.offset).read()?, Some((Raw::Line(line), _)) if anchor.is(line)),
    )
}

fn replay_lines<R: BufRead>(mut replay: Replay, lines: &mut Lines<R>) -> io::Result<Replay> {
    while !replay.is_newer() {
        let offset = lines.offset();
        let Some((raw, end)) = lines.read()? else { break };
        replay.push(raw, offset, end);
    }
    Ok(replay)
}

impl From<AppendError> for StoreError {
    fn from(failed: AppendError) -> Self {
        failed.error
    }
}
