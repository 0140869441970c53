//! Jobs of several callers that meet: what they share, and what they do not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rusqlite::OptionalExtension as _;
use rusqlite::ffi::{self, SQLITE_IOERR_FSYNC};
use session_core::SessionStore as _;
use tempfile::TempDir;

use super::*;
use crate::{SqlOptions, SqlStore};

struct Fixture {
    _dir: TempDir,
    place: Place,
    writer: Writer,
}

fn fixture(options: SqlOptions, trail: Option<Box<dyn Trail>>) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    SqlStore::open(&path).unwrap().close().unwrap();
    let place = Place::resolve(&path, options).unwrap();
    let connection = place.writer().unwrap();
    connection.execute_batch("CREATE TABLE notes (text TEXT NOT NULL UNIQUE) STRICT").unwrap();
    let lock = LockFile::beside(&place.path);
    let writer = Writer::new(&place, connection, lock, trail).unwrap();
    Fixture { _dir: dir, place, writer }
}

impl Fixture {
    fn note(&self, text: impl Into<String>) -> Result<(), SqlError> {
        let text = text.into();
        self.writer.write(&self.place, move |connection| Ok(insert(connection, &text)?))
    }

    fn notes(&self) -> Vec<String> {
        let reader = self.place.reader().unwrap();
        let mut statement = reader.prepare("SELECT text FROM notes ORDER BY text").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Runs `others` while a job is at work, so that they wait together for it to be done, and `meanwhile` while
    /// they wait: what all were told, the one in front first.
    fn meet(
        &self,
        others: &[&(dyn Fn() -> Result<(), SqlError> + Sync)],
        meanwhile: impl FnOnce(),
    ) -> Vec<Result<(), StoreError>> {
        let (begun, has_begun) = channel();
        let (finish, may_finish) = channel::<()>();
        thread::scope(|scope| {
            let first = scope.spawn(move || {
                self.writer.write(&self.place, move |connection| {
                    begun.send(()).unwrap();
                    may_finish.recv().unwrap();
                    Ok(insert(connection, "first")?)
                })
            });
            has_begun.recv().unwrap();
            let mut threads = vec![first];
            for other in others {
                threads.push(scope.spawn(other));
                while self.writer.queue.waiting() < threads.len() - 1 {
                    thread::yield_now();
                }
            }
            meanwhile();
            finish.send(()).unwrap();
            threads.into_iter().map(|thread| told(thread.join().unwrap())).collect()
        })
    }

    /// How many commits the log holds: frames that say how large the database is after them.
    fn commits(&self) -> usize {
        let log = crate::connection::suffixed(&self.place.path, "-wal");
        let bytes = std::fs::read(log).unwrap_or_default();
        let frames = bytes.get(32..).unwrap_or_default().chunks(24 + 4096);
        frames.filter(|frame| frame[4..8] != [0; 4]).count()
    }
}

fn insert(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO notes (text) VALUES (?1)")?.execute([text]).map(drop)
}

fn told<T>(result: Result<T, SqlError>) -> Result<T, StoreError> {
    result.map_err(|error| error.told("write", Path::new("here")))
}

#[test]
fn jobs_that_wait_share_a_commit_but_no_failure() {
    let fixture = fixture(SqlOptions::default(), None);
    let before = fixture.commits();
    let refused = || {
        fixture.writer.write(&fixture.place, |connection| {
            insert(connection, "half")?;
            Err(StoreError::StaleCursor.into())
        })
    };
    let panics = || {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            fixture.writer.write(&fixture.place, |connection| -> Result<(), SqlError> {
                insert(connection, "also half")?;
                panic!("on purpose")
            })
        }));
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
        Ok(())
    };
    let (a, b) = (|| fixture.note("a"), || fixture.note("b"));
    let answers = fixture.meet(&[&a, &refused, &panics, &a, &b], || {});
    let [Ok(()), Ok(()), Err(refused), Ok(()), Err(fails), Ok(())] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert!(matches!(refused, StoreError::StaleCursor));
    assert!(matches!(fails, StoreError::Backend { .. }), "{fails:?}");
    assert_eq!(fixture.notes(), ["a", "b", "first"]);
    assert_eq!(fixture.commits() - before, 1);
}

