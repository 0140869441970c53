//! Opening a journal that another process has left: believing nothing, and finding what has arrived last.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use rustix::fs::{SealFlags, fcntl_get_seals, fstat};

use super::layout::{AHEAD, Layout, MAGIC, RESIZES, VERSION, snapshot, word, word_size};
use super::mapping::Words;
use super::writer::{UNWRITTEN, Writer};
use super::{Base, HEAD, Journal};

/// Positions beyond this are no positions: no terminal has written so much.
pub(super) const LAST_POSITION: u64 = 1 << 62;

/// Why a journal cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(in crate::live) enum OpenError {
    /// The system refuses.
    #[error("the journal cannot be read")]
    Io(#[from] io::Error),
    /// It is none, is one of another version, or somebody else has written into it.
    #[error("the journal is damaged: {0}")]
    Damaged(&'static str),
}

impl From<rustix::io::Errno> for OpenError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// Goes on with a journal where its last writer, however it ended, has stopped.
pub(super) fn open(file: OwnedFd) -> Result<(Arc<Journal>, Writer), OpenError> {
    let damaged = OpenError::Damaged;
    // Sealed, its length stays what it is: then nothing that is mapped can go away.
    if !fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK)) {
        return Err(damaged("it is not sealed"));
    }
    let length = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
    if length < HEAD {
        return Err(damaged("it is too short"));
    }
    let words = Words::map(file.as_fd(), HEAD as usize)?;
    if words.load(word::MAGIC) != MAGIC {
        return Err(damaged("it is no journal"));
    }
    if words.load(word::VERSION) != VERSION || words.load(word::RESIZES) != RESIZES {
        return Err(damaged("it is of another version"));
    }
    let [ring, kept, room] = [word::RING, word::KEPT, word::SNAPSHOT].map(|at| words.load(at));
    let layout = Layout::claimed(ring, kept, room)
        .filter(|layout| layout.file() == length)
        .ok_or(damaged("its parts do not fit"))?;
    word_size(words.load(word::FIRST_SIZE)).ok_or(damaged("its first size is none"))?;
    let [arrived, intent, floor] =
        [word::ARRIVED, word::INTENT, word::FLOOR].map(|at| words.load(at));
    let in_order = floor <= arrived && arrived <= intent && intent <= LAST_POSITION;
    if !in_order || intent - arrived > AHEAD || intent - floor > ring || floor % 4096 != 0 {
        return Err(damaged("its positions contradict each other"));
    }
    if words.load(word::RESIZED) > LAST_POSITION {
        return Err(damaged("it counts more sizes than there can be"));
    }
    let journal = Journal {
        file,
        words,
        layout,
        base: Mutex::new(Base::default()),
        unread: AtomicU64::new(u64::MAX),
    };
    let arrived = journal.last_arrived(arrived, intent)?;
    journal.words.store(word::ARRIVED, arrived);
    let base = journal.newest_snapshot(floor, arrived);
    *super::lock(&journal.base) = base;
    journal.settle_typing();
    let journal = Arc::new(journal);
    let writer = Writer::new(Arc::clone(&journal));
    Ok((journal, writer))
}

impl Journal {
    /// Where the stream really ends: a read may have been done and its writer killed before it could say so. What
    /// has not been read into is still as it was filled.
    fn last_arrived(&self, arrived: u64, intent: u64) -> io::Result<u64> {
        let mut ahead = vec![0; (intent - arrived) as usize];
        self.read(arrived, &mut ahead)?;
        let last = ahead.iter().rposition(|&byte| byte != UNWRITTEN);
        Ok(last.map_or(arrived, |last| arrived + last as u64 + 1))
    }

    /// From where the screen is to be rebuilt.
    fn newest_snapshot(&self, floor: u64, arrived: u64) -> Base {
        let resized = self.words.load(word::RESIZED);
        let sound = |which: &usize| {
            let field = |at| self.words.load(word::SNAPSHOTS[*which] + at);
            (1..LAST_POSITION).contains(&field(snapshot::GENERATION))
                && field(snapshot::LENGTH) <= self.layout.snapshot
                && (floor..=arrived).contains(&field(snapshot::POSITION))
                && field(snapshot::RESIZED) <= resized
                && word_size(field(snapshot::SIZE)).is_some()
        };
        let generation =
            |which: &usize| self.words.load(word::SNAPSHOTS[*which] + snapshot::GENERATION);
        match (0..2).filter(sound).max_by_key(generation) {
            Some(which) => {
                let field = |at| self.words.load(word::SNAPSHOTS[which] + at);
                let (position, resized) = (field(snapshot::POSITION), field(snapshot::RESIZED));
                Base { position, resized, newest: Some(which), generation: generation(&which) }
            }
            // A fresh journal, or one that has lost its snapshot: then what is left of the stream has to do.
            None => Base { position: floor, resized: 0, newest: None, generation: 0 },
        }
    }
}
