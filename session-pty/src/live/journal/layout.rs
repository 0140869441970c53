//! Where everything is in a journal. `JOURNAL.md` says the same to the byte; it never changes within a version.

use session_core::TerminalSize;

/// `SESSJRNL`, as the bytes stand in the file.
pub(super) const MAGIC: u64 = u64::from_ne_bytes(*b"SESSJRNL");

/// The version that this program writes, and the only one it reads.
pub(super) const VERSION: u64 = 1;

/// Every region begins and ends at a multiple of this: the largest page that Linux has.
pub(super) const UNIT: u64 = 64 << 10;

/// The head: one page of words, then the table of sizes. The rest of it is never touched.
pub(super) const HEAD: u64 = UNIT;

/// Sizes that the table holds.
pub(super) const RESIZES: u64 = 512;

/// The file may run so far ahead of what has arrived: read-ahead, or a head that lies.
pub(super) const AHEAD: u64 = 256 << 10;

/// Typists of whom the head knows how much of what they typed the terminal has taken.
pub(super) const TYPISTS: usize = 16;

/// Where in the file typed bytes stand while the system moves them to the terminal.
pub(super) const STAGE: u64 = 16 << 10;

/// How many of them there can be at once.
pub(super) const STAGE_LEN: usize = 4096;

/// No journal that was made on purpose is larger.
const LARGEST: u64 = 1 << 40;

/// Words of the head, counted from its beginning.
pub(super) mod word {
    pub(in super::super) const MAGIC: usize = 0;
    pub(in super::super) const VERSION: usize = 1;
    pub(in super::super) const RING: usize = 2;
    pub(in super::super) const KEPT: usize = 3;
    pub(in super::super) const SNAPSHOT: usize = 4;
    pub(in super::super) const RESIZES: usize = 5;
    pub(in super::super) const FIRST_SIZE: usize = 6;
    pub(in super::super) const FORGOTTEN: usize = 7;
    pub(in super::super) const ARRIVED: usize = 8;
    pub(in super::super) const INTENT: usize = 9;
    pub(in super::super) const FLOOR: usize = 10;
    pub(in super::super) const RESIZED: usize = 11;
    pub(in super::super) const ANSWERED: usize = 12;
    pub(in super::super) const STAGED_BY: usize = 13;
    pub(in super::super) const TAKEN_BEFORE: usize = 14;
    pub(in super::super) const STAGED: usize = 15;
    /// The two snapshots, eight words each.
    pub(in super::super) const SNAPSHOTS: [usize; 2] = [16, 24];
    pub(in super::super) const LAST_TYPED: usize = 32;
    /// The table of typists, eight words each.
    pub(in super::super) const TYPISTS: usize = 128;
    /// The table of sizes, two words each.
    pub(in super::super) const TABLE: usize = 512;
}

/// Words of a snapshot, counted from its first.
pub(super) mod snapshot {
    pub(in super::super) const GENERATION: usize = 0;
    pub(in super::super) const POSITION: usize = 1;
    pub(in super::super) const LENGTH: usize = 2;
    pub(in super::super) const SIZE: usize = 3;
    pub(in super::super) const RESIZED: usize = 4;
}

/// Words of a typist, counted from the first.
pub(super) mod typist {
    pub(in super::super) const TYPIST: usize = 0;
    pub(in super::super) const TAKEN: usize = 1;
    pub(in super::super) const CAME: usize = 2;
    pub(in super::super) const TYPED: usize = 3;
    pub(in super::super) const CALL: usize = 4;
    pub(in super::super) const MARKED: usize = 5;
    /// How many there are.
    pub(in super::super) const WORDS: usize = 8;
}

/// How large the parts of one journal are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Output that is there at once, the newest.
    pub(super) ring: u64,
    /// How much of it is kept for whoever asks.
    pub(super) kept: u64,
    /// Room for one snapshot.
    pub(super) snapshot: u64,
}

impl Layout {
    /// Room for `kept` bytes of output, for `lag` more that a slow emulator has not yet seen, and for snapshots.
    pub(super) fn new(kept: usize, lag: u64, snapshot: u64) -> Self {
        let kept = (kept as u64).min(LARGEST / 8);
        let ring = kept.next_multiple_of(UNIT) + lag.next_multiple_of(UNIT).max(4 * AHEAD);
        Self { ring, kept, snapshot: snapshot.next_multiple_of(UNIT) }
    }

    /// The layout that a head claims, if it is one.
    pub(super) fn claimed(ring: u64, kept: u64, snapshot: u64) -> Option<Self> {
        let sound = |bytes: u64| bytes > 0 && bytes.is_multiple_of(UNIT) && bytes <= LARGEST;
        let room = ring.checked_sub(kept)?;
        let claimed = Self { ring, kept, snapshot };
        (sound(ring) && sound(snapshot) && room >= 4 * AHEAD).then_some(claimed)
    }

    /// The length of the whole file.
    pub(super) const fn file(&self) -> u64 {
        self.ring_start() + self.ring
    }

    /// Where the ring begins.
    pub(super) const fn ring_start(&self) -> u64 {
        HEAD + 2 * self.snapshot
    }

    /// Where a snapshot begins.
    pub(super) const fn snapshot_start(&self, which: usize) -> u64 {
        HEAD + which as u64 * self.snapshot
    }

    /// Where in the ring a byte of the stream stands.
    pub(super) const fn place(&self, position: u64) -> u64 {
        position % self.ring
    }

    /// How many bytes from this one on stand behind each other.
    pub(super) const fn contiguous(&self, position: u64) -> u64 {
        self.ring - self.place(position)
    }
}

/// A size as a word.
pub(super) fn size_word(size: TerminalSize) -> u64 {
    u64::from(size.cols()) | u64::from(size.rows()) << 16
}

/// The size that a word means, if it means one.
pub(super) fn word_size(word: u64) -> Option<TerminalSize> {
    let half = |word: u64| u16::try_from(word & 0xffff).ok();
    TerminalSize::new(half(word)?, half(word >> 16)?).filter(|_| word >> 32 == 0)
}
