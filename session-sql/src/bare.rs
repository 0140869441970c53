//! Reading where SQLite cannot have its files beside the database: on a medium or in a directory that can only be
//! read, when no writer has them there either.
//!
//! Without a log, the database alone is everything, and SQLite reads it as immutable. It does not notice then that
//! somebody changes it, who can write there as nobody can here. So nothing is kept from one reading to the next, and
//! what was read counts if the file is the same afterwards, still without a log.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use rusqlite::Connection;
use session_core::StoreError;

use crate::beside;
use crate::connection::{FileId, Place};
use crate::error::SqlError;

/// How often it is read again that was changed meanwhile.
const ATTEMPTS: u32 = 4;

/// What a database looks like from outside. Whoever changes it changes this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: FileId,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        Self {
            file: FileId::from(found),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// A connection for one reading.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) connection: Connection,
    before: Stamp,
}

impl Bare {
    /// Connects to a database that has no log at this moment; `None` if it has one.
    fn open(place: &Place) -> Result<Option<Self>, SqlError> {
        let Some(before) = look(place)? else { return Ok(None) };
        Ok(Some(Self { connection: place.bare()?, before }))
    }

    /// Whether everything that was read was there together.
    fn holds(&self, place: &Place) -> Result<bool, SqlError> {
        Ok(look(place)? == Some(self.before))
    }
}

/// A connection that reads, and how it reads.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Beside those that write: it may be kept, and sees what they commit.
    Kept(Connection),
    /// Of a file that may change under it.
    Bare(Bare),
}

impl Reading {
    /// # Errors
    /// `Locked` when somebody changes it all the time; whatever connecting returns.
    pub(crate) fn open(place: &Place) -> Result<Self, SqlError> {
        for _ in 0..ATTEMPTS {
            match place.reader() {
                Err(error) if error.is_cannot_open() && !beside::has_log(place) => {
                    match Bare::open(place) {
                        Ok(Some(bare)) => return Ok(Self::Bare(bare)),
                        Ok(None) => {}
                        Err(_) => return Err(error),
                    }
                }
                connected => return connected.map(Self::Kept),
            }
        }
        Err(locked(place))
    }

    pub(crate) fn connection(&self) -> &Connection {
        match self {
            Self::Kept(connection) => connection,
            Self::Bare(bare) => &bare.connection,
        }
    }

    /// # Errors
    /// `Locked`, if what was read may never have been there together.
    pub(crate) fn check(&self, place: &Place) -> Result<(), SqlError> {
        match self {
            Self::Bare(bare) if !bare.holds(place)? => Err(locked(place)),
            _ => Ok(()),
        }
    }
}

/// Runs `job` on a connection of its own, again if what it read was changed meanwhile. Returns a connection that can
/// be kept.
///
/// # Errors
/// What `job` returns; `Locked` when somebody changes it all the time; whatever connecting returns.
pub(crate) fn read<T>(
    place: &Place,
    job: impl Fn(&Connection) -> Result<T, SqlError>,
) -> Result<(Result<T, SqlError>, Option<Connection>), SqlError> {
    for _ in 0..ATTEMPTS {
        match Reading::open(place)? {
            Reading::Kept(connection) => {
                let done = job(&connection);
                return Ok((done, Some(connection)));
            }
            Reading::Bare(bare) => {
                let done = job(&bare.connection);
                // An error of what was changed meanwhile says nothing either.
                if bare.holds(place)? {
                    return Ok((done, None));
                }
            }
        }
    }
    Err(locked(place))
}

fn look(place: &Place) -> Result<Option<Stamp>, StoreError> {
    let found = std::fs::metadata(&place.path)
        .map_err(|source| StoreError::io("open", &place.path, source))?;
    Ok((!beside::has_log(place)).then(|| Stamp::from(&found)))
}

