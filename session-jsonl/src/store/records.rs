//! Histories: appended to, read and searched.

use std::sync::PoisonError;

use session_core::store::rules::{self, Append};
use session_core::{
    Appended, Entry, HitCollector, Hits, Reading, RecordStore, Records, Search, SessionId,
    StoreError, Timestamp,
};

use super::JsonlStore;
use crate::directory::View;
use crate::error::ReadError;
use crate::history::{self, Hint, Stretch};
use crate::line;
use crate::recent::Recent;
use crate::writer::{Change, Concerns};

/// How often a file is opened again that was replaced by another in between.
const ATTEMPTS: u32 = 8;

/// Of how many histories it is remembered where a reader is.
const HINTS: usize = 16;

impl RecordStore for JsonlStore {
    fn append(
        &self,
        id: SessionId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Appended, StoreError> {
        let writer = self.writing(Concerns::One)?;
        let (before, stored) = writer.view.stored(id)?;
        let fail = |error| ReadError::io("reading", &before.path, error);
        let mut recent = None;
        if !entries.is_empty() {
            let (inode, whole) = (before.stamp.inode, before.whole());
            recent = match self.directory.take_recent(id) {
                Some(known) if known.is_of(inode, whole) => Some(known),
                known => {
                    let file = writer.view.open_loaded(id, &before)?;
                    let file = file.ok_or_else(|| fail(std::io::ErrorKind::NotFound.into()))?;
                    Some(Recent::read(known, &*file, inode, whole).map_err(fail)?)
                }
            };
        }
        let known = |id: &_| Ok::<_, StoreError>(recent.as_ref().and_then(|it| it.number(id)));
        let Append { session, fresh, seqs, repeats } =
            rules::appended(&stored, entries, known, at)?;
        let Some(session) = session else {
            if let Some(recent) = recent {
                self.directory.put_recent(id, recent);
            }
            let title = stored.identity.title.clone();
            return Ok(Appended { seqs, repeats, revision: stored.lifecycle.revision, title });
        };
        let revision = session.lifecycle.revision;
        let title = session.identity.title.clone();
        let lines = line::batch(entries, &fresh, &session)?;
        let whole = before.whole() + lines.len() as u64;
        self.commit_alone(&writer, &Change::with_lines(session, before, lines))?;
        if let Some(mut recent) = recent {
            let added = fresh.iter().map(|(index, seq)| (entries[*index].id.clone(), *seq));
            recent.add(added, whole);
            self.directory.put_recent(id, recent);
        }
        Ok(Appended { seqs, repeats, revision, title })
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        let mut attempt = 1;
        loop {
            let view = self.reading()?;
            let (loaded, stored) = view.stored(id)?;
            let Some(file) = view.open_loaded(id, &loaded)? else {
                if attempt == ATTEMPTS {
                    return Err(StoreError::NotFound { selector: id.to_string() });
                }
                attempt += 1;
                continue;
            };
            let records = stored.totals().records;
            let stretch = Stretch { file: &*file, loaded: &loaded, records };
            let (page, hint) = stretch
                .read(reading, self.hint(id))
                .map_err(|error| ReadError::io("reading", &loaded.path, error))?;
            self.remember(id, hint);
            return Ok(page);
        }
    }

    fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        let view = self.reading()?;
        let generation = self.generation();
        search.check_cursor(generation)?;
        let listing = self.index.listing(&view, &self.lock)?.known()?;
        let ids: Vec<_> = (listing.rows())
            .filter(|(_, row)| search.looks_into(&row.session))
            .map(|(id, _)| id)
            .collect();
        let mut hits = HitCollector::new(search);
        for error in &listing.unreadable {
            hits.damaged(error.to_damage());
        }
        listing.damaged.iter().cloned().for_each(|damage| hits.damaged(damage));
        drop(listing);
        for id in ids {
            search_in(&view, id, search, &mut hits)?;
        }
        Ok(hits.finish(generation))
    }
}

/// Searches the history of one session.
fn search_in(
    view: &View<'_>,
    id: SessionId,
    search: &Search,
    hits: &mut HitCollector<'_>,
) -> Result<(), StoreError> {
    for _ in 0..ATTEMPTS {
        let Some(loaded) = view.load(id)? else { return Ok(()) };
        let Some(session) = loaded.readable().filter(|session| search.looks_into(session)) else {
            return Ok(());
        };
        let Some(file) = view.open_loaded(id, &loaded)? else { continue };
        let records = session.totals().records;
        let read = history::each(&*file, &loaded, records, |found| match found {
            Ok(record) => hits.push(session, &record),
            Err(spot) => hits.damaged(loaded.damage_at(&spot)),
        });
        // What is only unreadable now is no damage, and an answer without it would not be one.
        return Ok(read.map_err(|error| ReadError::io("reading", &loaded.path, error))?);
    }
    Ok(())
}

impl JsonlStore {
    fn hint(&self, id: SessionId) -> Option<Hint> {
        let hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        hints.iter().find(|(known, _)| *known == id).map(|(_, hint)| *hint)
    }

    fn remember(&self, id: SessionId, hint: Option<Hint>) {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        hints.retain(|(known, _)| *known != id);
        if hints.len() == HINTS {
            hints.remove(0);
        }
        hints.extend(hint.map(|hint| (id, hint)));
    }
}
