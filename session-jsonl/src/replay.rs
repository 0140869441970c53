//! The lines of a session's file, one after the other, become its present state.
//!
//! Invariant: `whole` is the end of the last line that later lines cannot take back. What stands after it is the
//! beginning of a batch that nobody acknowledged.

use std::hash::{DefaultHasher, Hash, Hasher};

use session_core::{Session, SessionId};

use crate::SCHEMA_VERSION;
use crate::line::{self, Body, Raw, Record};

/// What the lines of a file told so far.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    id: SessionId,
    session: Option<Session>,
    newer: Option<i64>,
    whole: u64,
    anchor: Option<Anchor>,
    spots: Vec<Spot>,
    more_spots: u64,
    batch: Option<Batch>,
    after_damage: bool,
    knows_all: bool,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The byte of the file at which it begins.
    pub(crate) offset: u64,
    pub(crate) reason: String,
}

/// The last whole line: as long as it stands where it stood, what is before it is taken to be what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) offset: u64,
    hash: u64,
}

/// A batch of which lines are still missing.
#[derive(Clone, Debug)]
struct Batch {
    offset: u64,
    next: u32,
    of: u32,
    session: Option<Session>,
}

/// What a file turned out to hold.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// The session's present state.
    Session(&'a Session),
    /// Nothing: the creation of the session was never finished.
    Nothing,
    /// Something that cannot be read.
    Damaged(Spot),
    /// The file of a newer version.
    Newer(i64),
}

impl Replay {
    /// So many damaged lines of one file are told apart; the rest is counted.
    const MAX_SPOTS: usize = 64;

    /// Nothing read yet of the file of session `id`.
    pub(crate) const fn new(id: SessionId) -> Self {
        Self {
            id,
            session: None,
            newer: None,
            whole: 0,
            anchor: None,
            spots: Vec::new(),
            more_spots: 0,
            batch: None,
            after_damage: false,
            knows_all: true,
        }
    }

    /// Where the next batch belongs. What stands behind it is cut off by the next writer.
    pub(crate) const fn whole(&self) -> u64 {
        self.whole
    }

    /// The line that ends at `whole`, unless it was too long to be kept.
    pub(crate) const fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Whether the file is of a version that this program does not read: the rest of it means nothing here.
    pub(crate) const fn is_newer(&self) -> bool {
        self.newer.is_some()
    }

    /// The lines that cannot be read.
    pub(crate) fn spots(&self) -> Vec<Spot> {
        let mut spots = self.spots.clone();
        if let Some(last) = spots.last_mut()
            && self.more_spots > 0
        {
            last.reason = format!("{}; so are {} later lines", last.reason, self.more_spots);
        }
        spots
    }

    /// What the lines amount to.
    pub(crate) fn outcome(&self) -> Outcome<'_> {
        if let Some(version) = self.newer {
            return Outcome::Newer(version);
        }
        if let Some(session) = &self.session {
            return Outcome::Session(session);
        }
        match self.spots.first() {
            Some(spot) => Outcome::Damaged(spot.clone()),
            None if self.knows_all => Outcome::Nothing,
            None => Outcome::Damaged(Spot { offset: 0, reason: "no session record".to_owned() }),
        }
    }

    /// Drops the beginning of a batch, which was cut off its file. What was wrong with it is gone as well.
    pub(crate) fn forget_begun(&mut self) {
        self.batch = None;
        self.spots.retain(|spot| spot.offset < self.whole);
    }

    /// Takes the line that stands from `offset` to `end`, its line feed included.
    pub(crate) fn push(&mut self, raw: Raw<'_>, offset: u64, end: u64) {
        let bytes = match raw {
            Raw::Line(bytes) => Some(bytes),
            Raw::TooLong => None,
            Raw::Torn(bytes) => return self.torn(bytes, offset),
        };
        let fault = match bytes {
            None => Some(format!("longer than {} bytes", line::MAX_LINE)),
            Some(bytes) if offset == 0 => self.header(bytes).err(),
            Some(bytes) => match line::parse_record(bytes, self.id) {
                Ok(record) => {
                    self.record(record, offset);
                    None
                }
                Err(reason) => Some(reason),
            },
        };
        self.after_damage = fault.is_some();
        if let Some(reason) = fault {
            self.spot(offset, reason);
            self.count_in_batch();
        }
        if self.batch.is_none() {
            self.whole = end;
            self.anchor = bytes.map(|bytes| Anchor { offset, hash: hash(bytes) });
        }
    }

    /// The beginning of a file that a creator left behind is the beginning of a header. Anything else is not ours.
    fn torn(&mut self, bytes: &[u8], offset: u64) {
        if offset == 0 && !line::header(self.id).as_bytes().starts_with(bytes) {
            self.spot(offset, "no header".to_owned());
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<(), String> {
        let header = line::parse_header(bytes)?;
        if header.version > SCHEMA_VERSION {
            self.newer = Some(header.version);
        } else if header.id != Some(self.id) {
            return Err("the header of another session's file".to_owned());
        }
        Ok(())
    }

    fn record(&mut self, record: Record, offset: u64) {
        let Record { at, of, body } = record;
        let mut batch = match self.batch.take() {
            Some(batch) if batch.next == at && batch.of == of => batch,
            unfinished => {
                if let Some(unfinished) = unfinished {
                    let Batch { offset, next, of, .. } = unfinished;
                    self.spot(offset, format!("only {} of {of} lines of a batch", next - 1));
                }
                // The lines before may be those that could not be read.
                if at > 1 && !self.after_damage {
                    self.spot(offset, format!("line {at} of {of} of a batch that never began"));
                    return;
                }
                Batch { offset, next: at, of, session: None }
            }
        };
        match body {
            Body::Session(session) => batch.session = Some(*session),
            Body::Unknown => self.knows_all = false,
        }
        self.advance(batch);
    }

    /// A line that cannot be read counts as the one that was expected: it costs itself, not its batch.
    fn count_in_batch(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.advance(batch);
        }
    }

    fn advance(&mut self, mut batch: Batch) {
        if batch.next < batch.of {
            batch.next += 1;
            self.batch = Some(batch);
        } else if batch.session.is_some() {
            self.session = batch.session;
        }
    }

    fn spot(&mut self, offset: u64, reason: String) {
        if self.spots.len() < Self::MAX_SPOTS {
            self.spots.push(Spot { offset, reason });
        } else {
            self.more_spots += 1;
        }
    }
}

impl Anchor {
    /// Whether these are the bytes of the line, without its line feed.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.hash == hash(bytes)
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