#[test]
fn a_job_that_fails_alone_writes_nothing() {
    let fixture = fixture(SqlOptions::default(), None);
    let before = fixture.commits();
    let refused = fixture.writer.write(&fixture.place, |connection| -> Result<(), _> {
        insert(connection, "half")?;
        Err(StoreError::StaleCursor.into())
    });
    assert!(matches!(told(refused), Err(StoreError::StaleCursor)));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        fixture.writer.write(&fixture.place, |_| -> Result<(), SqlError> { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    assert_eq!(fixture.commits(), before);
    fixture.note("a").unwrap();
    assert_eq!(fixture.notes(), ["a"]);
}

#[test]
fn who_waits_too_long_is_refused_and_never_run() {
    let fixture = fixture(SqlOptions::default().lock_timeout(Duration::from_millis(20)), None);
    // What has begun is answered, though its time is long over.
    let answers = fixture.meet(&[], || {
        let refused = told(fixture.note("late"));
        assert!(matches!(refused, Err(StoreError::Locked { holder: None, .. })), "{refused:?}");
    });
    assert!(matches!(answers.as_slice(), [Ok(())]), "{answers:?}");
    fixture.note("last").unwrap();
    assert_eq!(fixture.notes(), ["first", "last"]);
}

#[test]
fn who_was_begun_by_another_is_answered_however_late() {
    let timeout = Duration::from_millis(100);
    let fixture = fixture(SqlOptions::default().lock_timeout(timeout), None);
    let slow = || {
        let deadline = Instant::now() + 2 * timeout;
        fixture.writer.write(&fixture.place, move |connection| {
            while Instant::now() < deadline {
                thread::yield_now();
            }
            Ok(insert(connection, "slow")?)
        })
    };
    let expected: &[&str] = match fixture.meet(&[&slow], || {}).as_slice() {
        [Ok(()), Ok(())] => &["first", "slow"],
        // This machine took so long that it was cancelled before it began.
        [Ok(()), Err(StoreError::Locked { .. })] => &["first"],
        others => panic!("{others:?}"),
    };
    assert_eq!(fixture.notes(), expected);
}

/// SQLite then undoes the whole transaction, and everybody in it has to know.
#[test]
fn when_there_is_no_room_for_one_there_is_none_for_its_group() {
    let fixture = fixture(SqlOptions::default().max_pages(40), None);
    fixture.note("before").unwrap();
    let (a, b) = (|| fixture.note("a"), || fixture.note("b"));
    let large = || fixture.note("x".repeat(200_000));
    let answers = fixture.meet(&[&a, &large, &b], || {});
    use StoreError::DiskFull;
    assert!(
        matches!(
            answers.as_slice(),
            [Err(DiskFull { .. }), Err(DiskFull { .. }), Err(DiskFull { .. }), Ok(())]
        ),
        "{answers:?}"
    );
    fixture.note("c").unwrap();
    assert_eq!(fixture.notes(), ["b", "before", "c"]);
}

#[test]
fn after_a_failed_sync_nothing_is_written_any_more() {
    let fixture = fixture(SqlOptions::default(), None);
    let fails = || {
        fixture.writer.write(&fixture.place, |_| -> Result<(), _> {
            let code = ffi::Error::new(SQLITE_IOERR_FSYNC);
            Err(SqlError::Commit(rusqlite::Error::SqliteFailure(code, None)))
        })
    };
    let failed = told(fails());
    assert!(matches!(failed, Err(StoreError::Backend { .. })), "{failed:?}");
    for _ in 0..2 {
        assert!(matches!(told(fixture.note("a")), Err(StoreError::Poisoned)));
        assert!(matches!(told(fixture.writer.flush(&fixture.place)), Err(StoreError::Poisoned)));
    }
    assert!(matches!(told(fixture.writer.close()), Err(StoreError::Poisoned)));
    assert!(matches!(told(fixture.note("a")), Err(StoreError::StoreClosed)));
    fixture.writer.close().unwrap();
    assert!(fixture.notes().is_empty());
}

#[test]
fn whoever_waits_behind_a_failed_sync_is_refused() {
    let fixture = fixture(SqlOptions::default(), None);
    let fails = || {
        fixture.writer.write(&fixture.place, |_| -> Result<(), _> {
            let code = ffi::Error::new(SQLITE_IOERR_FSYNC);
            Err(SqlError::Commit(rusqlite::Error::SqliteFailure(code, None)))
        })
    };
    let b = || fixture.note("b");
    let answers = fixture.meet(&[&fails, &b], || {});
    assert!(
        matches!(
            answers.as_slice(),
            [
                Err(StoreError::Backend { .. }),
                Err(StoreError::Backend { .. }),
                Err(StoreError::Poisoned)
            ]
        ),
        "{answers:?}"
    );
    assert!(fixture.notes().is_empty());
}

#[test]
fn closing_lets_be_written_what_waits() {
    let fixture = fixture(SqlOptions::default(), None);
    let (a, b) = (|| fixture.note("a"), || fixture.note("b"));
    let answers = fixture.meet(&[&a, &b], || {
        fixture.writer.queue.close();
        assert!(matches!(told(fixture.note("c")), Err(StoreError::StoreClosed)));
    });
    assert!(matches!(answers.as_slice(), [Ok(()), Ok(()), Ok(())]), "{answers:?}");
    fixture.writer.close().unwrap();
    assert_eq!(fixture.notes(), ["a", "b", "first"]);
}

/// Copies the notes, one a step, and says so.
struct Copying(Sender<String>);

impl Trail for Copying {
    fn step(&mut self, connection: &Connection) -> Result<bool, SqlError> {
        let sql = "INSERT INTO copies SELECT text FROM notes \
            WHERE text NOT IN (SELECT text FROM copies) ORDER BY text LIMIT 1 RETURNING text";
        let copied = connection.query_row(sql, [], |row| row.get(0)).optional()?;
        let is_left = copied.is_some();
        // A test that has seen enough listens no more.
        copied.map(|text| self.0.send(text));
        Ok(is_left)
    }
}

fn trailed() -> (Fixture, Receiver<String>) {
    let (copied, copies) = channel();
    let fixture = fixture(SqlOptions::default(), Some(Box::new(Copying(copied))));
    let connection = Connection::open(&fixture.place.path).unwrap();
    connection.execute_batch("CREATE TABLE copies (text TEXT NOT NULL) STRICT").unwrap();
    (fixture, copies)
}

#[test]
fn what_trails_catches_up_when_nobody_writes() {
    let (fixture, copies) = trailed();
    for round in 0..3 {
        let texts = [format!("{round} a"), format!("{round} b")];
        for text in &texts {
            fixture.note(text).unwrap();
        }
        // Nobody writes and nobody closes.
        assert_eq!(copies.recv_timeout(Duration::from_secs(60)).as_ref(), Ok(&texts[0]));
        assert_eq!(copies.recv_timeout(Duration::from_secs(60)).as_ref(), Ok(&texts[1]));
    }
}

#[test]
fn what_trails_catches_up_at_the_end() {
    let (fixture, copies) = trailed();
    for text in ["a", "b", "c"] {
        fixture.note(text).unwrap();
    }
    fixture.writer.close().unwrap();
    assert_eq!(copies.try_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_failure_of_what_trails_is_nobody_elses() {
    let (copied, _copies) = channel();
    // There is no table of copies.
    let fixture = fixture(SqlOptions::default(), Some(Box::new(Copying(copied))));
    fixture.note("a").unwrap();
    fixture.writer.close().unwrap();
    assert_eq!(fixture.notes(), ["a"]);
}
