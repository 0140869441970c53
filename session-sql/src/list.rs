//! Listings: candidates stream out of an index in the order of the listing until the page is full.
//!
//! What belongs to the answer is decided by [`Query::matches`] alone. SQL narrows the candidates as far as columns
//! can: since the observer may see a recorded status as failed (lost) or expired (overdue), whoever asks for those
//! gets the statuses that can become so as candidates, too.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use session_core::{Cursor, Page, Query, Scope, Sort, SortValue, Status, StoreError};

use crate::error::SqlError;
use crate::row::{self, COLUMNS};

/// The condition of the index `sessions_current`, word for word: SQLite uses a partial index only where it finds
/// its condition again.
const CURRENT: &str = "internal = 0 AND is_empty = 0 AND status NOT IN ('closed', 'expired')";

/// A statement as far as it has been put together.
struct Candidates {
    conditions: Vec<String>,
    values: Vec<Value>,
}

/// One page, of a store in this generation.
///
/// A damaged record is reported by the page in whose stretch of the order its row stands.
///
/// # Errors
/// `StaleCursor`; whatever SQLite reports.
pub(crate) fn page(
    connection: &Connection,
    query: &Query,
    generation: u64,
) -> Result<Page, SqlError> {
    query.check_cursor(generation)?;
    let candidates = Candidates::of(query)?;
    let mut statement = connection.prepare_cached(&candidates.sql(query.sort))?;
    let mut rows = statement.query(params_from_iter(candidates.values))?;
    let limit = query.limit.map_or(usize::MAX, |limit| limit.get() as usize);
    let (mut page, mut damaged) = (Page::default(), Vec::new());
    while let Some(row) = rows.next()? {
        match row::read(row)? {
            Err(damage) => damaged.push(damage),
            Ok(session) if !query.matches(&session) => {}
            Ok(_) if page.sessions.len() == limit => {
                page.next = page.sessions.last().map(|last| Cursor {
                    generation,
                    query: query.fingerprint(),
                    value: query.sort.value(last),
                    id: last.id(),
                });
                return Ok(page);
            }
            Ok(session) => {
                page.damaged.append(&mut damaged);
                page.sessions.push(session);
            }
        }
    }
    page.damaged.append(&mut damaged);
    Ok(page)
}

impl Candidates {
    fn of(query: &Query) -> Result<Self, StoreError> {
        let mut candidates =
            Self { conditions: vec!["trashed_at IS NULL".to_owned()], values: Vec::new() };
        match query.scope {
            Scope::Current if query.statuses.is_empty() => candidates.fixed(CURRENT),
            Scope::Current => candidates.fixed("internal = 0 AND is_empty = 0"),
            Scope::All => {}
        }
        if !query.statuses.is_empty() {
            candidates.recorded_as(&query.statuses);
        }
        let columns = [
            ("parent", query.parent.map(|parent| parent.to_string())),
            ("workdir", query.workdir.clone()),
            ("tool", query.tool.clone()),
        ];
        for (column, wanted) in columns {
            if let Some(wanted) = wanted {
                let place = candidates.place(Value::Text(wanted));
                candidates.fixed(&format!("{column} = {place}"));
            }
        }
        for (key, value) in &query.labels {
            let key = candidates.place(Value::Text(key.to_string()));
            let value = candidates.place(Value::Text(value.clone()));
            candidates.fixed(&format!(
                "seq IN (SELECT session FROM labels WHERE key = {key} AND value = {value})"
            ));
        }
        if let Some(cursor) = &query.cursor {
            candidates.after(query.sort, cursor)?;
        }
        Ok(candidates)
    }

    fn recorded_as(&mut self, wanted: &BTreeSet<Status>) {
        let seen_as = [Status::Failed, Status::Expired];
        let words: Vec<_> = Status::ALL
            .into_iter()
            .filter(|status| {
                let becomes = |seen: &Status| wanted.contains(seen) && status.to(*seen).is_ok();
                wanted.contains(status) || seen_as.iter().any(becomes)
            })
            .map(|status| format!("'{status}'"))
            .collect();
        self.fixed(&format!("status IN ({})", words.join(", ")));
    }

