//! Looking for damage: of pages, of indexes, and of records.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::ffi::SQLITE_IOERR_READ;
use session_core::{CheckReport, Damage};

use crate::audit::Audit;
use crate::error::{SqlError, is_damage_by_code};
use crate::row::{self, COLUMNS};

/// How closely `SqlStore::check` looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Depth {
    /// At the structure of every page. It reads the whole database once.
    Quick,
    /// Also at whether indexes say what their tables say, and at every record.
    Full,
}

/// How much damage is listed.
const MOST: u32 = 1_000;

/// What is there, and what is damaged, as far as `depth` says. Numbers are counted with [`Depth::Full`] alone.
///
/// # Errors
/// Whatever SQLite reports, except that something is damaged.
pub(crate) fn report(snapshot: &Connection, depth: Depth) -> Result<CheckReport, SqlError> {
    let mut damaged = structure(snapshot, depth)?;
    let mut audit = Audit::default();
    if depth == Depth::Full {
        let looked = audit.look(snapshot);
        caught(looked, "the database", &mut damaged)?;
    }
    let mut report = audit.report();
    damaged.append(&mut report.damaged);
    Ok(CheckReport { damaged, ..report })
}

/// What is damaged of pages and indexes.
///
/// # Errors
/// As [`report`].
pub(crate) fn structure(connection: &Connection, depth: Depth) -> Result<Vec<Damage>, SqlError> {
    let mut damaged = Vec::new();
    let found = pages(connection, depth, &mut damaged);
    caught(found, "the database", &mut damaged)?;
    Ok(damaged)
}

/// Puts damage that ended a search where the rest of it is.
fn caught(
    searched: Result<(), SqlError>,
    place: &str,
    damaged: &mut Vec<Damage>,
) -> Result<(), SqlError> {
    match searched {
        Err(error) if error.is_damage() => {
            // Most often it has been found already, and told better.
            if damaged.is_empty() {
                damaged.push(Damage { place: place.to_owned(), reason: error.to_string() });
            }
            Ok(())
        }
        searched => searched,
    }
}

fn pages(connection: &Connection, depth: Depth, damaged: &mut Vec<Damage>) -> Result<(), SqlError> {
    let pragma = match depth {
        Depth::Quick => format!("quick_check({MOST})"),
        Depth::Full => format!("integrity_check({MOST})"),
    };
    told_by(connection, &pragma, damaged)
}

/// What is damaged of the words in the text index alone, which are derived, as [`structure`] tells it.
pub(crate) fn text_index(connection: &Connection) -> Result<Vec<Damage>, SqlError> {
    let mut damaged = Vec::new();
    told_by(connection, "integrity_check(words)", &mut damaged)?;
    Ok(damaged)
}

/// Lets SQLite ask whether what it knows of the text index is still so. A query does; a check does not, and takes
/// segments that another connection has merged for damage.
fn forget_words(connection: &Connection) {
    // What fails is damaged, which the check tells better.
    _ = connection
        .prepare("SELECT rowid FROM words WHERE rowid = 0")
        .and_then(|mut statement| statement.query([])?.next().map(|_| ()));
}

