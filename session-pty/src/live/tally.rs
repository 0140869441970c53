//! How much a viewer has typed, how much of it the terminal has taken, and when to tell.

use std::time::{Duration, Instant};

use super::typing::Share;
use crate::wire::Typist;

/// What was taken is told together with the next output, or after this long: a key costs no message of its own.
const PATIENCE: Duration = Duration::from_millis(20);

/// In a paste it is told each time that so many bytes were taken.
const MANY: u64 = 32 << 10;

/// The count of one viewer.
#[derive(Debug)]
pub(super) struct Tally {
    typist: Typist,
    heard: u64,
    taken: u64,
    told: u64,
    /// Since when there is something to tell.
    since: Option<Instant>,
}

impl Tally {
    /// Goes on where the typist was.
    pub(super) const fn new(typist: Typist, taken: u64) -> Self {
        Self { typist, heard: taken, taken, told: taken, since: None }
    }

    pub(super) const fn typist(&self) -> Typist {
        self.typist
    }

    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// It has typed so many bytes more.
    pub(super) const fn hear(&mut self, bytes: usize) -> Share {
        self.heard = self.heard.saturating_add(bytes as u64);
        Share { typist: self.typist, until: self.heard }
    }

    /// The terminal has taken all up to here.
    pub(super) fn note(&mut self, taken: u64) {
        self.taken = taken.clamp(self.taken, self.heard);
        if self.taken > self.told && self.since.is_none() {
            self.since = Some(Instant::now());
        }
    }

    /// Whether it should be told though there is no output.
    pub(super) fn is_due(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero()) || self.taken - self.told >= MANY
    }

    /// After how long it is due.
    pub(super) fn left(&self) -> Option<Duration> {
        self.since.map(|since| PATIENCE.saturating_sub(since.elapsed()))
    }

    /// What there is to tell, if anything. It is told then.
    pub(super) fn tell(&mut self) -> Option<u64> {
        self.since = None;
        let news = self.taken > self.told;
        self.told = self.taken;
        news.then_some(self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally::new(Typist::from_word(7).unwrap(), 100)
    }

    #[test]
    fn a_key_waits_for_output_and_not_for_ever() {
        let mut tally = tally();
        assert_eq!(tally.hear(1).until, 101);
        assert_eq!((tally.left(), tally.tell()), (None, None));
        tally.note(101);
        assert!(tally.left().is_some_and(|left| left <= PATIENCE));
        tally.since = tally.since.and_then(|since| since.checked_sub(PATIENCE));
        assert!(tally.is_due());
        assert_eq!((tally.tell(), tally.tell()), (Some(101), None));
        assert!(!tally.is_due());
    }

    #[test]
    fn a_paste_is_told_of_in_large_steps() {
        let mut tally = tally();
        tally.hear(1 << 20);
        tally.note(100 + MANY - 1);
        assert!(!tally.is_due());
        tally.note(100 + MANY);
        assert!(tally.is_due());
    }

    #[test]
    fn no_more_is_taken_than_was_heard_and_never_less() {
        let mut tally = tally();
        tally.hear(10);
        tally.note(u64::MAX);
        assert_eq!(tally.taken(), 110);
        tally.note(5);
        assert_eq!(tally.taken(), 110);
    }
}
