//! Copying what can be read of a damaged database into a fresh one.
//!
//! Tables are read along their own pages only, never along an index, which may say something else: indexes come anew
//! with the rows. A page that cannot be read costs the rows that are on it or below it. It is passed by going on from
//! the other end, and what is left between is cut in halves until nothing unread can be in a part.

use std::collections::VecDeque;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row, Statement, params_from_iter};
use session_core::Damage;

use crate::error::SqlError;
use crate::schema::{self, Contents, TABLES};

/// How many parts of a table are tried: enough for every row of a few lost pages, and an end for those who lost all.
const MOST_PARTS: u32 = 200_000;

/// How many rowids are tried at the end of a table of which no later row can be read.
const LEAST_BOUND: i64 = 4_096;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    /// How many rows were copied.
    pub(crate) rows: u64,
    /// What could not be read, and rows that could not be put into the fresh database.
    pub(crate) damaged: Vec<Damage>,
}

/// Copies every table of `target`, which has no rows yet but those that every new store has.
///
/// # Errors
/// Whatever goes wrong, except that something cannot be read in `source`.
pub(crate) fn salvage(source: &Connection, target: &Connection) -> Result<Salvaged, SqlError> {
    let mut salvaged = Salvaged::default();
    for table in TABLES {
        if !schema::has_table(target, table.name)? {
            // It came with a later version.
            continue;
        }
        match table.contents {
            Contents::Derived(sql) => _ = target.execute(sql, [])?,
            _ if !schema::has_table(source, table.name)? => {
                let reason = "the table is missing".to_owned();
                salvaged.damaged.push(Damage { place: table.name.to_owned(), reason });
            }
            Contents::Rows => Rows::new(source, target, table.name)?.copy(&mut salvaged)?,
            Contents::Keyed(key) => keyed(source, target, table.name, key, &mut salvaged)?,
        }
    }
    Ok(salvaged)
}

/// A table with rowids.
struct Rows<'a> {
    table: &'static str,
    upwards: Statement<'a>,
    downwards: Statement<'a>,
    insert: Statement<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Rowids from and to which nothing was read, and why.
#[derive(Clone, Debug)]
struct Gap {
    low: i64,
    high: i64,
    reason: String,
}

impl<'a> Rows<'a> {
    fn new(
        source: &'a Connection,
        target: &'a Connection,
        table: &'static str,
    ) -> Result<Self, SqlError> {
        let columns = columns(target, table, COLUMNS_BUT_ROWID)?.join(", ");
        let select = |order| {
            format!(
                "SELECT rowid, {columns} FROM {table} NOT INDEXED \
                 WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid {order}"
            )
        };
        let (upwards, downwards) =
            (source.prepare(&select("ASC"))?, source.prepare(&select("DESC"))?);
        let values = ", ?".repeat(upwards.column_count() - 1);
        let insert = format!("INSERT INTO {table} (rowid, {columns}) VALUES (?{values})");
        Ok(Self { table, upwards, downwards, insert: target.prepare(&insert)? })
    }

    fn copy(mut self, salvaged: &mut Salvaged) -> Result<(), SqlError> {
        let mut lost: Vec<Gap> = Vec::new();
        let mut parts = VecDeque::new();
        if let Some(gap) = self.part(1, i64::MAX, salvaged)? {
            let high = if gap.high < i64::MAX { gap.high } else { self.bound(gap.low)? };
            if high < gap.high {
                lost.push(Gap { low: high + 1, ..gap.clone() });
            }
            parts.push_back(Gap { high, ..gap });
        }
        let mut tried = 0;
        while let Some(gap) = parts.pop_front() {
            if gap.low == gap.high || tried >= MOST_PARTS {
                lost.push(gap);
                continue;
            }
            let middle = gap.low + (gap.high - gap.low) / 2;
            for (low, high) in [(gap.low, middle), (middle + 1, gap.high)] {
                parts.extend(self.part(low, high, salvaged)?);
                tried += 1;
            }
        }
        lost.sort_by_key(|gap| gap.low);
        lost.dedup_by(|next, gap| {
            let adjacent = gap.high.checked_add(1) == Some(next.low);
            if adjacent {
                gap.high = next.high;
            }
            adjacent
        });
        salvaged.damaged.extend(lost.into_iter().map(|gap| {
            let place = match gap.high {
                i64::MAX => format!("{} rows from {}", self.table, gap.low),
                high if high == gap.low => format!("{} row {high}", self.table),
                high => format!("{} rows {} to {high}", self.table, gap.low),
            };
            Damage { place, reason: gap.reason }
        }));
        Ok(())
    }

