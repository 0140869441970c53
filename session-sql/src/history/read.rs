//! Reading a stretch of a history: one statement along one range of keys, one snapshot.

use rusqlite::Connection;
use session_core::{Order, Reading, Records, Seq, SessionId, StoreError};

use crate::error::SqlError;
use crate::history;
use crate::key::{Key, SessionSeq};

/// The statement for a page in this order: the session's row and, beside it, one record after the other. A session
/// without records in the stretch is one row without a key.
///
/// It is prepared once: it neither says how many are wanted, nor does the order depend on an id that SQLite could look
/// at, for with each other value it would be prepared anew.
pub(crate) fn sql_of_page(order: Order) -> String {
    let direction = match order {
        Order::Forward => "",
        Order::Backward => " DESC",
    };
    format!(
        "SELECT r.key, r.id, r.record, s.seq, s.records FROM sessions AS s LEFT JOIN records AS r \
         ON r.key BETWEEN s.seq << 40 | ?2 AND s.seq << 40 | min(?3, s.records) \
         WHERE s.id = (SELECT ?1) ORDER BY r.key{direction}"
    )
}

/// One page of a history.
///
/// # Errors
/// `NotFound`; whatever SQLite reports.
pub(crate) fn page(
    connection: &Connection,
    id: SessionId,
    reading: &Reading,
) -> Result<Records, SqlError> {
    let highest = |seq: Seq| i64::try_from(seq.get()).unwrap_or(i64::MAX).min((1 << 40) - 1);
    let limit = reading.limit.map_or(-1, |limit| i64::from(limit.get()));
    let mut statement = connection.prepare_cached(&sql_of_page(reading.order))?;
    let values = (id.to_string(), highest(reading.from), highest(reading.to));
    let mut rows = statement.query(values)?;
    let mut walk: Option<Walk> = None;
    let mut is_whole = true;
    let (mut bytes, mut read) = (0, 0);
    while let Some(row) = rows.next()? {
        let walk = match &mut walk {
            Some(walk) => walk,
            None => walk.insert(Walk::new(id, reading, row.get(3)?, row.get(4)?)?),
        };
        let Some(key) = row.get::<_, Option<i64>>(0)?.map(Key::new) else { break };
        if !walk.reaches(key.number()) {
            // Behind what the session counts there is nothing, whatever stands in the table.
            continue;
        }
        bytes += row.get_ref(2)?.as_bytes().unwrap_or_default().len();
        read += 1;
        match history::read_row(row, 0)? {
            Ok(record) => walk.page.records.push(record),
            Err(damage) => {
                walk.page.damaged.push(history::damage(key, Some(id), damage.reason));
            }
        }
        if bytes >= Reading::PAGE_BYTES || read == limit {
            is_whole = false;
            break;
        }
    }
    let walk = walk.ok_or_else(|| StoreError::NotFound { selector: id.to_string() })?;
    Ok(walk.end(is_whole))
}

/// The way through a stretch: what was met, and what should have been.
struct Walk {
    session: SessionSeq,
    id: SessionId,
    reading: Reading,
    /// How many records there are.
    records: u64,
    /// The number that comes next, unless the stretch is at its end.
    expected: Option<u64>,
    page: Records,
}

impl Walk {
    fn new(id: SessionId, reading: &Reading, seq: i64, records: i64) -> Result<Self, StoreError> {
        let records = u64::try_from(records).unwrap_or(0);
        let (from, to) = (reading.from.get(), reading.to.get().min(records));
        let first = match reading.order {
            Order::Forward => from,
            Order::Backward => to,
        };
        Ok(Self {
            session: SessionSeq::new(seq)?,
            id,
            reading: *reading,
            records,
            expected: (from <= to).then_some(first),
            page: Records::default(),
        })
    }

    /// Goes to the record of this number and reports what is missing before it. Says whether it counts.
    fn reaches(&mut self, number: u64) -> bool {
        let Some(expected) = self.expected.filter(|_| (1..=self.records).contains(&number)) else {
            return false;
        };
        let (low, high, next) = match self.reading.order {
            Order::Forward => (expected, number, number.checked_add(1)),
            Order::Backward => (number + 1, expected + 1, number.checked_sub(1)),
        };
        if low < high {
            self.missing(low, high - 1);
        }
        let range = self.reading.from.get()..=self.reading.to.get().min(self.records);
        self.expected = next.filter(|next| range.contains(next));
        true
    }

    fn missing(&mut self, from: u64, to: u64) {
        self.page.damaged.push(history::gap(self.session, self.id, from, to));
    }

    /// The page, of a stretch that was read to its end or of which something is left.
    fn end(mut self, is_whole: bool) -> Records {
        if let Some(expected) = self.expected {
            if is_whole {
                match self.reading.order {
                    Order::Forward => {
                        self.missing(expected, self.reading.to.get().min(self.records));
                    }
                    Order::Backward => self.missing(self.reading.from.get(), expected),
                }
            } else if let Some(seq) = Seq::new(expected) {
                self.page.next = Some(match self.reading.order {
                    Order::Forward => Reading { from: seq, ..self.reading },
                    Order::Backward => Reading { to: seq, ..self.reading },
                });
            }
        }
        self.page
    }
}