    fn after(&mut self, sort: Sort, cursor: &Cursor) -> Result<(), StoreError> {
        let (column, value) = match (sort, &cursor.value) {
            (Sort::Updated, SortValue::Time(millis)) => ("updated_at", Value::Integer(*millis)),
            (Sort::Created, SortValue::Time(millis)) => ("created_at", Value::Integer(*millis)),
            (Sort::Name, SortValue::Name(name)) => ("name", Value::Text(name.clone())),
            _ => return Err(StoreError::StaleCursor),
        };
        let value = self.place(value);
        let id = self.place(Value::Text(cursor.id.to_string()));
        self.fixed(&match sort {
            Sort::Updated | Sort::Created => format!("({column}, id) < ({value}, {id})"),
            Sort::Name => format!("name >= {value} AND (name > {value} OR id < {id})"),
        });
        Ok(())
    }

    fn fixed(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// The placeholder of a value.
    fn place(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn sql(&self, sort: Sort) -> String {
        let order = match sort {
            Sort::Updated => "updated_at DESC, id DESC",
            Sort::Created => "created_at DESC, id DESC",
            Sort::Name => "name, id DESC",
        };
        let conditions = self.conditions.join(" AND ");
        format!("SELECT {COLUMNS} FROM sessions WHERE {conditions} ORDER BY {order}")
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use rusqlite::StatementStatus;
    use session_core::{Launch, Observer, Session, SessionId, Timestamp};

    use super::*;

    /// A database of `count` sessions, every second of them closed.
    fn database(count: i64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::migrations() {
            connection.execute_batch(step.sql).unwrap();
        }
        connection.execute_batch("BEGIN").unwrap();
        for millis in 0..count {
            let at = Timestamp::from_millis(millis);
            let mut session = Session::new(SessionId::from_parts(at, 7), at);
            session.launch = Some(Launch {
                argv: vec!["true".to_owned()],
                workdir: "/".to_owned(),
                ..Launch::default()
            });
            if millis % 2 == 0 {
                session.lifecycle.status = Status::Closed;
            }
            row::insert(&connection, &session).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        connection
    }

    /// Steps that SQLite's machine takes for one page, which is what the page costs whatever the clock says.
    fn steps(connection: &Connection, query: &Query) -> i32 {
        let candidates = Candidates::of(query).unwrap();
        let mut statement = connection.prepare(&candidates.sql(query.sort)).unwrap();
        {
            let mut rows = statement.query(params_from_iter(candidates.values)).unwrap();
            for _ in 0..50 {
                assert!(rows.next().unwrap().is_some());
            }
        }
        assert_eq!(statement.get_status(StatementStatus::Sort), 0);
        statement.get_status(StatementStatus::VmStep)
    }

    #[test]
    fn a_page_of_many_sessions_costs_what_a_page_of_few_costs() {
        let (few, many) = (database(200), database(4_000));
        for (sort, scope) in [
            (Sort::Updated, Scope::Current),
            (Sort::Updated, Scope::All),
            (Sort::Created, Scope::All),
            (Sort::Name, Scope::All),
        ] {
            let mut query =
                Query::new(Observer { now: Timestamp::from_millis(0), live_host: None });
            (query.sort, query.scope, query.limit) = (sort, scope, NonZeroU32::new(40));
            let first = steps(&few, &query);
            assert_eq!(steps(&many, &query), first, "{sort:?} {scope:?}");
            // The second page, which begins in the middle, costs no more than a seek.
            query.cursor = page(&many, &query, 1).unwrap().next;
            assert!(query.cursor.is_some());
            assert!(steps(&many, &query) < 2 * first, "{sort:?} {scope:?}");
        }
    }
}
