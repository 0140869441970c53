//! How a caller wants the store to behave.

use std::time::Duration;

use session_core::Durability;

/// How a [`JsonlStore`](crate::JsonlStore) behaves; the default suits programs that people wait for.
///
/// ```
/// use std::time::Duration;
/// use session_jsonl::JsonlOptions;
///
/// let patient = JsonlOptions::new().lock_timeout(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonlOptions {
    pub(crate) lock_timeout: Duration,
    pub(crate) durability: Durability,
}

impl JsonlOptions {
    /// The defaults: a write waits at most five seconds for other writers, and survives a loss of power.
    #[must_use]
    pub const fn new() -> Self {
        Self { lock_timeout: Duration::from_secs(5), durability: Durability::Full }
    }

    /// What an acknowledged write survives. With `Normal`, appends and changes of one session that take no name
    /// are not synced before [`flush`](session_core::SessionStore::flush); everything else is.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long a write waits for other writers before it is refused with
    /// [`Locked`](session_core::StoreError::Locked). Zero asks once.
    #[must_use]
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }
}

impl Default for JsonlOptions {
    fn default() -> Self {
        Self::new()
    }
}
