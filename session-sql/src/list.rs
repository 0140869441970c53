//! Listings: candidates come in the order of the listing until the page is full.
//!
//! What belongs to the answer is decided by [`Query::matches`] alone. SQL narrows the candidates as far as columns
//! can: since the observer may see a recorded status as failed (lost) or expired (overdue), whoever asks for those
//! gets the statuses that can become so as candidates, too.

mod plan;

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use session_core::{Cursor, Page, Query, RoleName, Scope, Sort, SortValue, Status, StoreError};

use crate::error::SqlError;
use crate::list::plan::{Few, Way, bind};
use crate::row::Found;
use crate::{find, row};

/// The condition of the index `sessions_current`, word for word: SQLite uses a partial index only where it finds
/// its condition again.
const CURRENT: &str = "internal = 0 AND is_empty = 0 AND status NOT IN ('closed', 'expired')";

/// The conditions of the indexes `sessions_by_deadline` and `sessions_by_host`, for the same reason.
const DUE: &str =
    "trashed_at IS NULL AND deadline IS NOT NULL AND status NOT IN ('closed', 'expired')";
const LIVE: &str = "trashed_at IS NULL AND process_state IN ('starting', 'running') \
     AND process_host IS NOT NULL";

/// What SQL can say of the sessions that are asked for.
struct Candidates {
    conditions: Vec<String>,
    /// What conditions refer to by numbers.
    values: Vec<Value>,
    /// Sets that each have all of them.
    few: Vec<Few>,
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
    let way = Way::of(connection, query, &candidates)?;
    let (Way::Ordered(sql) | Way::Sorted(sql)) = &way;
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, &candidates.values)?;
    let mut rows = statement.raw_query();
    let limit = query.limit.map_or(usize::MAX, |limit| limit.get() as usize);
    let (mut page, mut damaged) = (Page::default(), Vec::new());
    while let Some(row) = rows.next()? {
        match read(connection, &way, row)? {
            Err(damage) => damaged.push(damage),
            Ok(stored) if !query.matches(&stored.session) => {}
            Ok(_) if page.sessions.len() == limit => {
                page.next = page.sessions.last().map(|last| Cursor {
                    generation,
                    query: query.fingerprint(),
                    value: query.sort.value(last),
                    id: last.id(),
                });
                return Ok(page);
            }
            Ok(stored) => {
                page.damaged.append(&mut damaged);
                page.sessions.push(stored.session);
            }
        }
    }
    page.damaged.append(&mut damaged);
    Ok(page)
}

/// The session of a row of a statement that goes this way.
fn read(connection: &Connection, way: &Way, row: &Row<'_>) -> Result<Found, SqlError> {
    match way {
        Way::Ordered(_) => row::read(row),
        Way::Sorted(_) => find::at(connection, row.get(0)?),
    }
}

impl Candidates {
    fn of(query: &Query) -> Result<Self, StoreError> {
        let trash = if query.scope == Scope::Trash { "IS NOT NULL" } else { "IS NULL" };
        let mut candidates = Self {
            conditions: vec![format!("trashed_at {trash}")],
            values: Vec::new(),
            few: Vec::new(),
        };
        match query.scope {
            Scope::Current if query.statuses.is_empty() => {
                candidates.fixed(CURRENT);
                if query.sort != Sort::Updated {
                    candidates
                        .few("sessions_current", &format!("trashed_at IS NULL AND {CURRENT}"));
                }
            }
            Scope::Current => candidates.fixed("internal = 0 AND is_empty = 0"),
            Scope::All | Scope::Trash => {}
        }
        if !query.statuses.is_empty() {
            candidates.seen_as(query);
        }
        let columns = [
            ("parent", query.parent.map(|parent| parent.to_string())),
            ("workdir", query.workdir.clone()),
            ("tool", query.tool.clone()),
            ("role", query.role.as_ref().map(RoleName::to_string)),
            ("chat", query.chat.clone()),
            ("agent", query.agent.clone()),
            ("project", query.project.clone()),
        ];
        for (column, wanted) in columns {
            if let Some(wanted) = wanted {
                let place = candidates.place(Value::Text(wanted));
                let condition = format!("{column} = {place}");
                candidates.fixed(&condition);
                candidates.few(
                    &format!("sessions_by_{column}"),
                    &format!("{condition} AND trashed_at {trash}"),
                );
            }
        }
        for (key, value) in &query.labels {
            let key = candidates.place(Value::Text(key.to_string()));
            let value = candidates.place(Value::Text(value.clone()));
            // No subquery that SQLite could begin with.
            candidates.fixed(&format!(
                "(SELECT value FROM labels WHERE session = seq AND key = {key}) = {value}"
            ));
            candidates.few.push(Few(format!(
                "SELECT session FROM labels INDEXED BY labels_by_pair \
                 WHERE key = {key} AND value = {value}"
            )));
        }
        if let Some(cursor) = &query.cursor {
            candidates.after(query.sort, cursor)?;
        }
        Ok(candidates)
    }

    /// Those that are recorded in a wanted status, and those that may be seen in one: for a sweep, too, columns say
    /// which are overdue or of another host.
    fn seen_as(&mut self, query: &Query) {
        let Query { statuses: wanted, observer, .. } = query;
        let recorded = format!("status IN ({})", list(wanted));
        let seen_as = [Status::Failed, Status::Expired];
        let becomes = |status: &Status| {
            seen_as.iter().any(|seen| wanted.contains(seen) && status.to(*seen).is_ok())
        };
        let others: BTreeSet<_> = Status::ALL
            .into_iter()
            .filter(|status| !wanted.contains(status))
            .filter(becomes)
            .collect();
        let along = |index: &str, condition: &str| {
            format!("SELECT seq FROM sessions INDEXED BY {index} WHERE {condition}")
        };
        let mut few = along("sessions_by_status", &format!("{recorded} AND trashed_at IS NULL"));
        if others.is_empty() {
            self.fixed(&recorded);
        } else {
            let now = self.place(Value::Integer(observer.now.as_millis()));
            let host = self.place(observer.live_host.clone().map_or(Value::Null, Value::Text));
            self.fixed(&format!(
                "({recorded} OR status IN ({}) AND (deadline < {now} \
                 OR process_state IN ('starting', 'running') AND process_host IS NOT {host}))",
                list(&others)
            ));
            few += " UNION ALL ";
            few += &along("sessions_by_deadline", &format!("{DUE} AND deadline < {now}"));
            let elsewhere: &[&str] = match observer.live_host {
                Some(_) => &["<", ">"],
                None => &["IS NOT"],
            };
            for comparison in elsewhere {
                few += " UNION ALL ";
                let condition = format!("{LIVE} AND process_host {comparison} {host}");
                few += &along("sessions_by_host", &condition);
            }
        }
        // What becomes of sessions in the trash stands in no index.
        if query.scope != Scope::Trash {
            self.few.push(Few(few));
        }
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

    /// All of them are among those of `condition`, which an index of that name has.
    fn few(&mut self, index: &str, condition: &str) {
        let sql = format!("SELECT seq FROM sessions INDEXED BY {index} WHERE {condition}");
        self.few.push(Few(sql));
    }

    /// The placeholder of a value.
    fn place(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }
}

fn list(statuses: &BTreeSet<Status>) -> String {
    statuses.iter().map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
