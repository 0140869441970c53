//! Who has typed, and how much of it the terminal has taken: so that the rest, and nothing else, is typed again.

use super::Journal;
use super::layout::{TYPISTS, typist, word};
use super::recovery::LAST_POSITION;
use crate::wire::Typist;

/// What is known of a typist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::live) struct Account {
    /// So many bytes of what it typed the terminal has taken, of its present call if it makes calls.
    pub(in crate::live) taken: u64,
    /// The smaller, the earlier it came.
    pub(in crate::live) came: u64,
    /// The larger, the later it typed; 0 when it never has.
    pub(in crate::live) typed: u64,
    /// The number of its call; 0 for a viewer.
    pub(in crate::live) call: u64,
    /// What the call types is marked as a paste, and the marks are counted.
    pub(in crate::live) marked: bool,
}

/// For the thread alone that types.
impl Journal {
    /// What is known of this typist.
    pub(in crate::live) fn account(&self, of: Typist) -> Option<Account> {
        self.entry(of).and_then(|entry| self.account_in(entry))
    }

    /// Whether an account may have been lost. If not, whoever has none never had one.
    pub(in crate::live) fn has_forgotten(&self) -> bool {
        self.words.load(word::FORGOTTEN) != 0
    }

    /// Says that accounts were lost.
    pub(in crate::live) fn note_forgotten(&self) {
        self.words.store(word::FORGOTTEN, 1);
    }

    /// Keeps what is known of a typist. Where there is no room, it takes the place of whoever had to do with the
    /// session the longest time ago, if possible of one who is not `present`.
    pub(in crate::live) fn keep_account(
        &self,
        of: Typist,
        account: &Account,
        present: impl Fn(Typist) -> bool,
    ) {
        let entry = self.entry(of).unwrap_or_else(|| self.make_room_for_account(present));
        let first = first_word(entry);
        let renewed = self.words.load(first + typist::TYPIST) == of.word();
        if !renewed {
            self.words.store(first + typist::TYPIST, 0);
        }
        // The call last: as long as it is the one before, the next one has not begun.
        self.words.store(first + typist::TAKEN, account.taken);
        self.words.store(first + typist::CAME, account.came);
        self.words.store(first + typist::TYPED, account.typed);
        self.words.store(first + typist::MARKED, u64::from(account.marked));
        self.words.store(first + typist::CALL, account.call);
        if !renewed {
            self.words.store(first + typist::TYPIST, of.word());
        }
    }

    /// Says how much of what a typist typed the terminal has taken.
    pub(in crate::live) fn note_taken(&self, of: Typist, taken: u64) {
        if let Some(entry) = self.entry(of) {
            self.words.store(first_word(entry) + typist::TAKEN, taken);
        }
    }

    /// The largest number of a turn, which is that of the last one.
    pub(in crate::live) fn last_turn(&self) -> u64 {
        let turns = (0..TYPISTS).filter_map(|entry| self.account_in(entry));
        turns.map(|account| account.came.max(account.typed)).max().unwrap_or(0)
    }

    /// The last byte that the terminal took.
    pub(in crate::live) fn last_typed(&self) -> Option<u8> {
        let word = self.words.load(word::LAST_TYPED);
        word.checked_sub(256).and_then(|byte| u8::try_from(byte).ok())
    }

    /// Says which byte the terminal took last.
    pub(in crate::live) fn note_last_typed(&self, byte: u8) {
        self.words.store(word::LAST_TYPED, 256 + u64::from(byte));
    }

    /// The place in the table that a typist has.
    pub(super) fn entry(&self, of: Typist) -> Option<usize> {
        (0..TYPISTS).find(|&entry| self.typist_in(entry) == Some(of))
    }

    /// Who has a place in the table, if its words make sense.
    pub(super) fn typist_in(&self, entry: usize) -> Option<Typist> {
        let field = |at| self.words.load(first_word(entry) + at);
        let numbers = [typist::TAKEN, typist::CAME, typist::TYPED].map(field);
        let sound = numbers.into_iter().all(|number| number <= LAST_POSITION);
        Typist::from_word(field(typist::TYPIST)).filter(|_| sound)
    }

    fn account_in(&self, entry: usize) -> Option<Account> {
        let field = |at| self.words.load(first_word(entry) + at);
        self.typist_in(entry).map(|_| Account {
            taken: field(typist::TAKEN),
            came: field(typist::CAME),
            typed: field(typist::TYPED),
            call: field(typist::CALL),
            marked: field(typist::MARKED) == 1,
        })
    }

    fn make_room_for_account(&self, present: impl Fn(Typist) -> bool) -> usize {
        if let Some(free) = (0..TYPISTS).find(|&entry| self.typist_in(entry).is_none()) {
            return free;
        }
        self.note_forgotten();
        let age = |entry: &usize| {
            let account = self.account_in(*entry).unwrap_or_default();
            let stays = self.typist_in(*entry).is_some_and(&present);
            // Calls come and go; a viewer that is away comes back.
            (stays, account.call == 0, account.came.max(account.typed))
        };
        (0..TYPISTS).min_by_key(age).unwrap_or(0)
    }
}

/// The first word of an entry.
pub(super) const fn first_word(entry: usize) -> usize {
    word::TYPISTS + entry * typist::WORDS
}

#[cfg(test)]
mod tests {
    use super::super::tests::small;
    use super::*;

    fn typist(word: u64) -> Typist {
        Typist::from_word(word).unwrap()
    }

    fn came(came: u64) -> Account {
        Account { came, ..Account::default() }
    }

    #[test]
    fn an_account_is_there_for_whoever_opens_the_journal_next() {
        let (journal, _) = small(1000);
        let account = Account { taken: 5, came: 1, typed: 7, call: 3, marked: true };
        journal.keep_account(typist(1), &account, |_| false);
        journal.keep_account(typist(2), &came(2), |_| false);
        journal.note_taken(typist(2), 9);
        let (again, _) = Journal::open(journal.file.try_clone().unwrap()).unwrap();
        assert_eq!(again.account(typist(1)), Some(account));
        assert_eq!(again.account(typist(2)).map(|account| account.taken), Some(9));
        assert_eq!((again.account(typist(3)), again.last_turn()), (None, 7));
        assert!(!again.has_forgotten());
    }

    #[test]
    fn the_one_of_the_longest_time_ago_makes_room_unless_it_is_present() {
        let (journal, _) = small(1000);
        for number in 1..=TYPISTS as u64 {
            journal.keep_account(typist(number), &came(number), |_| false);
        }
        assert!(!journal.has_forgotten());
        // The first is present, the second has typed since.
        journal.keep_account(typist(2), &Account { typed: 50, ..came(2) }, |_| false);
        journal.keep_account(typist(100), &came(51), |present| present == typist(1));
        assert!(journal.has_forgotten());
        let is_there = [1, 2, 3, 100].map(|number| journal.account(typist(number)).is_some());
        assert_eq!(is_there, [true, true, false, true]);
        journal.keep_account(typist(101), &came(52), |_| true);
        assert_eq!(journal.account(typist(1)), None, "when all are, somebody has to go");
    }

    #[test]
    fn calls_make_room_before_a_viewer_that_is_away() {
        let (journal, _) = small(1000);
        journal.keep_account(typist(1), &came(1), |_| false);
        for number in 2..100 {
            journal.keep_account(typist(number), &Account { call: 1, ..came(number) }, |_| false);
        }
        assert!(journal.account(typist(1)).is_some());
    }
}
