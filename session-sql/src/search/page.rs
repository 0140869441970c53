//! Gathering one page: candidates are read, verified by the core, and kept as long as they belong to the page.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use rusqlite::Connection;
use session_core::{Damage, Hit, HitPlace, Hits, Record, Search, SearchCursor, Session};

use super::render::fts5;
use super::{CANDIDATES, STRETCH};
use crate::error::SqlError;
use crate::index::{self, Scale};
use crate::key::{Key, SessionSeq};
use crate::{find, history};

/// How many sessions are kept for the next of their records.
const KEPT: usize = 1024;

pub(super) struct Gathering<'a> {
    connection: &'a Connection,
    search: &'a Search,
    /// The newest hits so far, one more than a page so that it is known whether there are more.
    newest: BTreeMap<HitPlace, Hit>,
    damaged: Vec<Damage>,
    /// Sessions that were looked at; `None` for those that the search does not look into.
    sessions: HashMap<SessionSeq, Option<Session>>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(connection: &'a Connection, search: &'a Search) -> Self {
        Self {
            connection,
            search,
            newest: BTreeMap::new(),
            damaged: Vec::new(),
            sessions: HashMap::new(),
        }
    }

    /// Looks at the records of a session behind the first `indexed`.
    pub(super) fn unindexed(
        &mut self,
        session: SessionSeq,
        indexed: i64,
        records: i64,
    ) -> Result<(), SqlError> {
        if self.session(session)?.is_none() {
            return Ok(());
        }
        let mut statement = self.connection.prepare_cached(STRETCH)?;
        let after = |number: i64| session.keys_after(u64::try_from(number).unwrap_or(0));
        let mut rows = statement.query([*after(indexed).start(), *after(records).start() - 1])?;
        while let Some(row) = rows.next()? {
            match history::read_row(row, 0)? {
                Ok(record) => self.push(session, &record),
                Err(damage) => self.damaged.push(damage),
            }
        }
        Ok(())
    }

    /// Looks at the records of these keys that the text index finds, until the page is whole.
    pub(super) fn indexed(
        &mut self,
        scale: Scale,
        keys: RangeInclusive<i64>,
    ) -> Result<(), SqlError> {
        let (from, to) = self.docids(scale)?;
        let mut statement = self.connection.prepare_cached(CANDIDATES)?;
        let query = fts5(self.search.expression.root());
        let mut rows = statement.query((query, from, to, keys.start(), keys.end()))?;
        while let Some(row) = rows.next()? {
            if self.is_whole_before(scale.millis(row.get(3)?)) {
                break;
            }
            let key = Key::new(row.get(4)?);
            if self.session(key.session())?.is_none() {
                continue;
            }
            if row.get::<_, Option<i64>>(0)?.is_none() {
                self.damaged.push(history::damage(key, None, "it is missing".to_owned()));
                continue;
            }
            match history::read_row(row, 0)? {
                Ok(record) => self.push(key.session(), &record),
                Err(damage) => self.damaged.push(damage),
            }
        }
        Ok(())
    }

    /// The page, of a store in this generation: what [`session_core::HitCollector`] would make of all records.
    pub(super) fn finish(mut self, generation: u64) -> Hits {
        let is_more = self.is_full();
        if is_more {
            self.newest.pop_first();
        }
        let next = self.newest.first_key_value().filter(|_| is_more).map(|(place, _)| {
            SearchCursor { generation, search: self.search.fingerprint(), place: *place }
        });
        Hits { hits: self.newest.into_values().rev().collect(), next, damaged: self.damaged }
    }

    /// The numbers of documents that the page can have: from the first on, and before the second.
    fn docids(&self, scale: Scale) -> Result<(i64, i64), SqlError> {
        let since = self.search.since.map_or(i64::MIN, |since| since.as_millis());
        let until = self.search.until.map_or(i64::MAX, |until| until.as_millis());
        let cursor = self.search.cursor.map(|cursor| cursor.place.at.as_millis() + 1);
        let before = until.min(cursor.unwrap_or(i64::MAX));
        // A number may be behind the time of its record, but no further than this.
        let before = before.saturating_add(index::displacement(self.connection)?);
        Ok((scale.first(since), scale.first(before)))
    }

    /// Whether there is one more than the page has room for.
    fn is_full(&self) -> bool {
        self.search.limit.is_some_and(|limit| self.newest.len() > limit.get() as usize)
    }

    /// Whether the page is full, and no record of this time or before belongs to it.
    fn is_whole_before(&self, millis: i64) -> bool {
        let last = self.newest.first_key_value();
        self.is_full() && last.is_some_and(|(last, _)| millis < last.at.as_millis())
    }

    fn push(&mut self, seq: SessionSeq, record: &Record) {
        let Some(session) = self.sessions.get(&seq).and_then(Option::as_ref) else { return };
        let place = HitPlace { at: record.entry.at, session: session.id(), seq: record.seq };
        let last = self.newest.first_key_value();
        if self.search.cursor.is_some_and(|cursor| place >= cursor.place)
            || self.is_full() && last.is_some_and(|(last, _)| place < *last)
            || !self.search.matches(session, record)
        {
            return;
        }
        self.newest.insert(place, Hit::of(self.search, session, record));
        if self.search.limit.is_some_and(|limit| self.newest.len() > limit.get() as usize + 1) {
            self.newest.pop_first();
        }
    }

    /// The session of this number, if the search looks into it.
    fn session(&mut self, seq: SessionSeq) -> Result<Option<&Session>, SqlError> {
        if self.sessions.len() >= KEPT && !self.sessions.contains_key(&seq) {
            self.sessions.clear();
        }
        if !self.sessions.contains_key(&seq) {
            let found = match find::by_seq(self.connection, seq)? {
                Some(Ok(stored)) => Some(stored.session),
                Some(Err(damage)) => {
                    self.damaged.push(damage);
                    None
                }
                None => None,
            };
            let found = found.filter(|session| self.search.looks_into(session));
            self.sessions.insert(seq, found);
        }
        Ok(self.sessions.get(&seq).and_then(Option::as_ref))
    }
}
