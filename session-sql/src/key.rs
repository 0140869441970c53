//! Keys of records: the number of the session and the number of the record in one integer.

use std::fmt;
use std::ops::RangeInclusive;

use session_core::{Seq, StoreError};

/// How many bits of a key number the records of a session.
const BITS: u32 = 40;

/// The greatest number of a record.
const LAST: u64 = (1 << BITS) - 1;

/// The greatest number of a session: keys are positive integers of 64 bits.
const SESSIONS: i64 = (1 << (63 - BITS)) - 1;

/// The rowid of a session, which tells sessions apart inside one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionSeq(i64);

/// The rowid of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(i64);

impl SessionSeq {
    /// # Errors
    /// `Unsupported` beyond the greatest number.
    pub(crate) fn new(seq: i64) -> Result<Self, StoreError> {
        if (0..=SESSIONS).contains(&seq) {
            Ok(Self(seq))
        } else {
            Err(StoreError::Unsupported { what: "hold more than 8388607 sessions" })
        }
    }

    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// The key of one of its records.
    ///
    /// # Errors
    /// `Unsupported` beyond the greatest number.
    pub(crate) fn key(self, seq: Seq) -> Result<Key, StoreError> {
        match i64::try_from(seq.get()) {
            Ok(number) if seq.get() <= LAST => Ok(Key(self.0 << BITS | number)),
            _ => Err(StoreError::Unsupported {
                what: "hold more than 2^40 - 1 records of a session",
            }),
        }
    }

    /// The keys of all its records.
    pub(crate) const fn keys(self) -> RangeInclusive<i64> {
        self.0 << BITS..=self.0 << BITS | LAST.cast_signed()
    }

    /// The keys of its records behind the first so many.
    pub(crate) const fn keys_after(self, records: u64) -> RangeInclusive<i64> {
        let after = if records < LAST { records + 1 } else { LAST };
        self.0 << BITS | after.cast_signed()..=self.0 << BITS | LAST.cast_signed()
    }
}

impl Key {
    pub(crate) const fn new(key: i64) -> Self {
        Self(key)
    }

    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// The number of its session.
    pub(crate) const fn session(self) -> SessionSeq {
        SessionSeq(self.0 >> BITS)
    }

    /// Its number in the history; no record has 0, but a damaged row may.
    pub(crate) const fn number(self) -> u64 {
        self.0.cast_unsigned() & LAST
    }

    pub(crate) const fn seq(self) -> Option<Seq> {
        Seq::new(self.number())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_both_numbers_and_stays_positive() {
        let last = SessionSeq::new(SESSIONS).unwrap();
        let key = last.key(Seq::new(LAST).unwrap()).unwrap();
        assert_eq!(key.get(), i64::MAX);
        assert_eq!((key.session(), key.number()), (last, LAST));
        assert!(last.key(Seq::new(LAST + 1).unwrap()).is_err());
        assert!(SessionSeq::new(SESSIONS + 1).is_err());
        let third = SessionSeq::new(3).unwrap();
        assert_eq!(third.key(Seq::FIRST).unwrap().get(), (3 << 40) + 1);
        assert_eq!(third.keys(), 3 << 40..=(4 << 40) - 1);
        assert_eq!(third.keys_after(5), (3 << 40) + 6..=(4 << 40) - 1);
    }
}
