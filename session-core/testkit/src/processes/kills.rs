//! Rounds of writers that are killed in the middle of their work, and what has to be there afterwards.
#![expect(
    clippy::print_stderr,
    reason = "how much was proved is worth a line where output is shown"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use session_core::{
    ErrorKind, Expression, Query, Reading, Scope, Search, SessionId, SessionStore, SessionStoreExt,
    StoreError,
};

use super::writer::{self, shared};
use super::{ProcessFixture, child, turn};
use crate::samples;

/// How many writers work at once. One of them is killed, and then the others.
const WRITERS: u32 = 2;

/// What was acknowledged to somebody, over all rounds.
#[derive(Debug, Default)]
struct Acknowledged {
    /// By session: the ids of records, by the numbers that they got.
    records: BTreeMap<SessionId, BTreeMap<u64, String>>,
    created: BTreeSet<SessionId>,
    removed: BTreeSet<SessionId>,
    restored: BTreeSet<SessionId>,
    purged: BTreeSet<SessionId>,
    /// By session: the last revision that an update was told.
    revisions: BTreeMap<SessionId, u64>,
}

/// Lets writers work and kills them, round after round, on one store. After each round everything is there that was
/// acknowledged, nothing is there twice, and nothing is damaged.
///
/// # Panics
/// When that is not so.
pub fn kills<F: ProcessFixture>(fixture: &F, rounds: u32) {
    let _turn = turn();
    let path = fixture.path();
    let store = F::open(&path);
    writer::prepare(&*store);
    drop(store);
    let mut acknowledged = Acknowledged::default();
    let random = RandomState::new();
    for round in 0..rounds {
        let mut writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                child::playing(&format!("write {round}-{writer}"), &path).spawn().unwrap()
            })
            .collect();
        let until = usize::try_from(random.hash_one(round) % 150).unwrap();
        for writer in &mut writers {
            // The moment falls into whatever the writer does after so many answers: to the first only, as the others
            // have gone on meanwhile.
            let mut answers = child::answers_in(writer.stdout.take().unwrap());
            let before: Vec<_> = answers.by_ref().take(until).collect();
            writer.kill().unwrap();
            before.into_iter().chain(answers).for_each(|answer| acknowledged.note(&answer));
            assert_eq!(writer.wait().unwrap().code(), None, "a writer ended by itself");
        }
        acknowledged.verify::<F>(&path, round);
    }
    let total: usize = acknowledged.records.values().map(BTreeMap::len).sum();
    assert!(total > rounds as usize, "writers were killed before they wrote anything");
    eprintln!("{rounds} rounds, {total} records acknowledged");
}

impl Acknowledged {
    fn note(&mut self, answer: &str) {
        let mut words = answer.split(' ');
        let (what, id) = (words.next().unwrap(), words.next().unwrap());
        let id = SessionId::parse(id).unwrap();
        match what {
            "created" => assert!(self.created.insert(id), "created twice"),
            "removed" => _ = self.removed.insert(id),
            "restored" => _ = self.restored.insert(id),
            "purged" => _ = self.purged.insert(id),
            "updated" => {
                let revision = words.next().unwrap().parse().unwrap();
                let last = self.revisions.entry(id).or_insert(revision);
                *last = revision.max(*last);
            }
            _ => {
                let records = self.records.entry(id).or_default();
                for pair in words {
                    let (record, seq) = pair.split_once('=').unwrap();
                    let before = records.insert(seq.parse().unwrap(), record.to_owned());
                    assert_eq!(before, None, "number {seq} was given twice");
                }
            }
        }
    }

    fn verify<F: ProcessFixture>(&self, path: &Path, round: u32) {
        self.look(&*F::open_read_only(path), round);
        // Nobody waits for the dead: their locks went with them.
        let store = F::open(path);
        store.append(shared().id(), &[], samples::at(1)).unwrap();
        self.look(&*store, round);
        store.close().unwrap();
        self.look(&*F::open_read_only(path), round);
    }

    /// Asserts that everything is there that was acknowledged, and nothing twice, and that nothing is damaged.
    fn look(&self, store: &dyn SessionStore, round: u32) {
        assert_eq!(store.check().unwrap().damaged, [], "round {round}");
        self.look_at_sessions(store, round);
        for (id, acknowledged) in &self.records {
            let found = records(store, *id);
            // Destroyed, by a writer that may have died before it could say so.
            if found.is_empty() && self.removed.contains(id) {
                continue;
            }
            for (seq, record) in acknowledged {
                assert_eq!(found.get(seq), Some(record), "round {round}, session {id}");
            }
        }
        look_for_all(store);
    }

    fn look_at_sessions(&self, store: &dyn SessionStore, round: u32) {
        for id in &self.created {
            match store.get(*id) {
                Ok(session) => {
                    assert!(!self.purged.contains(id), "{id} came back");
                    assert!(session.is_trashed() || !self.removed.contains(id), "{id} came back");
                }
                // Who destroys a session says first that it is in the trash.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{id}");
                    assert!(self.removed.contains(id), "{id} is gone, round {round}");
                }
            }
        }
        for (id, revision) in &self.revisions {
            let stored = store.get(*id).unwrap();
            assert!(stored.lifecycle.revision.0 >= *revision, "an update is gone, round {round}");
        }
        for id in &self.restored {
            assert!(!store.get(*id).unwrap().is_trashed(), "{id} is in the trash again");
        }
        let buried: BTreeSet<_> =
            store.tombstones().unwrap().iter().map(|tombstone| tombstone.id).collect();
        let lost: Vec<_> = self.purged.difference(&buried).collect();
        assert!(lost.is_empty(), "round {round}: no tombstones of {lost:?}");
    }
}

/// The ids of a session's records by their numbers. None is there twice.
fn records(store: &dyn SessionStore, id: SessionId) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for record in store.history(id, Reading::ALL) {
        match record {
            Ok(record) => {
                let id = record.entry.id.to_string();
                assert!(ids.insert(id.clone()), "{id} is there twice");
                found.insert(record.seq.get(), id);
            }
            Err(StoreError::NotFound { .. } | StoreError::Purged { .. }) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    found
}

/// Asserts that a search finds every record, however far the text index is.
fn look_for_all(store: &dyn SessionStore) {
    let mut query = Query::new(samples::observer(1));
    query.scope = Scope::All;
    let sessions = store.list(&query).unwrap().sessions;
    let records: u64 = sessions.iter().map(|session| session.totals().records).sum();
    let search = Search::new(Expression::parse("word").unwrap());
    assert_eq!(store.search(&search).unwrap().hits.len() as u64, records);
}
