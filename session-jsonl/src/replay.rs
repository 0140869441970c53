//! The lines of a session's file, one after the other, become its present state.
//!
//! Invariant: `whole` is the end of the last batch whose lines can all be read. What stands after it, the tail, is
//! no record: it is what a crash left of a batch that nobody acknowledged. Once a whole batch stands behind it, it is
//! no tail any more, and a line of it that cannot be read costs itself only.
//!
//! Reading may begin anywhere in the file: what the lines from the first beginning of a batch on amount to does not
//! depend on what is before them.

use std::ops::Range;
use std::sync::Arc;

use session_core::{Session, SessionId};

use crate::SCHEMA_VERSION;
use crate::line::{self, Body};
use crate::lines::Raw;

mod spots;

pub(crate) use spots::{Spot, Spots};

/// What the lines of a file told so far.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    id: SessionId,
    session: Option<Arc<Session>>,
    newer: Option<i64>,
    whole: u64,
    anchor: Option<Anchor>,
    spots: Spots,
    knows_all: bool,
    tail: Tail,
    /// Whether the beginning of the file, or of a batch, was read.
    is_certain: bool,
}

/// The last whole line: as long as it stands where it stood, what is before it is taken to be what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// Where it begins; it ends at `whole`.
    pub(crate) offset: u64,
    /// The hash of its bytes, without the line feed.
    pub(crate) hash: u64,
}

/// What stands after the last whole batch.
#[derive(Clone, Debug, Default)]
struct Tail {
    /// What the batches in it amount to that came to their end in spite of damaged lines.
    told: Told,
    batch: Option<Batch>,
    /// The line before this one could not be read.
    after_damage: bool,
    /// Lines with zero bytes in place of others, as they are when the power was lost.
    holes: Spots,
    /// Everything else that is wrong with it, which no crash does.
    damaged: Spots,
    is_strange: bool,
}

/// A batch that is not at its end.
#[derive(Clone, Debug)]
struct Batch {
    offset: u64,
    next: u32,
    of: u32,
    told: Told,
    /// All its lines so far can be read.
    is_sound: bool,
}

/// A line that can be read.
#[derive(Debug)]
struct Read {
    at: u32,
    of: u32,
    told: Told,
}

/// What lines tell about the session.
#[derive(Clone, Debug)]
struct Told {
    session: Option<Arc<Session>>,
    knows_all: bool,
}

/// What a file turned out to hold.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// The session's present state.
    Session(&'a Arc<Session>),
    /// Nothing: the creation of the session was never finished.
    Nothing,
    /// Something that cannot be read.
    Damaged(Spot),
    /// The file of a newer version.
    Newer(i64),
}

impl Replay {
    /// Nothing read yet of the file of session `id`.
    pub(crate) fn new(id: SessionId) -> Self {
        Self {
            id,
            session: None,
            newer: None,
            whole: 0,
            anchor: None,
            spots: Spots::default(),
            knows_all: true,
            tail: Tail::default(),
            is_certain: true,
        }
    }

    /// Nothing read yet of the lines that begin somewhere behind the first.
    pub(crate) fn inside(id: SessionId) -> Self {
        Self { is_certain: false, ..Self::new(id) }
    }

    /// A file that ends with a whole batch, of which `anchor` is the last line.
    pub(crate) fn ended(session: Arc<Session>, whole: u64, anchor: Anchor) -> Self {
        let id = session.id();
        Self { session: Some(session), whole, anchor: Some(anchor), ..Self::new(id) }
    }

    /// Where the next batch belongs. What stands behind it is cut off by the next writer.
    pub(crate) const fn whole(&self) -> u64 {
        self.whole
    }

    /// The present state, if there is one.
    pub(crate) const fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The line that ends at `whole`; `None` when nothing does.
    pub(crate) const fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Whether the file is of a version that this program does not read: the rest of it means nothing here.
    pub(crate) const fn is_newer(&self) -> bool {
        self.newer.is_some()
    }

    /// Whether reading from an earlier line on would not change the present state.
    pub(crate) const fn is_decided(&self) -> bool {
        self.session.is_some()
    }

