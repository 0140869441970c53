//! Which way a listing goes: along the order that is asked for until the page is full, or to the few sessions that
//! a filter leaves, which are sorted then.
//!
//! Along the order, a page costs as many rows as stand between its first and its last session; of few that match, that
//! is the whole store. To the few, it costs as many rows as they are. SQLite cannot weigh this: it keeps no
//! statistics, and would know the average of a column, not the value that is asked for. So the sessions of every
//! filter are counted along its index, up to the number at which the order is the cheaper way.

use rusqlite::types::Value;
use rusqlite::{Connection, Statement};
use session_core::{Query, Scope, Sort};

use crate::error::SqlError;
use crate::list::Candidates;
use crate::row::COLUMNS;

/// How many sessions a page has at least, as far as this matters here: fewer that match may stand far apart.
const PAGE: i64 = 50;

/// How far is counted first, and by what factor further then: many need not be counted where others are few.
const FIRST: i64 = 16;

/// Some sessions, among them all candidates, as a statement that reads their numbers along an index.
#[derive(Debug)]
pub(super) struct Few(pub(super) String);

/// How to get at the candidates in their order.
#[derive(Debug)]
pub(super) enum Way {
    /// A statement that reads their rows.
    Ordered(String),
    /// A statement that finds all of them, sorts them, and gives their numbers.
    Sorted(String),
}

impl Way {
    pub(super) fn of(
        connection: &Connection,
        query: &Query,
        candidates: &Candidates,
    ) -> Result<Self, SqlError> {
        let order = match query.sort {
            Sort::Updated => "updated_at DESC, id DESC",
            Sort::Created => "created_at DESC, id DESC",
            Sort::Name => "name, id DESC",
        };
        let conditions = candidates.conditions.join(" AND ");
        Ok(match fewest(connection, query, candidates)? {
            // Only the numbers of the rows can still be looked up then, whatever SQLite would rather do.
            Some(Few(few)) => Self::Sorted(format!(
                "SELECT seq FROM sessions NOT INDEXED WHERE seq IN ({few}) AND {conditions} ORDER BY {order}"
            )),
            None => {
                let index = ordered(query);
                Self::Ordered(format!(
                    "SELECT {COLUMNS} FROM sessions INDEXED BY {index} WHERE {conditions} ORDER BY {order}"
                ))
            }
        })
    }
}

/// The index in whose order the candidates stand, or that of the trash, which is sorted if need be.
fn ordered(query: &Query) -> &'static str {
    match (query.scope, query.sort) {
        (Scope::Trash, _) => "sessions_trashed",
        (Scope::Current, Sort::Updated) if query.statuses.is_empty() => "sessions_current",
        (_, Sort::Updated) => "sessions_by_updated",
        (_, Sort::Created) => "sessions_by_created",
        (_, Sort::Name) => "sessions_by_name",
    }
}

/// The smallest of the sets, if it is small enough.
///
/// Of `n` sessions among `total`, a page along the order meets one in every `total / n` rows, if they stand anywhere:
/// so it reads `page * total / n` rows, and that is fewer than `n` when `n * n` is more than `page * total`.
fn fewest<'a>(
    connection: &Connection,
    query: &Query,
    candidates: &'a Candidates,
) -> Result<Option<&'a Few>, SqlError> {
    if candidates.few.is_empty() {
        return Ok(None);
    }
    let total: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM sessions")?
        .query_row([], |row| row.get(0))?;
    // Where everything is read anyway, looking rows up one by one has to spare most of them to be worth it.
    let page = query.limit.map_or(total / 16, |limit| i64::from(limit.get()).max(PAGE));
    let last = page.min(total).saturating_mul(total).isqrt();
    let mut bound = FIRST.min(last);
    loop {
        let mut fewest = None;
        let mut least = bound;
        for few in &candidates.few {
            let counted = count(connection, few, candidates, least)?;
            if counted < least {
                (fewest, least) = (Some(few), counted);
            }
        }
        if fewest.is_some() || bound == last {
            return Ok(fewest);
        }
        bound = bound.saturating_mul(FIRST).min(last);
    }
}

/// How many there are, `bound` at most.
fn count(
    connection: &Connection,
    Few(few): &Few,
    candidates: &Candidates,
    bound: i64,
) -> Result<i64, SqlError> {
    let mut values = candidates.values.clone();
    values.push(Value::Integer(bound));
    let mut statement = connection.prepare_cached(&counting(few, values.len()))?;
    bind(&mut statement, &values)?;
    let mut rows = statement.raw_query();
    Ok(rows.next()?.map_or(Ok(0), |row| row.get(0))?)
}

/// The statement that counts them, where the value of this number is the bound.
fn counting(few: &str, bound: usize) -> String {
    format!("SELECT count(*) FROM ({few} LIMIT ?{bound})")
}

/// Gives a statement those of the values that it mentions, by their numbers.
pub(super) fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), SqlError> {
    for (index, value) in (1..=statement.parameter_count()).zip(values) {
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
