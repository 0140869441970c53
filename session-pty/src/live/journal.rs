//! The output that a session keeps: in memory that outlives this process, for whoever holds its file.
//!
//! One ring with the newest output, one table with the sizes that the terminal had, and the newest snapshot of the
//! screen: from these a new process rebuilds everything. A table of typists says how much of what they typed has arrived. `JOURNAL.md` has the format. One thread writes, through a
//! [`Writer`]; everybody else reads the file.

mod layout;
mod mapping;
mod recovery;
mod snapshots;
mod stage;
mod typists;
mod writer;

#[cfg(test)]
mod damage;
#[cfg(test)]
mod kills;
#[cfg(test)]
pub(super) mod tests;

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::{pread, retry_on_intr};
use session_core::TerminalSize;

use super::lock;
use layout::{HEAD, Layout, RESIZES, size_word, word, word_size};
use mapping::Words;

pub(super) use recovery::OpenError;
pub(super) use snapshots::Start;
pub(super) use stage::Stage;
pub(super) use typists::Account;
pub(super) use writer::Writer;

/// How far the emulator may fall behind before the program has to wait for it: rather that than unbounded memory.
const LAG: u64 = 12 << 20;

/// Room for a snapshot. It costs what is written into it; history that does not fit is left out.
const SNAPSHOT: u64 = 32 << 20;

/// The last bytes of a program's output, and what is needed to rebuild its screen.
#[derive(Debug)]
pub(super) struct Journal {
    file: OwnedFd,
    words: Words,
    layout: Layout,
    /// Held by whoever takes memory for the ring or gives it back.
    base: Mutex<Base>,
    /// The first byte that a viewer is still to be sent; the largest number while none is behind.
    unread: AtomicU64,
}

/// From where the screen can be rebuilt; nothing behind it is written over or given back.
#[derive(Clone, Copy, Debug, Default)]
struct Base {
    position: u64,
    /// Sizes that were taken in before it.
    resized: u64,
    /// The snapshot in force.
    newest: Option<usize>,
    generation: u64,
}

