//! One reader that is told events as they happen.

use std::sync::Arc;

use tokio::sync::watch;

use super::hub::{Hub, Reading};
use super::{Cursor, Event};

/// A reader that waits for what comes.
pub(crate) struct Follower {
    hub: Arc<Hub>,
    reading: Reading,
    news: watch::Receiver<()>,
    runs: Box<dyn Fn() -> bool + Send>,
}

/// What a follower is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Some events, at least one.
    Events(Vec<Event>),
    /// Nothing more will happen to what it follows.
    Over,
    /// The supervisor is leaving.
    Closed,
}

impl Follower {
    pub(super) fn new(hub: Arc<Hub>, reading: Reading, runs: Box<dyn Fn() -> bool + Send>) -> Self {
        let news = hub.news();
        Self { hub, reading, news, runs }
    }

    /// After which event it goes on.
    pub(crate) fn cursor(&self) -> Cursor {
        self.hub.place(&self.reading)
    }

    /// Waits for something to tell.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            // Both before the look: what comes in between wakes this up again, and what has ended has told all.
            self.news.mark_unchanged();
            let (runs, is_closed) = ((self.runs)(), self.hub.is_closed());
            let mut events = Vec::new();
            while events.is_empty() && self.hub.read(&mut self.reading, &mut events) {}
            if !events.is_empty() {
                return Next::Events(events);
            }
            if !runs {
                return Next::Over;
            }
            // The hub is held here, so the sender lives.
            if is_closed || self.news.changed().await.is_err() {
                return Next::Closed;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.hub.left();
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("reading", &self.reading).finish_non_exhaustive()
    }
}
