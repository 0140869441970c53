//! What can be chosen when a store is opened.

use std::time::Duration;

/// How a [`crate::SqlStore`] is opened. The default suits everybody who has no reason to differ.
#[derive(Clone, Debug)]
pub struct SqlOptions {
    pub(crate) lock_timeout: Duration,
    pub(crate) max_pages: Option<u32>,
}

impl SqlOptions {
    /// How long a write waits for writers of other processes before it is refused as locked: 5 seconds unless
    /// told otherwise.
    #[must_use]
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// The largest number of pages of 4096 bytes that this handle lets the database grow to; a write that needs
    /// more is refused as if the disk were full. Without it the disk is the limit.
    #[must_use]
    pub const fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self { lock_timeout: Duration::from_secs(5), max_pages: None }
    }
}