    /// Whether what stands after the last whole batch is anything else than the beginning of another one and zero
    /// bytes, so that somebody may want to look at it.
    pub(crate) const fn has_strange_tail(&self) -> bool {
        self.tail.is_strange
    }

    /// The lines that cannot be read, and that no crash has left like that.
    pub(crate) fn spots(&self) -> Vec<Spot> {
        let mut spots = self.spots.clone();
        spots.extend(self.tail.damaged.clone());
        spots.into_vec()
    }

    /// Those of them that stand after the last whole batch.
    pub(crate) fn tail_spots(&self) -> Vec<Spot> {
        self.tail.damaged.clone().into_vec()
    }

    /// What the lines amount to.
    pub(crate) fn outcome(&self) -> Outcome<'_> {
        if let Some(version) = self.newer {
            return Outcome::Newer(version);
        }
        if let Some(session) = &self.session {
            return Outcome::Session(session);
        }
        match self.spots().into_iter().next() {
            Some(spot) => Outcome::Damaged(spot),
            None if self.knows_all => Outcome::Nothing,
            None => Outcome::Damaged(Spot { offset: 0, reason: "no session record".to_owned() }),
        }
    }

    /// The same without what stands after the last whole batch, which was cut off the file.
    #[must_use]
    pub(crate) fn without_tail(mut self) -> Self {
        self.tail = Tail::default();
        self
    }

    /// The same with damage that is known from somewhere else.
    #[must_use]
    pub(crate) fn with_spots(mut self, spots: Spots) -> Self {
        self.spots.extend(spots);
        self
    }

    /// Damage before the tail.
    pub(crate) const fn known_spots(&self) -> &Spots {
        &self.spots
    }

    /// Takes the line that stands at `place`, its line feed included.
    pub(crate) fn push(&mut self, raw: Raw<'_>, place: Range<u64>) {
        let offset = place.start;
        let (bytes, has_hole) = match raw {
            Raw::Line(bytes) => (bytes, memchr::memchr(0, bytes).is_some()),
            Raw::TooLong { zeros } => {
                let reason = format!("longer than {} bytes", line::MAX_LINE);
                return self.tail.unreadable(Spot { offset, reason }, zeros && offset > 0);
            }
            Raw::Torn(bytes) => return self.torn(bytes, offset),
        };
        if offset == 0 {
            if let Err(reason) = self.header(bytes) {
                let is_ours = self.begins_header(bytes);
                self.tail.unreadable(Spot { offset, reason }, has_hole && is_ours);
            }
            return;
        }
        match self.read(bytes) {
            Err(reason) => self.tail.unreadable(Spot { offset, reason }, has_hole),
            Ok(read) if !self.is_certain && read.at > 1 => self.tail.after_damage = false,
            Ok(read) => {
                self.is_certain = true;
                if let Some(told) = self.tail.read(read, offset) {
                    self.settle(told, place.end);
                    self.anchor = Some(Anchor { offset, hash: line::hash(bytes) });
                }
            }
        }
    }

    /// The same with the first line of the file, where reading began behind it; `None` when it has no end.
    #[must_use]
    pub(crate) fn with_header(mut self, bytes: Option<&[u8]>) -> Self {
        let checked =
            bytes.ok_or_else(|| "no header".to_owned()).and_then(|line| self.header(line));
        if let Err(reason) = checked {
            self.spots.extend(Spots::from(Spot { offset: 0, reason }));
        }
        self
    }

    fn read(&self, bytes: &[u8]) -> Result<Read, String> {
        let line = line::parse(bytes)?;
        let mut told = Told::default();
        match line.body {
            Body::Session(body) => told.session = Some(Arc::new(line.session(body, self.id)?)),
            Body::Record(body) => drop(line.record(body)?),
            Body::Unknown => told.knows_all = false,
        }
        Ok(Read { at: line.at, of: line.of, told })
    }

    /// A whole batch ends here. What was the tail before it is no tail any more.
    fn settle(&mut self, told: Told, end: u64) {
        let tail = std::mem::take(&mut self.tail);
        self.spots.extend(tail.damaged);
        self.spots.extend(tail.holes);
        for told in [tail.told, told] {
            self.knows_all &= told.knows_all;
            self.session = told.session.or_else(|| self.session.take());
        }
        self.whole = end;
    }

    /// The last line of a file, without its line feed.
    fn torn(&mut self, bytes: &[u8], offset: u64) {
        let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let begun = &bytes[..bytes.len() - zeros];
        if offset > 0 {
            self.tail.is_strange |= bytes.is_empty() || !line::begins_line(begun);
        } else if !self.begins_header(bytes) {
            // The beginning of a file that a creator left behind is the beginning of a header. This is not ours.
            self.tail.unreadable(Spot { offset, reason: "no header".to_owned() }, false);
        } else {
            self.tail.is_strange |= begun.contains(&0);
        }
    }

    /// Whether these bytes are the beginning of our header up to the first that is zero.
    fn begins_header(&self, bytes: &[u8]) -> bool {
        let begun = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let begins = |version| line::header_of(version, self.id).as_bytes().starts_with(begun);
        !bytes.is_empty() && (1..=SCHEMA_VERSION).any(begins)
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
}

