//! The ids of a session's latest records, so that what was appended already is not appended again.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;

use session_core::{RecordId, Seq};

use crate::disk::DiskFile;
use crate::line::{self, Body};
use crate::lines::{self, Lines, Raw};

/// How far back an append looks for records that are there already.
pub(crate) const REACH: u64 = 1 << 20;

/// The ids of all records in the last [`REACH`] bytes of a file, and perhaps of some before.
#[derive(Debug)]
pub(crate) struct Recent {
    inode: u64,
    /// Up to where the file was read.
    whole: u64,
    /// Each with the end of its last line: imported histories may have an id twice, and mean the first.
    numbers: HashMap<RecordId, (Seq, u64)>,
    /// Where each of them ends, in order.
    ends: VecDeque<(u64, RecordId)>,
}

impl Recent {
    /// What the file of this inode with so many whole bytes has, given what was known of it before.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn read(
        known: Option<Self>,
        file: &dyn DiskFile,
        inode: u64,
        whole: u64,
    ) -> io::Result<Self> {
        let reach = whole.saturating_sub(REACH);
        let fits =
            |known: &Self| known.inode == inode && known.whole <= whole && known.whole >= reach;
        let (mut recent, from) = match known.filter(fits) {
            Some(known) => {
                let from = known.whole;
                (known, from)
            }
            None => {
                let (numbers, ends) = (HashMap::new(), VecDeque::new());
                let from = lines::line_start(file, 0, reach)?;
                (Self { inode, whole, numbers, ends }, from)
            }
        };
        recent.scan(file, from..whole)?;
        recent.whole = whole;
        recent.forget_before(reach);
        Ok(recent)
    }

    /// Whether it is what the file of this inode with so many whole bytes has.
    pub(crate) const fn is_of(&self, inode: u64, whole: u64) -> bool {
        self.inode == inode && self.whole == whole
    }

    /// The number of the record with this id.
    pub(crate) fn number(&self, id: &RecordId) -> Option<Seq> {
        self.numbers.get(id).map(|(seq, _)| *seq)
    }

    /// Adds what was appended, after which the file has so many whole bytes.
    pub(crate) fn add(&mut self, records: impl Iterator<Item = (RecordId, Seq)>, whole: u64) {
        self.whole = whole;
        for (id, seq) in records {
            self.insert(id, seq, whole);
        }
        self.forget_before(whole.saturating_sub(REACH));
    }

    fn scan(&mut self, file: &dyn DiskFile, span: Range<u64>) -> io::Result<()> {
        let mut lines = Lines::new(file, span);
        while let Some((raw, place)) = lines.next()? {
            let Raw::Line(bytes) = raw else { continue };
            let key = match line::parse(bytes) {
                Ok(line) => match line.body {
                    Body::Record(body) => line.key(body),
                    _ => continue,
                },
                Err(_) => continue,
            };
            if let Ok((id, seq)) = key {
                self.insert(id, seq, place.end);
            }
        }
        Ok(())
    }

    fn insert(&mut self, id: RecordId, seq: Seq, end: u64) {
        self.ends.push_back((end, id.clone()));
        self.numbers.entry(id).or_insert((seq, end)).1 = end;
    }

    /// A record of which a part stands in reach is kept.
    fn forget_before(&mut self, reach: u64) {
        while let Some((end, _)) = self.ends.front()
            && *end <= reach
        {
            if let Some((end, id)) = self.ends.pop_front()
                && self.numbers.get(&id).is_some_and(|(_, last)| *last == end)
            {
                self.numbers.remove(&id);
            }
        }
    }
}