impl Journal {
    /// An empty journal that keeps the last `kept` bytes.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn create(kept: usize, size: TerminalSize) -> io::Result<(Arc<Self>, Writer)> {
        Self::with_layout(Layout::new(kept, LAG, SNAPSHOT), size)
    }

    fn with_layout(layout: Layout, size: TerminalSize) -> io::Result<(Arc<Self>, Writer)> {
        let file = crate::os::shared_memory("session-journal", layout.file())?;
        let words = Words::map(file.as_fd(), HEAD as usize)?;
        words.store(word::VERSION, layout::VERSION);
        words.store(word::RING, layout.ring);
        words.store(word::KEPT, layout.kept);
        words.store(word::SNAPSHOT, layout.snapshot);
        words.store(word::RESIZES, RESIZES);
        words.store(word::FIRST_SIZE, size_word(size));
        // Last: what has it is whole.
        words.store(word::MAGIC, layout::MAGIC);
        let journal = Arc::new(Self {
            file,
            words,
            layout,
            base: Mutex::default(),
            unread: AtomicU64::new(u64::MAX),
        });
        let writer = Writer::new(Arc::clone(&journal));
        Ok((journal, writer))
    }

    /// Goes on with a journal that another process has left.
    ///
    /// # Errors
    /// When it cannot be trusted. It is never changed then.
    pub(super) fn open(file: OwnedFd) -> Result<(Arc<Self>, Writer), OpenError> {
        recovery::open(file)
    }

    /// How many bytes the program has written since its start.
    pub(super) fn written(&self) -> u64 {
        self.words.load(word::ARRIVED)
    }

    /// The first byte that is still there.
    fn floor(&self) -> u64 {
        self.words.load(word::FLOOR)
    }

    /// What is kept, the oldest first. Where something is missing before it, it begins after a line feed, if there is
    /// one: then nothing begins inside an escape sequence or a character.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.since(0).1
    }

    /// What is kept from this byte on, and where it begins: there, or, where something is missing before it, after a
    /// line feed as far up as possible.
    pub(super) fn since(&self, position: u64) -> (u64, Vec<u8>) {
        let written = self.written();
        let oldest = written.saturating_sub(self.layout.kept).max(self.floor());
        let mut from = oldest.max(position).min(written);
        let mut bytes = vec![0; (written - from) as usize];
        if self.read(from, &mut bytes).is_err() {
            return (written, Vec::new());
        }
        // What was written over in the meantime was not read as it was.
        let lost = self.floor().saturating_sub(from).min(bytes.len() as u64);
        from += lost;
        let first = if from == position { 0 } else { line_start(&bytes[lost as usize..]) };
        bytes.drain(..lost as usize + first);
        (from + first as u64, bytes)
    }

    /// This stretch of the stream; `None` when it is not there any more.
    pub(super) fn stretch(&self, stretch: Range<u64>) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(stretch.end - stretch.start).ok()?];
        self.read(stretch.start, &mut bytes).ok()?;
        // What was written over in the meantime was not read as it was.
        (self.floor() <= stretch.start).then_some(bytes)
    }

    /// Somebody has not read the stream from this byte on: while the ring has room for it, it is not given back.
    pub(super) fn keep_from(&self, position: Option<u64>) {
        self.unread.store(position.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Reads the stream from a byte on that is still there.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn read(&self, from: u64, into: &mut [u8]) -> io::Result<()> {
        let (first, second) = into.split_at_mut(
            into.len().min(usize::try_from(self.layout.contiguous(from)).unwrap_or(usize::MAX)),
        );
        self.read_file(self.layout.ring_start() + self.layout.place(from), first)?;
        self.read_file(self.layout.ring_start(), second)
    }

    fn read_file(&self, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            let len = retry_on_intr(|| pread(&self.file, &mut *into, offset))?;
            if len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += len as u64;
            into = &mut into[len..];
        }
        Ok(())
    }

    /// The size of the terminal before any byte.
    pub(super) fn first_size(&self) -> TerminalSize {
        word_size(self.words.load(word::FIRST_SIZE)).unwrap_or(TerminalSize::DEFAULT)
    }

    /// The size of the terminal as of the last byte.
    pub(super) fn last_size(&self) -> TerminalSize {
        let resized = self.words.load(word::RESIZED);
        let last = resized.checked_sub(1).and_then(|last| self.resize(last));
        last.map_or_else(|| self.first_size(), |last| last.size)
    }

    /// Whether another size can be noted without forgetting one that is needed to rebuild the screen.
    pub(super) fn has_room_for_resize(&self) -> bool {
        self.words.load(word::RESIZED) - lock(&self.base).resized < RESIZES
    }

    /// Notes that from here on the terminal has this size. For the thread alone that has the writer.
    pub(super) fn note_resize(&self, size: TerminalSize) {
        let resized = self.words.load(word::RESIZED);
        let entry = word::TABLE + 2 * (resized % RESIZES) as usize;
        self.words.store(entry, self.written());
        self.words.store(entry + 1, size_word(size));
        self.words.store(word::RESIZED, resized + 1);
    }

    /// The next size behind so many that were taken in, if there is one.
    pub(super) fn resize(&self, taken_in: u64) -> Option<Resize> {
        let resized = self.words.load(word::RESIZED);
        // Older ones are forgotten where one could not be taken in in time.
        let number = taken_in.max(resized.saturating_sub(RESIZES));
        if number >= resized {
            return None;
        }
        let entry = word::TABLE + 2 * (number % RESIZES) as usize;
        let size = word_size(self.words.load(entry + 1)).unwrap_or(TerminalSize::DEFAULT);
        let position = self.words.load(entry).min(self.written());
        Some(Resize { position, size, taken_in: number + 1 })
    }

    /// Up to where queries in the output have been answered, by whomever.
    pub(super) fn answered(&self) -> u64 {
        self.words.load(word::ANSWERED)
    }

    /// Says up to where queries have been answered; `u64::MAX` while a viewer's terminal answers them.
    pub(super) fn note_answered(&self, position: u64) {
        self.words.store(word::ANSWERED, position);
    }
}

impl AsFd for Journal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A size that the terminal was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resize {
    /// Before which byte of the stream.
    pub(super) position: u64,
    pub(super) size: TerminalSize,
    /// How many sizes there have been, this one included.
    pub(super) taken_in: u64,
}

/// Where the first line begins behind a line feed; at the beginning if there is none.
fn line_start(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}
