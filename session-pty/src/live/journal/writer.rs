//! Reading a terminal straight into the journal, so that what has been read cannot be lost.
//!
//! The bytes ahead of what has arrived are filled with a byte that no text has, and their end, the intent, is
//! stored, before any of them is read into. Killed between a read and the store that says how much it was, the
//! process leaves the difference behind: whatever is not as it was filled has arrived.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::retry_on_intr;

use super::layout::{AHEAD, word};
use super::mapping::Bytes;
use super::{Journal, lock};

/// What bytes are filled with that nothing was read into. It occurs in no UTF-8 text.
pub(super) const UNWRITTEN: u8 = 0xff;

/// Output is gathered up to this many bytes before it is passed on: the terminal hands out four kilobytes at a
/// time, and one write per read would double the work.
const BATCH: u64 = 64 << 10;

/// What is filled ahead begins and ends at pages.
const PAGE: u64 = 4096;

/// Less than this is not worth a read, unless the ring ends there.
const LEAST: u64 = PAGE / 2;

/// The one place that adds to a journal.
#[derive(Debug)]
pub(in crate::live) struct Writer {
    journal: Arc<Journal>,
    /// Mapped while there is something to read: even untouched, a mapping costs the system a page or two.
    ring: Option<Bytes>,
    /// Up to here is filled or read into; the same as in the head.
    intent: u64,
    /// How far is filled ahead at once: a page for what is typed, more while output comes in bulk.
    step: u64,
    #[cfg(test)]
    pub(super) passes: Option<fn(Point)>,
    /// There is no memory while this is not 0; it goes up each time that is found out.
    #[cfg(test)]
    pub(in crate::live) exhausted: Option<Arc<std::sync::atomic::AtomicUsize>>,
}

/// Where a process may be killed; told to a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// Memory is there, the bytes are as they were.
    Allocated,
    /// The bytes are filled, and nobody is told.
    Filled,
    /// The intent is stored.
    Intended,
    /// Bytes were read, and nobody is told.
    Read,
    /// They count as arrived.
    Arrived,
}

impl Writer {
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        let intent = journal.words.load(word::INTENT);
        Self {
            journal,
            ring: None,
            intent,
            step: PAGE,
            #[cfg(test)]
            passes: None,
            #[cfg(test)]
            exhausted: None,
        }
    }

    /// Nothing is to be read for a while.
    pub(in crate::live) fn rest(&mut self) {
        self.ring = None;
    }

    fn map(&self) -> io::Result<Bytes> {
        let layout = self.journal.layout;
        let length = usize::try_from(layout.ring).map_err(io::Error::other)?;
        let mut ring = Bytes::map(self.journal.file.as_fd(), layout.ring_start(), length)?;
        // What is filled ahead has memory, and no place in this mapping before it is touched. Were that left to a read
        // of the terminal, a kill in that moment would lose what the terminal has handed out already.
        ring.slice_mut(self.range(self.journal.written()..self.intent)).fill(UNWRITTEN);
        Ok(ring)
    }

    /// Whether a batch can be read without writing over what is needed to rebuild the screen.
    pub(in crate::live) fn has_room(&self) -> bool {
        let base = lock(&self.journal.base).position;
        self.journal.written() + AHEAD <= base + self.journal.layout.ring
    }

    /// Reads what the terminal has, up to one batch; an empty one when it has nothing.
    ///
    /// # Errors
    /// When there is no memory for it. Then nothing was read.
    pub(in crate::live) fn read(&mut self, terminal: impl AsFd) -> io::Result<Range<u64>> {
        let mut ring = self.ring.take().map_or_else(|| self.map(), Ok)?;
        let start = self.journal.written();
        let mut end = start;
        // What stands behind each other is passed on in one piece: a batch ends with the ring.
        let batch_end = start + BATCH.min(self.journal.layout.contiguous(start));
        while end < batch_end {
            match self.reach(&mut ring, end, batch_end) {
                Err(error) if end == start => return Err(error),
                Err(_) => break,
                Ok(()) => {}
            }
            let room = self.range(end..self.intent.min(batch_end));
            let read =
                retry_on_intr(|| rustix::io::read(&terminal, &mut *ring.slice_mut(room.clone())));
            match read {
                Ok(0) | Err(_) => break,
                Ok(len) => end += len as u64,
            }
            self.passes(Point::Read);
            self.journal.words.store(word::ARRIVED, end);
            self.passes(Point::Arrived);
        }
        if end - start < self.step / 4 {
            self.step = (self.step / 2).max(PAGE);
        }
        self.ring = Some(ring);
        Ok(start..end)
    }

    /// The bytes of the batch that was read last.
    pub(in crate::live) fn bytes(&self, batch: Range<u64>) -> &[u8] {
        self.ring.as_ref().map_or(&[], |ring| ring.slice(self.range(batch)))
    }

    /// What is filled for what comes next.
    #[cfg(test)]
    pub(super) fn ahead(&self) -> Range<u64> {
        self.journal.written()..self.intent
    }

    /// Where in the ring a stretch of the stream stands that does not go beyond its end.
    fn range(&self, stretch: Range<u64>) -> Range<usize> {
        let start = self.journal.layout.place(stretch.start);
        start as usize..(start + (stretch.end - stretch.start)) as usize
    }

    /// Sees to it that what the terminal hands out at once can be read from `end` on.
    fn reach(&mut self, ring: &mut Bytes, end: u64, batch_end: u64) -> io::Result<()> {
        let wanted = batch_end.min(end + LEAST);
        if self.intent >= wanted {
            return Ok(());
        }
        let ring_end = end + self.journal.layout.contiguous(end);
        let intent = (end + self.step).next_multiple_of(PAGE).min(ring_end);
        self.fill(ring, intent)?;
        self.step = (self.step * 2).min(BATCH);
        Ok(())
    }

    /// Fills up to `intent` and says so, once there is memory for it.
    fn fill(&mut self, ring: &mut Bytes, intent: u64) -> io::Result<()> {
        let journal = &self.journal;
        // Nobody gives back memory meanwhile that is about to be used again.
        let base = lock(&journal.base);
        let gone = intent.saturating_sub(journal.layout.ring);
        if gone > base.position {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let new = self.range(self.intent..intent);
        let offset = journal.layout.ring_start() + new.start as u64;
        self.allocate(offset, new.len() as u64)?;
        self.passes(Point::Allocated);
        // Before they are written over, so that nobody takes them for what they were.
        if gone > journal.floor() {
            journal.words.store(word::FLOOR, gone);
        }
        drop(base);
        ring.slice_mut(new).fill(UNWRITTEN);
        self.passes(Point::Filled);
        self.journal.words.store(word::INTENT, intent);
        self.intent = intent;
        self.passes(Point::Intended);
        Ok(())
    }

    /// Writing to memory that the system cannot provide would end the process by a signal.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        #[cfg(test)]
        if self.is_exhausted() {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        let allocate = FallocateFlags::empty();
        Ok(retry_on_intr(|| fallocate(&self.journal.file, allocate, offset, length))?)
    }

    #[cfg(test)]
    fn is_exhausted(&self) -> bool {
        use std::sync::atomic::Ordering;
        let Some(found_out) = &self.exhausted else { return false };
        let counted = |times: usize| (times > 0).then_some(times + 1);
        found_out.fetch_update(Ordering::AcqRel, Ordering::Acquire, counted).is_ok()
    }

    #[cfg(not(test))]
    const fn passes(&self, _: Point) {}

    #[cfg(test)]
    fn passes(&self, point: Point) {
        if let Some(tell) = self.passes {
            tell(point);
        }
    }
}