impl Tail {
    /// Takes a line, and returns what a batch tells that ends with it if all its lines can be read.
    fn read(&mut self, read: Read, offset: u64) -> Option<Told> {
        let Read { at, of, told } = read;
        let after_damage = std::mem::take(&mut self.after_damage);
        let mut batch = match self.batch.take() {
            Some(batch) if batch.continues_with(at, of) => batch,
            unfinished => {
                if let Some(unfinished) = unfinished {
                    self.close(unfinished);
                }
                // The lines before may be those that could not be read.
                if at > 1 && !after_damage {
                    let reason = format!("line {at} of {of} of a batch that never began");
                    self.damaged(Spot { offset, reason });
                    return None;
                }
                // A header is written with the first batch. With a hole in it, the same loss of power made that.
                let is_sound = at == 1 && !self.holes.holds_header();
                Batch { offset, next: at, of, told: Told::default(), is_sound }
            }
        };
        batch.next = at;
        batch.told.add(told);
        self.advance(batch)
    }

    /// Takes a line that cannot be read. It counts as the one that was expected.
    fn unreadable(&mut self, spot: Spot, has_hole: bool) {
        if has_hole {
            self.is_strange = true;
            self.holes.push(spot);
        } else {
            self.damaged(spot);
        }
        self.after_damage = true;
        if let Some(mut batch) = self.batch.take() {
            batch.is_sound = false;
            self.advance(batch);
        }
    }

    fn advance(&mut self, mut batch: Batch) -> Option<Told> {
        if batch.next < batch.of {
            batch.next += 1;
            self.batch = Some(batch);
        } else if batch.is_sound {
            return Some(batch.told);
        } else {
            self.close(batch);
        }
        None
    }

    /// A batch is over that is not whole. Lines that are missing among others that can be read were never there.
    fn close(&mut self, batch: Batch) {
        let Batch { offset, next, of, told, is_sound } = batch;
        if is_sound {
            let reason = format!("only {} of {of} lines of a batch", next - 1);
            self.damaged(Spot { offset, reason });
        } else {
            self.is_strange = true;
            self.told.add(told);
        }
    }

    fn damaged(&mut self, spot: Spot) {
        self.is_strange = true;
        self.damaged.push(spot);
    }
}

impl Batch {
    /// Whether line `at` of `of` is its next one, or a later one where several that cannot be read became one.
    const fn continues_with(&self, at: u32, of: u32) -> bool {
        of == self.of && (at == self.next || (at > self.next && !self.is_sound))
    }
}

impl Told {
    fn add(&mut self, later: Self) {
        self.knows_all &= later.knows_all;
        self.session = later.session.or_else(|| self.session.take());
    }
}

impl Default for Told {
    fn default() -> Self {
        Self { session: None, knows_all: true }
    }
}

impl Anchor {
    /// Whether these are the bytes of the line, without its line feed.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.hash == line::hash(bytes)
    }
}

#[cfg(test)]
mod tests;
