//! Numbers of documents: the millisecond of a record, and a number among those of the same millisecond.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};
use session_core::Timestamp;

use crate::error::SqlError;

/// 0001-01-01T00:00:00Z, the earliest time that a record can have, in milliseconds since 1970.
const EARLIEST: i64 = -62_135_596_800_000;

/// How milliseconds become numbers of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// How many bits number the records of one millisecond.
    bits: u32,
}

impl Default for Scale {
    fn default() -> Self {
        Self { bits: 14 }
    }
}

impl Scale {
    /// Another scale than the one of the format, so that a test can fill a millisecond.
    #[cfg(test)]
    pub(crate) const fn of_bits(bits: u32) -> Self {
        Self { bits }
    }

    /// The first number of the millisecond `millis` since 1970, which may lie outside of what a record can have.
    pub(crate) const fn first(self, millis: i64) -> i64 {
        millis.saturating_sub(EARLIEST).saturating_mul(1 << self.bits)
    }

    /// The millisecond whose number this is: no record that has it is later.
    pub(crate) const fn millis(self, docid: i64) -> i64 {
        (docid >> self.bits) + EARLIEST
    }
}

/// Gives numbers that are free, in one transaction.
#[derive(Debug)]
pub(crate) struct Numbering {
    scale: Scale,
    /// The next free number of a millisecond, as far as it was looked up.
    next: HashMap<i64, i64>,
    /// How many milliseconds the number of a record is behind its time at most.
    displacement: i64,
    is_displaced: bool,
}

impl Numbering {
    pub(crate) fn new(connection: &Connection, scale: Scale) -> Result<Self, SqlError> {
        let displacement = displacement(connection)?;
        Ok(Self { scale, next: HashMap::new(), displacement, is_displaced: false })
    }

    /// A free number for a record of this time: of its millisecond, or of the next that has room.
    pub(crate) fn take(&mut self, connection: &Connection, at: Timestamp) -> Result<i64, SqlError> {
        let millis = at.as_millis();
        let free = match self.next.get(&millis) {
            Some(free) => *free,
            None => self.scale.first(millis),
        };
        let docid = self.free_from(connection, free)?;
        self.next.insert(millis, docid + 1);
        let displacement = self.scale.millis(docid) - millis;
        if displacement > self.displacement {
            self.displacement = displacement;
            self.is_displaced = true;
        }
        Ok(docid)
    }

    /// The first number from `free` on with nothing behind it in its millisecond.
    fn free_from(&self, connection: &Connection, mut free: i64) -> Result<i64, SqlError> {
        let sql = "SELECT max(docid) FROM docs WHERE docid BETWEEN ?1 AND ?2";
        let mut statement = connection.prepare_cached(sql)?;
        loop {
            let last = self.scale.first(self.scale.millis(free) + 1) - 1;
            let taken: Option<i64> = statement.query_row([free, last], |row| row.get(0))?;
            match taken {
                None => return Ok(free),
                Some(taken) if taken < last => return Ok(taken + 1),
                Some(_) => free = last + 1,
            }
        }
    }

    /// Keeps how far numbers are behind their times.
    pub(crate) fn keep(self, connection: &Connection) -> Result<(), SqlError> {
        if self.is_displaced {
            let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES ('displacement', ?1)";
            connection.prepare_cached(sql)?.execute([self.displacement])?;
        }
        Ok(())
    }
}

/// How many milliseconds the number of a record is behind its time at most.
pub(crate) fn displacement(connection: &Connection) -> Result<i64, SqlError> {
    let sql = "SELECT value FROM meta WHERE key = 'displacement'";
    let kept = connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(kept.unwrap_or(0))
}
