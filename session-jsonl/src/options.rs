//! How a caller wants the store to behave.

use std::time::Duration;

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
}

impl JsonlOptions {
    /// The defaults: a write waits at most five seconds for other writers.
    #[must_use]
    pub const fn new() -> Self {
        Self { lock_timeout: Duration::from_secs(5) }
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
