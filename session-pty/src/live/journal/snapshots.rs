//! Snapshots of the screen in a journal, and the memory that they make dispensable.

use std::io;
use std::sync::atomic::Ordering;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{pwrite, retry_on_intr};
use session_core::TerminalSize;

use super::layout::{snapshot, word, word_size};
use super::{Base, Journal, lock, size_word};

/// What a screen is rebuilt from.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::live) struct Start {
    /// The first byte of the stream that is not in it.
    pub(in crate::live) position: u64,
    /// How many sizes are.
    pub(in crate::live) resized: u64,
    /// Of the screen then.
    pub(in crate::live) size: TerminalSize,
    /// Terminal bytes that paint it, the beginning of an unfinished sequence behind them; none for an empty one.
    pub(in crate::live) screen: Vec<u8>,
}

impl Journal {
    /// The most that a snapshot may have.
    pub(in crate::live) const fn snapshot_room(&self) -> u64 {
        self.layout.snapshot
    }

    /// The newest snapshot, or the empty screen before the first byte.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::live) fn start(&self) -> io::Result<Start> {
        let base = lock(&self.base);
        let Base { position, resized, .. } = *base;
        let Some(which) = base.newest else {
            return Ok(Start { position, resized, size: self.first_size(), screen: Vec::new() });
        };
        let field = |at| self.words.load(word::SNAPSHOTS[which] + at);
        let room = field(snapshot::LENGTH).min(self.layout.snapshot);
        let mut screen = vec![0; usize::try_from(room).map_err(io::Error::other)?];
        self.read_file(self.layout.snapshot_start(which), &mut screen)?;
        let size = word_size(field(snapshot::SIZE)).unwrap_or_else(|| self.first_size());
        Ok(Start { position, resized, size, screen })
    }

    /// An empty screen of the present size, where what it showed is lost.
    pub(in crate::live) fn blank(&self, position: u64) -> Start {
        let resized = self.words.load(word::RESIZED);
        Start { position, resized, size: self.last_size(), screen: Vec::new() }
    }

    /// How much of the stream has come since the newest snapshot, up to `position`.
    pub(in crate::live) fn since_snapshot(&self, position: u64) -> u64 {
        position.saturating_sub(lock(&self.base).position)
    }

    /// Whether the snapshot in force is the one that would be taken there.
    pub(in crate::live) fn has_snapshot(&self, position: u64, resized: u64) -> bool {
        let base = lock(&self.base);
        (base.position, base.resized) == (position, resized)
    }

    /// Whether so much came since the last snapshot that it is time for the next, though output keeps coming.
    pub(in crate::live) fn wants_snapshot(&self, position: u64) -> bool {
        self.since_snapshot(position) >= self.layout.ring / 3 * 2
    }

    /// Keeps a snapshot. The one before it counts until this one is whole. For whoever holds the parser alone.
    ///
    /// # Errors
    /// When there is no memory for it, or when it is larger than there is room.
    pub(in crate::live) fn keep_snapshot(&self, start: &Start) -> io::Result<()> {
        if start.screen.len() as u64 > self.layout.snapshot {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let old = *lock(&self.base);
        let which = old.newest.map_or(0, |newest| 1 - newest);
        let fields = word::SNAPSHOTS[which];
        self.words.store(fields + snapshot::GENERATION, 0);
        let written = self.write_file(self.layout.snapshot_start(which), &start.screen);
        if written.is_err() {
            self.give_back(self.layout.snapshot_start(which), self.layout.snapshot);
            return written;
        }
        self.words.store(fields + snapshot::POSITION, start.position);
        self.words.store(fields + snapshot::LENGTH, start.screen.len() as u64);
        self.words.store(fields + snapshot::SIZE, size_word(start.size));
        self.words.store(fields + snapshot::RESIZED, start.resized);
        self.words.store(fields + snapshot::GENERATION, old.generation + 1);
        *lock(&self.base) = Base {
            position: start.position,
            resized: start.resized,
            newest: Some(which),
            generation: old.generation + 1,
        };
        if let Some(old) = old.newest {
            self.words.store(word::SNAPSHOTS[old] + snapshot::GENERATION, 0);
            self.give_back(self.layout.snapshot_start(old), self.layout.snapshot);
        }
        Ok(())
    }

    pub(super) fn write_file(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let len = retry_on_intr(|| pwrite(&self.file, bytes, offset))?;
            offset += len as u64;
            bytes = &bytes[len..];
        }
        Ok(())
    }

    /// How much memory holds output that nobody can ask for any more.
    pub(in crate::live) fn excess(&self) -> u64 {
        self.written().saturating_sub(self.layout.kept).saturating_sub(self.floor())
    }

    /// Whether giving it back needs a newer snapshot.
    pub(in crate::live) fn excess_is_needed(&self) -> bool {
        lock(&self.base).position < self.written().saturating_sub(self.layout.kept)
    }

    /// Gives back the memory of output that is neither kept nor needed to rebuild the screen.
    pub(in crate::live) fn trim(&self) {
        // Held throughout: the writer must not use again what is about to go.
        let base = lock(&self.base);
        let unread = self.unread.load(Ordering::Acquire);
        let dispensable =
            self.written().saturating_sub(self.layout.kept).min(base.position).min(unread);
        let (from, until) = (self.floor(), dispensable / 4096 * 4096);
        if until <= from {
            return;
        }
        self.words.store(word::FLOOR, until);
        let first = (until - from).min(self.layout.contiguous(from));
        self.give_back(self.layout.ring_start() + self.layout.place(from), first);
        self.give_back(self.layout.ring_start(), until - from - first);
    }

    fn give_back(&self, offset: u64, length: u64) {
        if length == 0 {
            return;
        }
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // Memory that stays is no harm.
        let _stays = retry_on_intr(|| fallocate(&self.file, punch, offset, length));
    }
}
