//! Ids that are the same in every run of a test.

use std::sync::atomic::{AtomicU64, Ordering};

use session_core::{IdSource, SessionId, Timestamp};

/// Gives ids whose random part counts up from 1, so that ids of one time sort in the order in which they were
/// given out.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl SequentialIds {
    /// A source that has given out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl IdSource for SequentialIds {
    fn next_id(&self, at: Timestamp) -> SessionId {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        SessionId::from_parts(at, u128::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up() {
        let (ids, at) = (SequentialIds::new(), Timestamp::from_millis(9));
        let (first, second) = (ids.next_id(at), ids.next_id(at));
        assert!(first < second);
        assert_eq!(first, SessionId::from_parts(at, 1));
    }
}
