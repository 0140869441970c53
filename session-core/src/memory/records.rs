//! Histories in memory.

use std::num::NonZeroU32;
use std::ops::Range;

use super::{Content, Kept, MemoryStore};
use crate::store::rules::{self, Append};
use crate::{
    Appended, Entry, HitCollector, Hits, Order, Reading, Record, RecordStore, Records, Search, Seq,
    SessionId, SessionStore as _, StoreError, Timestamp,
};

impl RecordStore for MemoryStore {
    fn append(
        &self,
        id: SessionId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Appended, StoreError> {
        let mut content = self.content()?;
        let Content { sessions, histories, .. } = &mut *content;
        let stored = sessions
            .get_mut(&id)
            .ok_or_else(|| StoreError::NotFound { selector: id.to_string() })?;
        let history = histories.entry(id).or_default();
        let known = |id: &_| Ok::<_, StoreError>(history.numbers.get(id).copied());
        let Append { session, fresh, seqs, repeats } = rules::appended(stored, entries, known, at)?;
        for (index, seq) in fresh {
            let entry = entries[index].clone();
            history.numbers.insert(entry.id.clone(), seq);
            history.push(entry.at(seq));
        }
        if let Some(session) = session {
            *stored = session;
        }
        let title = stored.identity.title.clone();
        Ok(Appended { seqs, repeats, revision: stored.lifecycle.revision, title })
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        let content = self.content()?;
        content.stored(id)?;
        let empty = Kept::default();
        let history = content.histories.get(&id).unwrap_or(&empty);
        let inside = places(reading, history.records.len());
        let count = inside.len();
        let records = match reading.order {
            Order::Forward => page(history, inside, reading.limit),
            Order::Backward => page(history, inside.rev(), reading.limit),
        };
        let next = records.last().and_then(|last| reading.beyond(last.seq));
        let is_more = records.len() < count;
        Ok(Records { records, damaged: Vec::new(), next: next.filter(|_| is_more) })
    }

    fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        let generation = self.info().generation;
        search.check_cursor(generation)?;
        let content = self.content()?;
        let mut hits = HitCollector::new(search);
        for (id, history) in &content.histories {
            if let Some(session) = content.sessions.get(id).filter(|one| search.looks_into(one)) {
                history.records.iter().for_each(|record| hits.push(session, record));
            }
        }
        Ok(hits.finish(generation))
    }
}

/// Where the records of a stretch stand among so many.
fn places(reading: &Reading, records: usize) -> Range<usize> {
    let place = |seq: Seq| usize::try_from(seq.get()).unwrap_or(usize::MAX);
    let end = place(reading.to).min(records);
    (place(reading.from) - 1).min(end)..end
}

/// The first of these records: as many as were asked for, and no more once they have [`Reading::PAGE_BYTES`].
fn page(
    history: &Kept,
    places: impl Iterator<Item = usize>,
    limit: Option<NonZeroU32>,
) -> Vec<Record> {
    let limit = limit.map_or(usize::MAX, |limit| limit.get() as usize);
    let mut bytes = 0;
    let mut records = Vec::new();
    for place in places.take(limit) {
        records.push(history.records[place].clone());
        bytes += history.sizes[place];
        if bytes >= Reading::PAGE_BYTES {
            break;
        }
    }
    records
}
