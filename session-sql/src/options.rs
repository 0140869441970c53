//! What can be chosen when a store is opened.

use std::time::{Duration, Instant};

use session_core::Durability;

use crate::index::Scale;

/// How long nobody must have written before a step of what trails is taken: callers who write one after the other are
/// not to meet it.
const REST: Duration = Duration::from_millis(10);

/// The longest wait: SQLite counts the milliseconds of one in 31 bits.
const LONGEST: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// How a [`crate::SqlStore`] is opened. The default suits everybody who has no reason to differ.
#[derive(Clone, Debug)]
pub struct SqlOptions {
    pub(crate) lock_timeout: Duration,
    pub(crate) max_pages: Option<u32>,
    pub(crate) durability: Durability,
    pub(crate) vfs: Option<&'static str>,
    pub(crate) scale: Scale,
    pub(crate) rest: Duration,
}

impl SqlOptions {
    /// How long a write waits for writers of other processes before it is refused as locked: 5 seconds unless
    /// told otherwise, and 24 days at most.
    #[must_use]
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        let is_longer = timeout.as_millis() > LONGEST.as_millis();
        self.lock_timeout = if is_longer { LONGEST } else { timeout };
        self
    }

    /// When a wait that begins now is over.
    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.lock_timeout).unwrap_or(now)
    }

    /// What a write has survived when it is acknowledged: [`Durability::Full`] unless told otherwise.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The largest number of pages of 4096 bytes that this handle lets the database grow to; a write that needs
    /// more is refused as if the disk were full. Without it the disk is the limit.
    #[must_use]
    pub const fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// The SQLite VFS of this name instead of the default one. For tests, which put faults there.
    #[doc(hidden)]
    #[must_use]
    pub const fn vfs(mut self, name: &'static str) -> Self {
        self.vfs = Some(name);
        self
    }

    /// How long nobody must have written before the text index catches up. For tests, which let it never do so by
    /// itself.
    #[doc(hidden)]
    #[must_use]
    pub const fn rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(5),
            max_pages: None,
            durability: Durability::Full,
            vfs: None,
            scale: Scale::default(),
            rest: REST,
        }
    }
}
