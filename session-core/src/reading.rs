//! Which records of a history to read, in which order, and where to go on.

use std::num::NonZeroU32;

use crate::{Damage, Record, Seq};

/// A stretch of a history: from one sequence number to another, both included, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The lowest number.
    pub from: Seq,
    /// The highest number.
    pub to: Seq,
    /// Which end comes first.
    pub order: Order,
    /// At most so many; fewer when they are large.
    pub limit: Option<NonZeroU32>,
}

/// Which end of a history comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest.
    #[default]
    Forward,
    /// The newest.
    Backward,
}

/// Some records of a stretch, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The records.
    pub records: Vec<Record>,
    /// Records that could not be read and therefore are missing above.
    pub damaged: Vec<Damage>,
    /// What is left of the stretch, when something is.
    pub next: Option<Reading>,
}

impl Reading {
    /// A page of records ends when the canonical JSON of its records comes to so many bytes, however many were asked
    /// for: without its last record it has fewer.
    pub const PAGE_BYTES: usize = 1 << 20;

    /// All records, oldest first.
    pub const ALL: Self =
        Self { from: Seq::FIRST, to: Seq::LAST, order: Order::Forward, limit: None };

    /// No record at all.
    pub const NOTHING: Self = Self { from: Seq::LAST, to: Seq::FIRST, ..Self::ALL };

    /// All records from `from` on, oldest first.
    #[must_use]
    pub const fn from(from: Seq) -> Self {
        Self { from, ..Self::ALL }
    }

    /// All records, newest first.
    #[must_use]
    pub const fn backward() -> Self {
        Self { order: Order::Backward, ..Self::ALL }
    }

    /// Whether a record of this number belongs to the stretch.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        (self.from..=self.to).contains(&seq)
    }

    /// What is left of the stretch once the record `last` was read, if anything can be.
    #[must_use]
    pub fn beyond(self, last: Seq) -> Option<Self> {
        let rest = match self.order {
            Order::Forward => Self { from: last.next(), ..self },
            Order::Backward => Self { to: last.previous()?, ..self },
        };
        (rest.from <= rest.to && last != Seq::LAST).then_some(rest)
    }
}
