//! Sessions of other stores, with histories of any length.
//!
//! The caller's iterator may take its time. So a history of more than one chunk is put into a file that has no name
//! before the turn to write is taken, and written from there in one transaction: nobody waits for the caller, and
//! little of it is in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use rusqlite::Connection;
use session_core::store::rules;
use session_core::{Record, RecordId, Seq, Session, SessionId, StoreError};

use super::SqlStore;
use crate::draft::Draft;
use crate::error::SqlError;
use crate::key::SessionSeq;
use crate::row::Stored;
use crate::{find, history, row, tombstone};

/// A chunk ends when it has so many bytes of records.
const CHUNK_BYTES: usize = 1 << 20;

/// Records in order, each with its id and its canonical JSON.
type Chunk = Vec<(RecordId, String)>;

impl SqlStore {
    pub(super) fn adopt_all(
        &self,
        session: Session,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError> {
        self.writer()?;
        let mut feed = Feed { session: session.id(), records, count: 0, is_done: false };
        let first = feed.chunk()?;
        if feed.is_done {
            rules::adopted(&session, feed.count)?;
            let json = row::json(&session)?;
            return self.on_writer("adopt", move |connection| {
                let seq = begin(connection, &session, json)?;
                insert(connection, seq, &mut 0, &first)
            });
        }
        // How many records come is known in the end; all else now, before any of them is kept.
        rules::adopted(&session, session.totals().records)?;
        let json = row::json(&session)?;
        self.on_reader("adopt", |connection| check_free(connection, &session))?;
        let told = |source| StoreError::io("adopt", &self.place.path, source);
        let mut spool = Spool::beside(&self.place.path).map_err(told)?;
        let mut chunk = first;
        loop {
            spool.put(&chunk).map_err(told)?;
            if feed.is_done {
                break;
            }
            chunk = feed.chunk()?;
        }
        rules::adopted(&session, feed.count)?;
        let mut spooled = spool.read().map_err(told)?;
        let path = self.place.path.clone();
        self.on_writer("adopt", move |connection| {
            let seq = begin(connection, &session, json)?;
            let mut records = 0;
            while let Some(record) =
                spooled.next().map_err(|source| StoreError::io("adopt", &path, source))?
            {
                insert(connection, seq, &mut records, &[record])?;
            }
            Ok(())
        })
    }
}

/// The caller's records.
struct Feed<'a> {
    session: SessionId,
    records: &'a mut dyn Iterator<Item = Result<Record, StoreError>>,
    count: u64,
    is_done: bool,
}

impl Feed<'_> {
    fn chunk(&mut self) -> Result<Chunk, StoreError> {
        let (mut chunk, mut bytes) = (Chunk::new(), 0);
        while bytes < CHUNK_BYTES {
            let Some(record) = self.records.next() else {
                self.is_done = true;
                break;
            };
            let expected = Seq::after(self.count);
            let Record { seq, entry } = rules::in_order(self.session, record?, expected)?;
            let json = history::json(seq, &entry)?;
            bytes += json.len();
            chunk.push((entry.id, json));
            self.count += 1;
        }
        Ok(chunk)
    }
}

/// A file without a name, to which records are written: the id and the JSON, each on a line, as neither has a line feed.
struct Spool(BufWriter<File>);

/// The same when it is read.
struct Spooled(BufReader<File>);

impl Spool {
    fn beside(database: &Path) -> io::Result<Self> {
        // It loses its name at once, and its content with the process.
        let draft = Draft::of(database)?;
        let file = OpenOptions::new().read(true).write(true).open(draft.path())?;
        Ok(Self(BufWriter::new(file)))
    }

    fn put(&mut self, chunk: &Chunk) -> io::Result<()> {
        chunk.iter().try_for_each(|(id, json)| writeln!(self.0, "{id}\n{json}"))
    }

    fn read(self) -> io::Result<Spooled> {
        let mut file = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Spooled(BufReader::new(file)))
    }
}

impl Spooled {
    fn next(&mut self) -> io::Result<Option<(RecordId, String)>> {
        let Some(id) = self.line()? else { return Ok(None) };
        let id = RecordId::parse(&id).map_err(io::Error::other)?;
        let json = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Some((id, json)))
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        // The last line has one as well, if all of it was written.
        line.pop().filter(|end| *end == '\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Some(line))
    }
}

/// Stores a session, if nothing stands in its way.
fn begin(connection: &Connection, session: &Session, json: String) -> Result<SessionSeq, SqlError> {
    check_free(connection, session)?;
    row::insert(connection, session, json)
}

/// Refuses a session whose id or name is taken.
fn check_free(connection: &Connection, session: &Session) -> Result<(), SqlError> {
    tombstone::check_free(connection, session.id())?;
    if let Some(name) = session.name().filter(|_| session.claims_name()) {
        let holders = find::may_hold(connection, name.as_str())?;
        rules::unheld(session, holders.iter().map(|Stored { session, .. }| session))?;
    }
    Ok(())
}

fn insert(
    connection: &Connection,
    session: SessionSeq,
    records: &mut u64,
    chunk: &[(RecordId, String)],
) -> Result<(), SqlError> {
    for (id, json) in chunk {
        history::insert(connection, session.key(Seq::after(*records))?, id, json)?;
        *records += 1;
    }
    Ok(())
}
