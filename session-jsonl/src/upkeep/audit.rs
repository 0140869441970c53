//! One file, line by line: what counts, what does not and why, and what is missing.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use session_core::{Record, Session, SessionId};

use super::tally::Tally;
use crate::SCHEMA_VERSION;
use crate::disk::DiskFile;
use crate::line::{self, Body};
use crate::lines::{Lines, Raw};
use crate::replay::Spot;

/// What is done with each line of a file, in the order of the file.
pub(crate) trait Sink {
    /// A line that counts, its line feed left out.
    fn good(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Bytes that do not.
    fn bad(&mut self, place: Range<u64>, reason: &str) -> io::Result<()>;

    /// The records with these numbers are missing here.
    fn missing(&mut self, numbers: RangeInclusive<u64>, reason: &str) -> io::Result<()>;

    /// Lines that were said to be good since `mark` turned out not to be: they stand at `place`.
    fn revoke(&mut self, mark: u64, place: Range<u64>, reason: &str) -> io::Result<()>;

    /// A point that can be gone back to.
    fn mark(&self) -> u64;

    /// A line of several that stand glued together, which counts by itself from now on.
    fn split(&mut self, place: Range<u64>) -> io::Result<()>;
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    /// Lines that do not count, up to a number.
    pub(crate) spots: Vec<Spot>,
    /// What is missing or contradicts itself, in words.
    pub(crate) faults: Vec<String>,
    /// How many records can be read.
    pub(crate) records: u64,
    /// The session as it ought to be, if its last state is not.
    pub(crate) mended: Option<Session>,
    /// Numbers that no record has.
    pub(crate) missing: Vec<RangeInclusive<u64>>,
}

/// So many lines of one file are told apart.
const SPOTS: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Beside {
    at: u32,
    of: u32,
}

/// The walk through a file.
struct Walk<'a, S> {
    id: SessionId,
    sink: &'a mut S,
    finding: Finding,
    more: u64,
    tally: Tally,
    /// Why the last line that does not count does not.
    last_reason: Option<String>,
    /// The last line that can be read, if nothing unreadable stands behind it.
    beside: Option<Beside>,
    after_damage: bool,
    /// The batch that the last line is part of: where it begins, a mark, and what was counted before it.
    batch: (u64, u64, Tally, usize),
    is_skipping: bool,
    /// How many records the last state counts.
    stated: u64,
}

/// Goes through the lines of the file of a session up to `whole`, where it has this state, with `split_glued` also
/// through those that stand glued together.
///
/// # Errors
/// What the disk and the sink report.
pub(crate) fn audit<S: Sink>(
    file: &dyn DiskFile,
    session: &Arc<Session>,
    whole: u64,
    sink: &mut S,
) -> io::Result<Finding> {
    let mark = sink.mark();
    let mut walk = Walk {
        id: session.id(),
        sink,
        finding: Finding::default(),
        more: 0,
        tally: Tally::default(),
        last_reason: None,
        beside: None,
        after_damage: false,
        batch: (0, mark, Tally::default(), 0),
        is_skipping: false,
        stated: session.totals().records,
    };
    let mut lines = Lines::new(file, 0..whole);
    while let Some((raw, place)) = lines.next()? {
        walk.line(raw, place)?;
    }
    walk.finish(session)
}