    /// Copies a part from both ends: what is left between them.
    fn part(
        &mut self,
        low: i64,
        high: i64,
        salvaged: &mut Salvaged,
    ) -> Result<Option<Gap>, SqlError> {
        let Some(gap) = self.run(Direction::Up, low, high, salvaged)? else { return Ok(None) };
        let left = self.run(Direction::Down, gap.low, high, salvaged)?;
        Ok(left.filter(|left| left.low <= left.high))
    }

    /// A rowid beyond which nothing can be read, when the end of the table cannot. Rows that can be read are looked for
    /// in steps that double, and there may be as many again behind the last one that is found so.
    fn bound(&mut self, low: i64) -> Result<i64, SqlError> {
        let mut bound = LEAST_BOUND;
        for power in 0..62 {
            let step = 1_i64 << power;
            let start = low.saturating_add(step);
            match self.upwards.query([start, i64::MAX])?.next().map_err(SqlError::from) {
                Ok(Some(_)) => bound = bound.max(step * 2),
                Err(error) if !error.is_unreadable() => return Err(error),
                _ => {}
            }
        }
        Ok(low.saturating_add(bound))
    }

    /// Copies rows until one cannot be read: what is left then.
    fn run(
        &mut self,
        direction: Direction,
        low: i64,
        high: i64,
        salvaged: &mut Salvaged,
    ) -> Result<Option<Gap>, SqlError> {
        let statement = match direction {
            Direction::Up => &mut self.upwards,
            Direction::Down => &mut self.downwards,
        };
        let mut left = Gap { low, high, reason: String::new() };
        let mut rows = statement.query([low, high])?;
        loop {
            let row = match rows.next().map_err(SqlError::from) {
                Ok(None) => return Ok(None),
                Ok(Some(row)) => row,
                Err(error) if error.is_unreadable() => {
                    left.reason = error.to_string();
                    return Ok(Some(left));
                }
                Err(error) => return Err(error),
            };
            let rowid: i64 = row.get(0)?;
            if !(left.low..=left.high).contains(&rowid) {
                left.reason = format!("row {rowid} stands out of order");
                return Ok(Some(left));
            }
            insert(&mut self.insert, row, salvaged, || format!("{} row {rowid}", self.table))?;
            match direction {
                Direction::Up if rowid < high => left.low = rowid + 1,
                Direction::Down if rowid > low => left.high = rowid - 1,
                _ => return Ok(None),
            }
        }
    }
}

/// Copies a table without rowids from both ends.
fn keyed(
    source: &Connection,
    target: &Connection,
    table: &str,
    key: &str,
    salvaged: &mut Salvaged,
) -> Result<(), SqlError> {
    let columns = columns(target, table, COLUMNS)?.join(", ");
    for order in ["ASC", "DESC"] {
        let mut select =
            source.prepare(&format!("SELECT {columns} FROM {table} ORDER BY {key} {order}"))?;
        let values = vec!["?"; select.column_count()].join(", ");
        let sql = format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES ({values})");
        let mut replace = target.prepare(&sql)?;
        let mut rows = select.query([])?;
        loop {
            match rows.next().map_err(SqlError::from) {
                Ok(None) => return Ok(()),
                Ok(Some(row)) => insert(&mut replace, row, salvaged, || table.to_owned())?,
                Err(error) if error.is_unreadable() => {
                    if order == "DESC" {
                        let reason = error.to_string();
                        salvaged.damaged.push(Damage { place: table.to_owned(), reason });
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Puts a row into the fresh database, byte for byte, unless what stands in it may not stand there.
fn insert(
    statement: &mut Statement<'_>,
    row: &Row<'_>,
    salvaged: &mut Salvaged,
    place: impl FnOnce() -> String,
) -> Result<(), SqlError> {
    let values: Result<Vec<_>, _> = (0..statement.parameter_count())
        .map(|index| row.get_ref(index).map(ToSqlOutput::Borrowed))
        .collect();
    match statement.execute(params_from_iter(values?)).map_err(SqlError::from) {
        Ok(_) => salvaged.rows += 1,
        Err(error) if error.is_constraint() => {
            salvaged.damaged.push(Damage { place: place(), reason: error.to_string() });
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// All columns of a table.
const COLUMNS: &str = "SELECT name FROM pragma_table_info(?1) t";

/// Those that are not the rowid by another name.
const COLUMNS_BUT_ROWID: &str = "SELECT name FROM pragma_table_info(?1) t WHERE NOT (t.pk = 1 \
     AND t.type = 'INTEGER' AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) = 1)";

fn columns(connection: &Connection, table: &str, sql: &str) -> Result<Vec<String>, SqlError> {
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}