fn told_by(
    connection: &Connection,
    pragma: &str,
    damaged: &mut Vec<Damage>,
) -> Result<(), SqlError> {
    let trees = trees(connection)?;
    forget_words(connection);
    let mut statement = connection.prepare(&format!("PRAGMA {pragma}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        // A row may tell of several.
        for line in text.lines().filter(|line| *line != "ok" && !line.starts_with("***")) {
            match failed_read(line) {
                Some(code) => return Err(SqlError::unread(code, line)),
                None => damaged.push(placed(line, &trees)),
            }
        }
    }
    Ok(())
}

/// The result code with which a page could not be read, where SQLite goes on and only says so. That is no damage.
fn failed_read(line: &str) -> Option<i32> {
    const PAGE: &str = "unable to get the page. error code=";
    if let Some((_, code)) = line.split_once(PAGE) {
        let code: i32 = code.trim().parse().ok()?;
        return (code & 0xff == SQLITE_IOERR_READ & 0xff && !is_damage_by_code(code))
            .then_some(code);
    }
    // Of pages with what does not fit on others, and of the text index, it does not say the code. Numbers of pages that
    // cannot be are told otherwise.
    let is_failed = line.contains("failed to get page ")
        || line.contains("unable to validate") && line.contains("disk I/O error");
    is_failed.then_some(SQLITE_IOERR_READ)
}

/// Which table or index begins at which page.
fn trees(connection: &Connection) -> Result<BTreeMap<u32, String>, SqlError> {
    let sql = "SELECT rootpage, type || ' ' || name FROM sqlite_schema WHERE rootpage > 0";
    let mut statement = connection.prepare(sql)?;
    let trees = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(trees.collect::<Result<_, _>>()?)
}

/// Damage as SQLite tells it, such as `Tree 4 page 7 cell 3: Rowid 12 out of order`, `row 3 missing from index a` or
/// `NULL value in a.b`.
fn placed(line: &str, trees: &BTreeMap<u32, String>) -> Damage {
    let reason = line.to_owned();
    let in_tree = line.strip_prefix("Tree ").and_then(|rest| {
        let (tree, rest) = rest.split_once(' ')?;
        let (place, reason) = rest.split_once(": ")?;
        let tree = trees.get(&tree.parse().ok()?)?;
        Some(Damage { place: format!("{tree}, {place}"), reason: reason.to_owned() })
    });
    let of_row = || {
        let (row, index) = line.strip_prefix("row ")?.split_once(" missing from index ")?;
        Some(Damage { place: format!("index {index}, row {row}"), reason: reason.clone() })
    };
    let elsewhere = || Damage { place: "the database".to_owned(), reason: reason.clone() };
    in_tree.or_else(of_row).unwrap_or_else(elsewhere)
}

/// Adds the records that cannot be read.
pub(crate) fn records(connection: &Connection, damaged: &mut Vec<Damage>) -> Result<(), SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions NOT INDEXED ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        damaged.extend(row::read(row)?.err());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_could_not_be_read_is_no_damage() {
        for (line, code) in [
            ("Tree 4 page 7: unable to get the page. error code=266", Some(266)),
            ("Tree 4 page 7: unable to get the page. error code=522", None),
            ("Tree 4 page 7: unable to get the page. error code=11", None),
            ("Tree 4 page 7 cell 3: failed to get page 9", Some(SQLITE_IOERR_READ)),
            ("Tree 4 page 7 cell 3: invalid page number 900", None),
            (
                "unable to validate the inverted index for FTS5 table main.words: disk I/O error",
                Some(SQLITE_IOERR_READ),
            ),
            ("malformed inverted index for FTS5 table main.words", None),
        ] {
            assert_eq!(failed_read(line), code, "{line}");
        }
    }

    #[test]
    fn damage_is_placed_where_sqlite_says() {
        let trees = BTreeMap::from([(4, "table sessions".to_owned())]);
        for (line, place, reason) in [
            (
                "Tree 4 page 7 cell 3: Rowid 12 out of order",
                "table sessions, page 7 cell 3",
                "Rowid 12 out of order",
            ),
            (
                "Tree 4 page 7: btreeInitPage() returns error code 11",
                "table sessions, page 7",
                "btreeInitPage() returns error code 11",
            ),
            (
                "row 3 missing from index sessions_by_name",
                "index sessions_by_name, row 3",
                "row 3 missing from index sessions_by_name",
            ),
            ("Page 9: never used", "the database", "Page 9: never used"),
            ("Tree 5 page 7: odd", "the database", "Tree 5 page 7: odd"),
        ] {
            let expected = Damage { place: place.to_owned(), reason: reason.to_owned() };
            assert_eq!(placed(line, &trees), expected);
        }
    }
}
