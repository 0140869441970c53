//! Doing an operation to a store, and comparing its answer and its content with the model's.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use session_core::{
    Observer, Query, Removal, Selector, Session, SessionStore, SessionStoreExt, StoreError,
    Tombstone,
};

use super::operation::{Call, Cleanup, HOSTS, IDS, Listing, NAMES, Operation, Wanted};
use super::reading::{assert_history, hits, read};
use super::reference::{Outcome, Reference, Refusal, end};
use super::row::{Row, workdir};
use super::said::Said;
use crate::StoreFixture;
use crate::probe::{number, numbers, page};
use crate::samples::{at, id, label, name, role};

/// Two handles on the store under test.
pub(super) struct Handles<'a> {
    fixture: &'a dyn StoreFixture,
    open: Vec<Box<dyn SessionStore>>,
}

impl<'a> Handles<'a> {
    pub(super) fn open(fixture: &'a dyn StoreFixture) -> Self {
        Self { fixture, open: vec![fixture.open(), fixture.open()] }
    }

    /// Does the operation, which must have this outcome.
    pub(super) fn check(&mut self, before: &Reference, operation: &Operation, expected: &Outcome) {
        let found = self.perform(before, operation);
        let found = found.unwrap_or_else(|error| Outcome::Refused(refusal(error)));
        assert_eq!(
            found, *expected,
            "the store's answer is left, the model's right: {operation:?}"
        );
    }

    /// Compares all of the store with the model.
    pub(super) fn compare(&self, model: &Reference, operation: &Operation) {
        // Through the handle that did not write: it must see the same.
        let store = &*self.open[1 - operation.handle];
        for number in 0..IDS {
            let found = match store.get(id(number)) {
                Ok(session) => Some(session),
                Err(StoreError::NotFound { .. }) => None,
                Err(error) => panic!("get after {operation:?}: {error:?}"),
            };
            let expected = model.rows.get(&number).map(Row::session);
            assert_eq!(found, expected, "the store is left, the model right after {operation:?}");
        }
        if let Call::Append(number, _) | Call::Remove(number, _) | Call::Restore(number) =
            &operation.call
        {
            assert_history(store, model, *number);
        }
    }

    /// Compares what is not compared after each operation.
    pub(super) fn compare_everything(&self, model: &Reference) {
        let store = &*self.open[0];
        (0..IDS).for_each(|number| assert_history(store, model, number));
        let expected: Vec<_> = model
            .graves
            .iter()
            .map(|(number, time)| Tombstone::new(id(*number), at(*time)))
            .collect();
        assert_eq!(store.tombstones().unwrap(), expected, "the store is left, the model right");
        let stats = store.stats().unwrap();
        let is_trashed = |row: &&Row| row.trashed.is_some();
        assert_eq!(stats.trashed, model.rows.values().filter(is_trashed).count() as u64);
        let records: usize = model.rows.values().map(|row| row.history.len()).sum();
        assert_eq!(stats.records, records as u64);
    }

    fn perform(
        &mut self,
        before: &Reference,
        operation: &Operation,
    ) -> Result<Outcome, StoreError> {
        let now = operation.at;
        let store = &*self.open[operation.handle];
        let observer =
            |host: &Option<usize>| Observer { now: at(now), live_host: host.map(instance) };
        Ok(match &operation.call {
            Call::Create(number, draft) => {
                stored(store, store.create(Row::new(*number, now, draft).session())?)
            }
            Call::Update(number, edit, expected) => {
                let changed = before.request(*number, edit, *expected, now).session();
                stored(store, store.update(changed, at(now))?)
            }
            Call::Remove(number, host) => {
                stored(store, store.remove(id(*number), &observer(host))?)
            }
            Call::RemoveAll(cleanup) => {
                let removal = removal(cleanup, observer(&cleanup.host));
                let announced = store.removable(&removal)?;
                assert_eq!(announced.damaged, []);
                let removed = store.remove_all(&removal)?;
                assert_eq!(numbers(&announced.sessions), numbers(&removed));
                for session in &removed {
                    assert_eq!(store.get(session.id())?, *session);
                }
                Outcome::Listed(numbers(&removed))
            }
            Call::Restore(number) => stored(store, store.restore(id(*number), at(now))?),
            Call::Purge(number) => {
                let tombstone = store.purge(id(*number), at(now))?;
                assert_eq!(tombstone, Tombstone::new(id(*number), at(now)));
                Outcome::Buried
            }
            Call::Append(number, batch) => {
                let entries: Vec<_> = batch.iter().map(Said::entry).collect();
                let answer = store.append(id(*number), &entries, at(now))?;
                let seqs = answer.seqs.iter().map(|seq| seq.get()).collect();
                Outcome::Appended {
                    seqs,
                    repeats: answer.repeats,
                    revision: answer.revision.0,
                    title: answer.title,
                }
            }
            Call::Read(number, stretch) => read(store, before, *number, stretch)?,
            Call::Context(number) => {
                let context = store.context(id(*number))?;
                assert_eq!(context.damaged, []);
                let texts = context.messages.iter().flat_map(|(seq, message)| {
                    message.texts().map(|text| (seq.get(), text.to_owned()))
                });
                Outcome::Context {
                    checkpoint: context.checkpoint.map(|seq| seq.get()),
                    through: context.through.map_or(0, |seq| seq.get()),
                    texts: texts.collect(),
                }
            }
            Call::Search(asked) => hits(store, before, asked),
            Call::Sweep(host) => {
                let swept = store.sweep(&observer(host))?;
                for session in &swept {
                    assert_eq!(store.get(session.id())?, *session);
                }
                let distinct: BTreeSet<u32> = numbers(&swept).into_iter().collect();
                assert_eq!(distinct.len(), swept.len(), "a sweep returns each session once");
                Outcome::Swept(distinct)
            }
            Call::List(listing) => {
                list(store, before, query(listing, observer(&listing.host)), listing.limit)
            }
            Call::Named(index) => {
                let found = store.named(&name(NAMES[*index]))?;
                assert_recorded(before, &found);
                Outcome::Listed(numbers(&found))
            }
            Call::Find(wanted) => {
                let found = store.find(&Selector::parse(&text(*wanted)).unwrap())?;
                assert_recorded(before, std::slice::from_ref(&found));
                Outcome::Found(number(found.id()))
            }
            Call::FindTrashed(wanted) => {
                let found = store.find_trashed(&Selector::parse(&text(*wanted)).unwrap())?;
                assert_recorded(before, std::slice::from_ref(&found));
                Outcome::Found(number(found.id()))
            }
            Call::Reopen => {
                store.close()?;
                self.open[operation.handle] = self.fixture.open();
                Outcome::Reopened
            }
            Call::DropAll => {
                self.open.clear();
                self.open.extend([self.fixture.open(), self.fixture.open()]);
                Outcome::Reopened
            }
            Call::ReopenAll => {
                for store in self.open.drain(..) {
                    store.close()?;
                }
                self.open.extend([self.fixture.open(), self.fixture.open()]);
                Outcome::Reopened
            }
        })
    }
}

