//! One page of a history, line by line.

use std::ops::Range;

use session_core::{Order, Reading, Record, Seq};

use crate::line::{self, Body};
use crate::lines::Raw;
use crate::replay::{Spot, Spots};

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Stop,
}

/// Some records of a stretch, in its order.
#[derive(Debug)]
pub(super) struct Page<'a> {
    reading: &'a Reading,
    /// The number of the last record that there is.
    records_there: u64,
    records: Vec<Record>,
    bytes: usize,
    /// The last record and its line.
    last: Option<(Seq, Range<u64>)>,
    spots: Spots,
    /// The readable line beside the next one, in reading order.
    beside: Option<Beside>,
    /// How many records the page had when the batch of that line was met.
    before_batch: usize,
    /// Lines up to the end of the batch are none.
    is_skipping: bool,
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Beside {
    at: u32,
    of: u32,
    offset: u64,
}

impl<'a> Page<'a> {
    pub(super) fn new(reading: &'a Reading, records_there: u64) -> Self {
        Self {
            reading,
            records_there,
            records: Vec::new(),
            bytes: 0,
            last: None,
            spots: Spots::default(),
            beside: None,
            before_batch: 0,
            is_skipping: false,
            is_over: false,
        }
    }

    /// The last record and where its line stands.
    pub(super) fn last(&self) -> Option<(Seq, Range<u64>)> {
        self.last.clone()
    }

    /// Whether nothing of the stretch can follow.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The records, and the lines that cannot be read, these others included.
    pub(super) fn finish(self, others: Vec<Spot>) -> (Vec<Record>, Vec<Spot>) {
        let mut spots = self.spots;
        others.into_iter().for_each(|spot| spots.push(spot));
        (self.records, spots.into_vec())
    }

    /// Takes the next line in reading order.
    pub(super) fn take(&mut self, raw: Raw<'_>, place: Range<u64>) -> Flow {
        let offset = place.start;
        let bytes = match raw {
            // The header is no line of the history.
            _ if offset == 0 => return Flow::Go,
            Raw::Line(bytes) => bytes,
            Raw::TooLong { .. } => {
                return self.unreadable(offset, format!("longer than {} bytes", line::MAX_LINE));
            }
            Raw::Torn(_) => return self.unreadable(offset, "it has no end".to_owned()),
        };
        if let Some(seq) = line::glance(bytes)
            && self.is_before(seq)
        {
            self.pass();
            return Flow::Go;
        }
        let line = match line::parse(bytes) {
            Ok(line) => line,
            Err(reason) => return self.unreadable(offset, reason),
        };
        // Only a line that can be read says anything about those beside it.
        let record = match line.body {
            Body::Record(body) => {
                if let Some(seq) = line::glance(bytes)
                    && self.is_beyond(seq)
                {
                    self.is_over = true;
                    return Flow::Stop;
                }
                line.record(body).map(Some)
            }
            Body::Session(_) => line.skim().map(|()| None),
            Body::Unknown => Ok(None),
        };
        let record = match record {
            Ok(record) => record,
            Err(reason) => return self.unreadable(offset, reason),
        };
        self.link(line.at, line.of, offset);
        match record {
            Some(record) if !self.is_skipping => self.record(record, bytes.len(), place),
            _ => Flow::Go,
        }
    }

    fn record(&mut self, record: Record, length: usize, place: Range<u64>) -> Flow {
        let seq = record.seq;
        if self.is_before(seq) {
            self.pass();
            return Flow::Go;
        }
        if self.is_beyond(seq) {
            self.is_over = true;
            return Flow::Stop;
        }
        let follows = self.last.as_ref().is_none_or(|(last, _)| match self.reading.order {
            Order::Forward => seq > *last,
            Order::Backward => seq < *last,
        });
        if !follows || seq.get() > self.records_there {
            let reason = format!("its number {seq} does not fit between those beside it");
            self.spots.push(Spot { offset: place.start, reason });
            return Flow::Go;
        }
        self.records.push(record);
        self.bytes += length;
        self.last = Some((seq, place));
        let limit = self.reading.limit.map_or(usize::MAX, |limit| limit.get() as usize);
        if self.records.len() >= limit || self.bytes >= Reading::PAGE_BYTES {
            return Flow::Stop;
        }
        Flow::Go
    }

    /// Whether a record comes before the stretch, in reading order.
    fn is_before(&self, seq: Seq) -> bool {
        match self.reading.order {
            Order::Forward => seq < self.reading.from,
            Order::Backward => seq > self.reading.to && seq.get() <= self.records_there,
        }
    }

    /// Whether it comes after it.
    fn is_beyond(&self, seq: Seq) -> bool {
        match self.reading.order {
            Order::Forward => seq > self.reading.to && seq.get() <= self.records_there,
            Order::Backward => seq < self.reading.from,
        }
    }

    /// A record before the stretch: what was met so far belongs to others.
    fn pass(&mut self) {
        if self.records.is_empty() {
            self.spots = Spots::default();
        }
        (self.beside, self.is_skipping) = (None, false);
    }

    fn unreadable(&mut self, offset: u64, reason: String) -> Flow {
        self.spots.push(Spot { offset, reason });
        (self.beside, self.is_skipping) = (None, false);
        self.before_batch = self.records.len();
        Flow::Go
    }

    /// Looks whether a line fits with the one beside it.
    fn link(&mut self, at: u32, of: u32, offset: u64) {
        let here = Beside { at, of, offset };
        let beside = self.beside.replace(here);
        let (begins_here, fits) = match (self.reading.order, beside) {
            (Order::Forward, None) => (true, true),
            (Order::Backward, None) => (true, true),
            (Order::Forward, Some(before)) => (at == 1, fit(before, here)),
            (Order::Backward, Some(after)) => (at == of, fit(here, after)),
        };
        if let (false, Some(beside)) = (fits, beside) {
            let (earlier, later) = match self.reading.order {
                Order::Forward => (beside, here),
                Order::Backward => (here, beside),
            };
            self.broken(earlier, later);
        } else if begins_here {
            self.is_skipping = false;
        }
        if begins_here {
            self.before_batch = self.records.len();
        }
    }

    /// Two lines side by side are of two batches of which one was not finished or the other not begun.
    fn broken(&mut self, earlier: Beside, later: Beside) {
        let is_cut = earlier.at < earlier.of;
        let is_headless = later.at > 1;
        if is_cut {
            let Beside { at, of, offset } = earlier;
            let reason = format!("the last of {at} of {of} lines of a batch");
            self.spots.push(Spot { offset, reason });
        }
        if is_headless {
            let Beside { at, of, offset } = later;
            let reason = format!("line {at} of {of} of a batch that never began");
            self.spots.push(Spot { offset, reason });
        }
        let (behind, ahead) = match self.reading.order {
            Order::Forward => (is_cut, is_headless),
            Order::Backward => (is_headless, is_cut),
        };
        if behind {
            self.records.truncate(self.before_batch);
        }
        self.is_skipping = ahead;
    }
}

/// Whether one line follows another in a batch, or one batch another.
const fn fit(earlier: Beside, later: Beside) -> bool {
    if earlier.at == earlier.of {
        later.at == 1
    } else {
        earlier.of == later.of && later.at == earlier.at + 1
    }
}
