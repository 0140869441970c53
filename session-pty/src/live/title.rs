//! The title of a terminal, and how often a change of it is told.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;
use crate::events::{Happening, News};

/// A title is told at most so often: some programs change it ten times a second, which would drown what happened to
/// others.
const PAUSE: Duration = Duration::from_secs(1);

/// The title as of the last byte that was parsed.
#[derive(Debug)]
pub(super) struct Title {
    news: News,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    text: Option<String>,
    /// It has changed since it was told.
    untold: bool,
    told: Option<Instant>,
}

impl Title {
    /// None yet.
    pub(super) fn new(news: News) -> Self {
        Self { news, state: Mutex::default() }
    }

    pub(super) fn text(&self) -> Option<String> {
        lock(&self.state).text.clone()
    }

    /// A piece of output was parsed, and these titles were set in it.
    pub(super) fn parsed(&self, set: impl Iterator<Item = Option<String>>, now: Instant) {
        let mut state = lock(&self.state);
        for text in set {
            state.untold |= text != state.text;
            state.text = text;
        }
        let rested = state.told.is_none_or(|told| now.saturating_duration_since(told) >= PAUSE);
        if state.untold && rested {
            self.news.tell(Happening::title(state.text.as_deref()));
            (state.untold, state.told) = (false, Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use session_core::{SessionId, Timestamp};

    use super::*;
    use crate::events::Witness;

    #[test]
    fn a_title_is_told_when_it_changes_and_not_more_often_than_anybody_reads() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let witness: Witness = Arc::new(move |_, happening| lock(&heard).push(happening));
        let id = SessionId::from_parts(Timestamp::from_millis(1), 1);
        let title = Title::new(News::of(id, &witness));
        let start = Instant::now();
        let set = |text: &[&str], at| {
            title.parsed(text.iter().map(|text| Some((*text).to_owned())), start + at);
            lock(&told).len()
        };
        let ms = Duration::from_millis;
        assert_eq!(set(&[], ms(0)), 0);
        assert_eq!(set(&["one"], ms(0)), 1);
        assert_eq!(set(&["one"], ms(2000)), 1, "it is the same");
        assert_eq!(set(&["two", "three"], ms(2000)), 2);
        assert_eq!(set(&["four"], ms(2999)), 2, "too soon");
        assert_eq!(title.text().as_deref(), Some("four"), "whoever asks is told at once");
        assert_eq!(set(&[], ms(3000)), 3, "with whatever comes next");
        assert_eq!(set(&[], ms(9000)), 3);
        let last = lock(&told).pop().unwrap();
        assert_eq!(last, Happening::title(Some("four")));
    }
}