/// What a write returned must be what is stored.
fn stored(store: &dyn SessionStore, session: Session) -> Outcome {
    assert_eq!(store.get(session.id()).unwrap(), session);
    Outcome::Stored(number(session.id()))
}

/// What reading returns must be as recorded, not as observed.
fn assert_recorded(model: &Reference, sessions: &[Session]) {
    for session in sessions {
        assert_eq!(*session, model.rows[&number(session.id())].session());
    }
}

fn list(store: &dyn SessionStore, model: &Reference, mut query: Query, limit: u32) -> Outcome {
    let whole = page(store, &query);
    assert_eq!(whole.next, None);
    assert_recorded(model, &whole.sessions);
    query.limit = NonZeroU32::new(limit);
    let mut joined = Vec::new();
    loop {
        let page = page(store, &query);
        joined.extend(page.sessions);
        assert!(joined.len() <= whole.sessions.len(), "pages repeat themselves");
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(joined, whole.sessions, "pages join to the whole");
    Outcome::Listed(numbers(&joined))
}

fn query(listing: &Listing, observer: Observer) -> Query {
    let mut query = Query::new(observer);
    query.statuses = listing.statuses.iter().copied().collect();
    query.labels =
        listing.label.map(|value| (label("label"), value.to_string())).into_iter().collect();
    query.workdir = listing.elsewhere.map(|elsewhere| workdir(elsewhere).to_owned());
    query.parent = listing.parent.map(id);
    query.tool = listing.tooled.then(|| "claude".to_owned());
    query.role = listing.leased.then(|| role("reviewer"));
    query.scope = listing.scope;
    query.sort = listing.sort;
    query
}

fn removal(cleanup: &Cleanup, observer: Observer) -> Removal {
    Removal {
        observer,
        statuses: cleanup.statuses.iter().copied().collect(),
        inactive_since: cleanup.inactive_since.map(at),
        only_empty: cleanup.only_empty,
    }
}

fn text(wanted: Wanted) -> String {
    match wanted {
        Wanted::Id(number) => id(number).to_string(),
        Wanted::Name(index) => NAMES[index].to_owned(),
        Wanted::End(number) => end(number),
        Wanted::Beginning => id(0).to_string()[..12].to_owned(),
    }
}

fn instance(index: usize) -> String {
    HOSTS[index].to_owned()
}

fn refusal(error: StoreError) -> Refusal {
    match error {
        StoreError::NotFound { .. } => Refusal::NotFound,
        StoreError::IdExists { .. } => Refusal::IdExists,
        StoreError::NameHeld { holder, .. } => Refusal::NameHeld { holder: number(holder) },
        StoreError::Purged { at: when, .. } => {
            let seconds = when.since(at(0)).as_secs().cast_signed();
            assert_eq!(when, at(seconds));
            Refusal::Purged(seconds)
        }
        StoreError::Invalid { .. } => Refusal::Invalid,
        StoreError::Ended { status, .. } => Refusal::Ended(status),
        StoreError::NotTrashed { .. } => Refusal::NotTrashed,
        StoreError::Trashed { .. } => Refusal::Trashed,
        StoreError::Conflict { expected, found, .. } => {
            Refusal::Conflict { expected: expected.0, found: found.0 }
        }
        StoreError::Immutable { field, .. } => Refusal::Immutable(field),
        StoreError::Transition { source, .. } => {
            Refusal::Transition { from: source.from, to: source.to }
        }
        StoreError::StillRunning { .. } => Refusal::StillRunning,
        StoreError::RunningChildren { children, .. } => {
            Refusal::RunningChildren(children.into_iter().map(number).collect())
        }
        StoreError::Ambiguous { candidates, .. } => {
            Refusal::Ambiguous(candidates.into_iter().map(|(id, _)| number(id)).collect())
        }
        error => panic!("no operation of the model can fail like this: {error:?}"),
    }
}
