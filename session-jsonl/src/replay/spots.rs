//! The lines of one file that cannot be read: told apart up to a number, and counted.

use std::path::Path;

use session_core::Damage;

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The byte of the file at which it begins.
    pub(crate) offset: u64,
    pub(crate) reason: String,
}

impl Spot {
    /// The same, for people.
    pub(crate) fn in_file(&self, path: &Path) -> Damage {
        let place = format!("{}: byte {}", path.display(), self.offset);
        Damage { place, reason: self.reason.clone() }
    }
}

/// Some lines that cannot be read, in the order in which they stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spots {
    first: Vec<Spot>,
    more: u64,
}

impl From<Spot> for Spots {
    fn from(spot: Spot) -> Self {
        Self { first: vec![spot], more: 0 }
    }
}

impl Spots {
    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// So many lines of one file are told apart; the rest is counted.
    pub(crate) const MAX: usize = 64;

    /// Adds a line that stands behind the others.
    pub(crate) fn push(&mut self, spot: Spot) {
        if self.first.len() < Self::MAX {
            self.first.push(spot);
        } else {
            self.more += 1;
        }
    }

    /// Adds lines that may stand between these.
    pub(crate) fn extend(&mut self, others: Self) {
        self.first.extend(others.first);
        self.first.sort_by_key(|spot| spot.offset);
        let kept = self.first.len().min(Self::MAX);
        self.more += others.more + (self.first.len() - kept) as u64;
        self.first.truncate(kept);
    }

    /// Whether the first line of the file is among them.
    pub(super) fn holds_header(&self) -> bool {
        self.first.first().is_some_and(|spot| spot.offset == 0)
    }

    /// The lines that are told apart; the last of them tells about the rest.
    pub(crate) fn into_vec(mut self) -> Vec<Spot> {
        if let Some(last) = self.first.last_mut()
            && self.more > 0
        {
            last.reason = format!("{}; so are {} later lines", last.reason, self.more);
        }
        self.first
    }
}