impl<S: Sink> Walk<'_, S> {
    fn line(&mut self, raw: Raw<'_>, place: Range<u64>) -> io::Result<()> {
        let bytes = match raw {
            Raw::Line(bytes) => bytes,
            Raw::TooLong { .. } => {
                return self.bad(place, format!("longer than {} bytes", line::MAX_LINE));
            }
            Raw::Torn(_) => return self.bad(place, "it has no end".to_owned()),
        };
        if place.start == 0 {
            return match self.header(bytes) {
                Ok(()) => self.sink.good(bytes),
                Err(reason) => self.bad(place, reason),
            };
        }
        match self.read(bytes) {
            Ok(read) => self.good(bytes, read, place),
            Err(reason) => {
                let parts = self.parts(bytes);
                if parts.is_empty() {
                    return self.bad(place, reason);
                }
                self.spot(place.start, reason);
                self.sink.split(place.clone())?;
                for part in parts {
                    let place = place.start..place.end;
                    match self.read(part) {
                        Ok(read) => self.good(part, read, place)?,
                        Err(reason) => self.bad(place, reason)?,
                    }
                }
                Ok(())
            }
        }
    }

    fn header(&self, bytes: &[u8]) -> Result<(), String> {
        let header = line::parse_header(bytes)?;
        if header.version <= SCHEMA_VERSION && header.id == Some(self.id) {
            Ok(())
        } else {
            Err("the header of another session's file".to_owned())
        }
    }

    /// Reads a line as far as it has to be right.
    fn read(&self, bytes: &[u8]) -> Result<(Beside, Option<Record>), String> {
        let line = line::parse(bytes)?;
        let mut record = None;
        match line.body {
            Body::Session(body) => drop(line.session(body, self.id)?),
            Body::Record(body) => record = Some(line.record(body)?),
            Body::Unknown => {}
        }
        if let Some(record) = &record {
            let number = record.seq.get();
            let leaps = number > self.tally.last + 1 && number > self.stated;
            if number <= self.tally.last || leaps {
                return Err(format!("its number {number} does not fit between those beside it"));
            }
        }
        Ok((Beside { at: line.at, of: line.of }, record))
    }

    /// The whole lines of this file that stand glued together here; none when anything else does.
    fn parts<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
        let values = serde_json::Deserializer::from_str(text);
        let values: Result<Vec<&serde_json::value::RawValue>, _> = values.into_iter().collect();
        let Ok(values) = values else { return Vec::new() };
        let is_line = |value: &&serde_json::value::RawValue| {
            line::parse(value.get().as_bytes()).is_ok_and(|line| match line.body {
                Body::Session(body) => line.session(body, self.id).is_ok(),
                Body::Record(body) => line.record(body).is_ok(),
                Body::Unknown => false,
            })
        };
        if values.len() < 2 || !values.iter().all(is_line) {
            return Vec::new();
        }
        values.into_iter().map(|value| value.get().as_bytes()).collect()
    }

    fn good(
        &mut self,
        bytes: &[u8],
        (here, record): (Beside, Option<Record>),
        place: Range<u64>,
    ) -> io::Result<()> {
        if let Some(before) = self.beside {
            // Lines that cannot be read count as those that were expected.
            if !self.after_damage && !fits(before, here) {
                self.broken(before, here, place.start)?;
            }
        } else if !self.after_damage && here.at > 1 {
            self.is_skipping = true;
        }
        let goes_on = |before: Beside| before.of == here.of && before.at < here.at;
        let is_begun_unread = self.after_damage && !self.beside.is_some_and(goes_on);
        if here.at == 1 || is_begun_unread {
            self.is_skipping = false;
            self.batch =
                (place.start, self.sink.mark(), self.tally.clone(), self.finding.missing.len());
        }
        if self.is_skipping {
            let Beside { at, of } = here;
            let reason = format!("line {at} of {of} of a batch that never began");
            self.spot(place.start, reason.clone());
            self.beside = None;
            return self.sink.bad(place, &reason);
        }
        (self.beside, self.after_damage) = (Some(here), false);
        if let Some(record) = record {
            let next = self.tally.last + 1;
            if record.seq.get() > next {
                self.missing(next..=record.seq.get() - 1)?;
            }
            self.tally.add(&record);
        }
        self.sink.good(bytes)
    }

    /// A batch that was begun and not finished is none.
    fn broken(&mut self, before: Beside, here: Beside, offset: u64) -> io::Result<()> {
        if before.at < before.of {
            let reason = format!("only {} of {} lines of a batch", before.at, before.of);
            let (begin, mark, tally, gaps) = self.batch.clone();
            self.spot(begin, reason.clone());
            self.tally = tally;
            self.finding.missing.truncate(gaps);
            self.sink.revoke(mark, begin..offset, &reason)?;
        }
        self.is_skipping = here.at > 1;
        Ok(())
    }

    fn missing(&mut self, numbers: RangeInclusive<u64>) -> io::Result<()> {
        let reason = self.last_reason.take();
        self.sink.missing(numbers.clone(), reason.as_deref().unwrap_or("it is missing"))?;
        self.finding.missing.push(numbers);
        Ok(())
    }

    fn bad(&mut self, place: Range<u64>, reason: String) -> io::Result<()> {
        self.sink.bad(place.clone(), &reason)?;
        self.after_damage = place.start > 0;
        self.is_skipping = false;
        self.spot(place.start, reason);
        Ok(())
    }

    fn spot(&mut self, offset: u64, reason: String) {
        self.last_reason = Some(reason.clone());
        if self.finding.spots.len() < SPOTS {
            self.finding.spots.push(Spot { offset, reason });
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self, session: &Session) -> io::Result<Finding> {
        if self.stated > self.tally.last {
            self.missing(self.tally.last + 1..=self.stated)?;
        }
        if let Some(last) = self.finding.spots.last_mut()
            && self.more > 0
        {
            last.reason = format!("{}; so are {} later lines", last.reason, self.more);
        }
        for numbers in &self.finding.missing {
            let (from, to) = numbers.clone().into_inner();
            self.finding.faults.push(match from == to {
                true => format!("record {from} is missing"),
                false => format!("records {from} to {to} are missing"),
            });
        }
        let disagreement = self.tally.disagreement(session);
        if disagreement.is_some() || !self.finding.missing.is_empty() {
            let mut mended = session.clone();
            self.tally.put_into(&mut mended);
            self.finding.mended = Some(mended);
        }
        self.finding.faults.extend(disagreement);
        self.finding.records = self.tally.records;
        Ok(self.finding)
    }
}

/// Whether one line follows another in a batch, or one batch another.
const fn fits(earlier: Beside, later: Beside) -> bool {
    if earlier.at == earlier.of {
        later.at == 1
    } else {
        earlier.of == later.of && later.at == earlier.at + 1
    }
}

/// What nothing is done with.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Sink for Nothing {
    fn good(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn bad(&mut self, _place: Range<u64>, _reason: &str) -> io::Result<()> {
        Ok(())
    }

    fn missing(&mut self, _numbers: RangeInclusive<u64>, _reason: &str) -> io::Result<()> {
        Ok(())
    }

    fn revoke(&mut self, _mark: u64, _place: Range<u64>, _reason: &str) -> io::Result<()> {
        Ok(())
    }

    fn mark(&self) -> u64 {
        0
    }

    fn split(&mut self, _place: Range<u64>) -> io::Result<()> {
        Ok(())
    }
}
