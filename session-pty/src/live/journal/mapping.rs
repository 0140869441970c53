//! Shared memory mapped into this process: the head of a journal as words, its ring as bytes.
#![expect(
    unsafe_code,
    reason = "bytes that outlive this process have to be in memory that another one can hold"
)]

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapped stretch of a file, unmapped when it is dropped.
///
/// The file must be sealed against shrinking, which [`super::recovery`] checks for those that come from outside:
/// so no access to the mapping can miss its file. That there is memory behind it is seen to before it is used.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: an address and a length that this value alone owns; how the memory is used is up to its two holders below.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Self> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the system chooses the place, so nothing that is mapped already changes.
        let start = unsafe { mmap(std::ptr::null_mut(), len, access, flags, file, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and nothing borrowed from it outlives its holder.
        let _stays_mapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Words that several threads, and later another process, read and write.
pub(super) struct Words(Mapping);

impl Words {
    /// Maps the first `len` bytes of the file.
    pub(super) fn map(file: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Ok(Self(Mapping::new(file, 0, len)?))
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.0.len / size_of::<AtomicU64>(), "word {index} of a journal's head");
        // SAFETY: within the mapping, aligned since the mapping is to a page, and never accessed but as an atomic
        // word. Any content is a valid one.
        unsafe { self.0.start.cast::<AtomicU64>().add(index).as_ref() }
    }

    /// The word, and everything that was stored before it was.
    pub(super) fn load(&self, index: usize) -> u64 {
        self.word(index).load(Ordering::Acquire)
    }

    /// Stores the word after everything that was stored before: whoever sees it sees that too, after a kill as well.
    pub(super) fn store(&self, index: usize, value: u64) {
        self.word(index).store(value, Ordering::Release);
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words")
    }
}

/// Bytes that one thread of one process reads and writes through memory. All others go through the file.
pub(super) struct Bytes(Mapping);

impl Bytes {
    /// Maps a stretch of the file. There must be no other mapping of it that is used at the same time.
    pub(super) fn map(file: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Self> {
        Ok(Self(Mapping::new(file, offset, len)?))
    }

    fn checked(&self, range: &Range<usize>) -> NonNull<u8> {
        assert!(range.start <= range.end && range.end <= self.0.len, "{range:?} of a ring");
        // SAFETY: within the mapping, as was just checked.
        unsafe { self.0.start.add(range.start) }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        let start = self.checked(&range);
        // SAFETY: within the mapping. Nobody changes these bytes while they are borrowed: this value is the only way
        // to them through memory, and the file is written by its owner alone, in other places.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), range.len()) }
    }

    pub(super) fn slice_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let start = self.checked(&range);
        // SAFETY: as for `slice`, and this value is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), range.len()) }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bytes")
    }
}
