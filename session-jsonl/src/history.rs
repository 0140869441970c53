//! Reading a stretch of a history: where it begins in the file, and the lines from there on, in either direction.
//!
//! Before the end of the last whole batch, every line that can be read counts by itself. Only where two lines stand
//! side by side that do not fit, and nothing unreadable between them, was a batch begun and not finished.

mod page;
mod seek;

use std::io;
use std::sync::Arc;

use session_core::{Order, Reading, Records, Seq};

use crate::directory::Loaded;
use crate::disk::DiskFile;
use crate::lines::{Backward, Lines};
use crate::replay::Spot;

use page::{Flow, Page};

/// A history in a file, as far as it was loaded.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    pub(crate) file: &'a dyn DiskFile,
    pub(crate) loaded: &'a Loaded,
    /// The number of the last record.
    pub(crate) records: u64,
}

/// Where a page ended, for whoever reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) inode: u64,
    pub(crate) order: Order,
    /// The record that comes next.
    pub(crate) seq: Seq,
    /// Where its line begins at the earliest, or ends at the latest in a backward page.
    pub(crate) offset: u64,
}

impl Stretch<'_> {
    /// One page of the stretch, and where the next one begins.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn read(
        &self,
        reading: &Reading,
        hint: Option<Hint>,
    ) -> io::Result<(Records, Option<Hint>)> {
        let (mut page, spots, hint) = self.read_spots(reading, hint)?;
        page.damaged = spots.iter().map(|spot| self.loaded.damage_at(spot)).collect();
        Ok((page, hint))
    }

    /// The same with the lines that cannot be read beside it.
    fn read_spots(
        &self,
        reading: &Reading,
        hint: Option<Hint>,
    ) -> io::Result<(Records, Vec<Spot>, Option<Hint>)> {
        let whole = self.loaded.whole();
        let is_known = |hint: &Hint| {
            let next = match reading.order {
                Order::Forward => reading.from,
                Order::Backward => reading.to,
            };
            let same_file = hint.inode == self.loaded.stamp.inode && hint.offset <= whole;
            same_file && hint.order == reading.order && hint.seq == next
        };
        let hint = hint.filter(is_known);
        let mut page = Page::new(reading, self.records);
        let over = match reading.order {
            _ if reading.from > reading.to => true,
            Order::Forward => {
                let from = match hint {
                    Some(hint) => hint.offset,
                    None => seek::before(self.file, whole, reading.from)?,
                };
                let mut lines = Lines::new(self.file, from..whole);
                loop {
                    let Some((raw, place)) = lines.next()? else { break true };
                    if page.take(raw, place) == Flow::Stop {
                        break page.is_over();
                    }
                }
            }
            Order::Backward => {
                let to = match hint {
                    Some(hint) => hint.offset,
                    None if reading.to.get() >= self.records => whole,
                    None => seek::behind(self.file, whole, reading.to)?,
                };
                let mut lines = Backward::new(self.file, 0..to);
                loop {
                    let Some((raw, place)) = lines.next()? else { break true };
                    if page.take(raw, place) == Flow::Stop {
                        break page.is_over();
                    }
                }
            }
        };
        // What stands behind the last whole batch belongs to the end of the history.
        let has_end = match reading.order {
            Order::Forward => over,
            Order::Backward => true,
        };
        let tail =
            if has_end && reading.to.get() > self.records { self.tail() } else { Vec::new() };
        let last = page.last().filter(|_| !over);
        let hint = last.as_ref().and_then(|(seq, place)| {
            let (seq, offset) = match reading.order {
                Order::Forward => (seq.next(), place.end),
                Order::Backward => (seq.previous()?, place.start),
            };
            Some(Hint { inode: self.loaded.stamp.inode, order: reading.order, seq, offset })
        });
        let next = last.and_then(|(seq, _)| (*reading).beyond(seq)).filter(|rest| {
            // A record that is not there yet belongs to another reading.
            rest.from.get() <= self.records
        });
        let (records, spots) = page.finish(tail);
        Ok((Records { records, damaged: Vec::new(), next }, spots, hint))
    }

    fn tail(&self) -> Vec<Spot> {
        self.loaded.replay().tail_spots()
    }
}

/// Gives every record of a file to `sink`, and every line that cannot be read.
///
/// # Errors
/// What the disk reports.
pub(crate) fn each(
    file: &dyn DiskFile,
    loaded: &Arc<Loaded>,
    records: u64,
    mut sink: impl FnMut(Result<session_core::Record, Spot>),
) -> io::Result<()> {
    let stretch = Stretch { file, loaded, records };
    let (mut next, mut hint) = (Some(Reading::ALL), None);
    while let Some(reading) = next {
        let (mut page, spots);
        (page, spots, hint) = stretch.read_spots(&reading, hint)?;
        next = page.next.take();
        page.records.into_iter().for_each(|record| sink(Ok(record)));
        spots.into_iter().for_each(|spot| sink(Err(spot)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
