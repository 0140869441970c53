//! Tombstones: what is left of sessions that were destroyed.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use session_core::{Damage, SessionId, StoreError, Timestamp, Tombstone};

use crate::error::SqlError;
use crate::find;

/// Whether a session of this id may be stored.
///
/// # Errors
/// `Purged` when it was destroyed, `IdExists` when it is there, readable or not.
pub(crate) fn check_free(connection: &Connection, id: SessionId) -> Result<(), SqlError> {
    if let Some(tombstone) = of(connection, id)? {
        return Err(StoreError::Purged { id, at: tombstone.at }.into());
    }
    if find::exists(connection, id)? {
        return Err(StoreError::IdExists { id }.into());
    }
    Ok(())
}

/// The tombstone of a session, if it was destroyed.
///
/// # Errors
/// `Corrupt` when it cannot be read: whether the session may be stored again is not known then.
pub(crate) fn of(connection: &Connection, id: SessionId) -> Result<Option<Tombstone>, SqlError> {
    let sql = "SELECT id, tombstone FROM tombstones WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id.to_string()])?;
    Ok(rows.next()?.map(read).transpose()?.transpose()?)
}

/// All tombstones by id.
///
/// # Errors
/// `Corrupt` when one cannot be read.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Tombstone>, SqlError> {
    let mut found = Vec::new();
    each(connection, |_, tombstone| {
        found.push(tombstone?);
        Ok(())
    })?;
    Ok(found)
}

/// Hands every row to `visit`, by id.
pub(crate) fn each(
    connection: &Connection,
    mut visit: impl FnMut(&Row<'_>, Result<Tombstone, Damage>) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    let mut statement =
        connection.prepare_cached("SELECT id, tombstone FROM tombstones ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(row, read(row)?)?;
    }
    Ok(())
}

/// Stores a tombstone that is not there yet.
pub(crate) fn insert(connection: &Connection, tombstone: &Tombstone) -> Result<(), SqlError> {
    let json = serde_json::to_string(tombstone)
        .map_err(|error| StoreError::backend("write a tombstone", error))?;
    let sql = "INSERT INTO tombstones (id, tombstone) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute((tombstone.id.to_string(), json))?;
    Ok(())
}

/// Makes the tombstone anew that stands under an id of these bytes: of the id, or of what stands there if that is none.
/// A session that is stored has none.
pub(crate) fn renew(connection: &Connection, id: &[u8], at: Timestamp) -> Result<(), SqlError> {
    let sql = "SELECT tombstone FROM tombstones WHERE id = CAST(?1 AS TEXT)";
    let json = connection
        .prepare_cached(sql)?
        .query_row([id], |row| Ok(row.get_ref(0)?.as_bytes().unwrap_or_default().to_owned()));
    let said = serde_json::from_slice::<Tombstone>(&json?);
    connection.execute("DELETE FROM tombstones WHERE id = CAST(?1 AS TEXT)", [id])?;
    let named = std::str::from_utf8(id).ok().and_then(|id| SessionId::parse(id).ok());
    let tombstone = match (named, said) {
        (Some(id), _) => Tombstone::new(id, at),
        (None, Ok(said)) => said,
        (None, Err(_)) => return Ok(()),
    };
    match check_free(connection, tombstone.id) {
        Ok(()) => insert(connection, &tombstone),
        Err(SqlError::Refused(StoreError::IdExists { .. } | StoreError::Purged { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

fn read(row: &Row<'_>) -> Result<Result<Tombstone, Damage>, SqlError> {
    let reason = match (row.get_ref(0)?, row.get_ref(1)?) {
        (ValueRef::Text(id), ValueRef::Text(json)) => {
            match serde_json::from_slice::<Tombstone>(json) {
                Ok(tombstone) if tombstone.id.to_string().as_bytes() == id => {
                    return Ok(Ok(tombstone));
                }
                Ok(_) => "its column id disagrees with its tombstone".to_owned(),
                Err(error) => format!("its tombstone cannot be read: {error}"),
            }
        }
        _ => "a column is no text".to_owned(),
    };
    let id = row.get_ref(0)?.as_bytes().unwrap_or_default();
    let id: String = String::from_utf8_lossy(id).chars().take(40).collect();
    Ok(Err(Damage { place: format!("tombstones row {id}"), reason }))
}