fn locked(place: &Place) -> SqlError {
    StoreError::Locked { path: place.path.clone(), holder: None }.into()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::PathBuf;

    use session_core::{
        Observer, Query, Scope, Session, SessionId, SessionStore as _, StoreUpkeep as _, Timestamp,
    };
    use tempfile::TempDir;

    use super::*;
    use crate::connection::suffixed;
    use crate::{SqlOptions, SqlStore};

    /// A store that others write, and the same file where SQLite cannot have what it needs beside it, as on a medium
    /// that is mounted twice.
    struct Twice {
        _dirs: [TempDir; 2],
        there: PathBuf,
        here: PathBuf,
    }

    impl Twice {
        fn new() -> Self {
            let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let [there, here] = [0, 1].map(|at: usize| dirs[at].path().join("session.db"));
            drop(SqlStore::open(&there).unwrap());
            std::fs::hard_link(&there, &here).unwrap();
            // SQLite follows no link there, so it can make none.
            std::os::unix::fs::symlink("nowhere", suffixed(&here, "-shm")).unwrap();
            Self { _dirs: dirs, there, here }
        }

        fn write(&self, numbers: std::ops::Range<u64>) {
            let store = SqlStore::open(&self.there).unwrap();
            let at = Timestamp::default();
            for number in numbers {
                let mut session = Session::new(SessionId::from_parts(at, number.into()), at);
                session.identity.title = Some("x".repeat(500));
                store.create(session).unwrap();
            }
            // Moves all of it into the database.
            store.close().unwrap();
        }

        fn place(&self) -> Place {
            Place::resolve(&self.here, SqlOptions::default()).unwrap()
        }
    }

    fn count(connection: &Connection) -> Result<i64, SqlError> {
        Ok(connection.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?)
    }

    #[test]
    fn a_handle_sees_what_others_write_to_a_file_that_it_can_only_read() {
        let twice = Twice::new();
        let reader = SqlStore::open_read_only(&twice.here).unwrap().unwrap();
        let mut query = Query::new(Observer { now: Timestamp::default(), live_host: None });
        query.scope = Scope::All;
        for round in 0..4 {
            let page = reader.list(&query).unwrap();
            assert_eq!((page.sessions.len(), page.damaged.len()), (round * 40, 0));
            let report = reader.check().unwrap();
            assert_eq!((report.sessions, report.damaged), (round as u64 * 40, vec![]));
            let from = round as u64 * 40;
            twice.write(from..from + 40);
        }
        let copy = twice.there.with_file_name("copy");
        reader.backup(&copy).unwrap();
        let store = SqlStore::open(&copy).unwrap();
        assert_eq!(store.check().unwrap().sessions, 160);
    }

    #[test]
    fn what_was_changed_meanwhile_is_read_again() {
        let twice = Twice::new();
        let place = twice.place();
        let tries = Cell::new(0);
        let (counted, kept) = read(&place, |connection| {
            let found = count(connection)?;
            if tries.replace(tries.get() + 1) == 0 {
                twice.write(0..40);
            }
            Ok(found)
        })
        .unwrap();
        assert_eq!((counted.unwrap(), tries.get()), (40, 2));
        assert!(kept.is_none());

        let next = Cell::new(40);
        let refused = read(&place, |connection| {
            twice.write(next.get()..next.get() + 40);
            next.set(next.get() + 40);
            count(connection)
        });
        assert!(matches!(refused, Err(SqlError::Refused(StoreError::Locked { .. }))));
        let reading = Reading::open(&place).unwrap();
        reading.check(&place).unwrap();
        twice.write(next.get()..next.get() + 40);
        assert!(matches!(reading.check(&place), Err(SqlError::Refused(StoreError::Locked { .. }))));
    }

    #[test]
    fn a_log_that_cannot_be_read_is_not_left_out() {
        for suffix in ["-wal", "-journal"] {
            let twice = Twice::new();
            let reader = SqlStore::open_read_only(&twice.here).unwrap().unwrap();
            std::fs::write(suffixed(&twice.here, suffix), [1; 100]).unwrap();
            let mut query = Query::new(Observer { now: Timestamp::default(), live_host: None });
            query.scope = Scope::All;
            reader.list(&query).unwrap_err();
            SqlStore::open_read_only(&twice.here).unwrap_err();
        }
    }
}
