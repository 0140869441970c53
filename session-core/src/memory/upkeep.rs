//! The whole of a store in memory. There is nothing to damage and nowhere to copy it.

use std::path::Path;

use super::{Kept, MemoryStore};
use crate::store::rules;
use crate::{
    CheckReport, Record, Repair, Seq, Session, StoreError, StoreStats, StoreUpkeep, Timestamp,
    Tombstone,
};

impl StoreUpkeep for MemoryStore {
    fn stats(&self) -> Result<StoreStats, StoreError> {
        let content = self.content()?;
        let mut stats = StoreStats {
            tombstones: content.tombstones.len() as u64,
            records: content.records(),
            ..StoreStats::default()
        };
        for session in content.sessions.values() {
            if session.is_trashed() {
                stats.trashed += 1;
            } else {
                *stats.sessions.entry(session.status()).or_default() += 1;
            }
        }
        Ok(stats)
    }

    fn check(&self) -> Result<CheckReport, StoreError> {
        let content = self.content()?;
        let sessions = content.sessions.len() as u64;
        Ok(CheckReport { sessions, records: content.records(), damaged: Vec::new() })
    }

    fn repair(&self, _at: Timestamp) -> Result<Vec<Repair>, StoreError> {
        self.content().map(|_| Vec::new())
    }

    fn reindex(&self) -> Result<(), StoreError> {
        self.content().map(drop)
    }

    fn backup(&self, _target: &Path) -> Result<(), StoreError> {
        self.content().map(drop)?;
        Err(StoreError::Unsupported { what: "be backed up, as it is in memory" })
    }

    fn restore_backup(&self, _copy: &Path, _kept: Option<&Path>) -> Result<(), StoreError> {
        self.content().map(drop)?;
        Err(StoreError::Unsupported { what: "be replaced by a backup, as it is in memory" })
    }

    fn adopt(
        &self,
        session: Session,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError> {
        let mut history = Kept::default();
        for record in records {
            let expected = Seq::after(history.records.len() as u64);
            let record = rules::in_order(session.id(), record?, expected)?;
            history.numbers.entry(record.entry.id.clone()).or_insert(record.seq);
            history.push(record);
        }
        rules::adopted(&session, history.records.len() as u64)?;
        let mut content = self.content()?;
        content.check_free(session.id())?;
        if session.claims_name() {
            rules::unheld(&session, content.sessions.values())?;
        }
        content.histories.insert(session.id(), history);
        content.put(&session);
        Ok(())
    }

    fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        Ok(self.content()?.tombstones.values().cloned().collect())
    }

    fn bury(&self, tombstone: &Tombstone) -> Result<(), StoreError> {
        let mut content = self.content()?;
        rules::buried(tombstone)?;
        match content.check_free(tombstone.id) {
            Ok(()) => {
                content.tombstones.insert(tombstone.id, tombstone.clone());
                Ok(())
            }
            Err(StoreError::Purged { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::record::{Body, Note};
    use crate::{Entry, RecordId, SessionId, Unknown};

    #[test]
    fn a_check_is_of_one_moment() {
        const SESSIONS: u64 = 2_000;
        let store = MemoryStore::new();
        let now = Timestamp::from_millis(5);
        let note = Body::Note(Note { text: "a".to_owned(), unknown: Unknown::default() });
        let record = Entry::new(RecordId::parse("n-1").unwrap(), now, note).at(Seq::FIRST);
        let mut session = Session::new(SessionId::from_parts(now, 0), now);
        session.conversation.get_or_insert_default().totals.records = 1;
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..SESSIONS {
                    session.identity.id = SessionId::from_parts(now, number.into());
                    store.adopt(session.clone(), &mut [Ok(record.clone())].into_iter()).unwrap();
                }
            });
            loop {
                let report = store.check().unwrap();
                assert_eq!(report.records, report.sessions, "each session came with one record");
                if report.sessions == SESSIONS {
                    break;
                }
            }
        });
    }
}
