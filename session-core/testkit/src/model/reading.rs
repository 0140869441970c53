//! Reading and searching the store under test, and comparing each record that comes with the model's.

use std::num::NonZeroU32;

use session_core::{Hit, Order, Reading, Record, Search, Seq, SessionStore, StoreError};

use super::operation::NAMES;
use super::reference::{Outcome, Reference};
use super::said::{Asked, Said, Stretch, role, text};
use crate::probe::{self, number};
use crate::samples::{at, id, label, name};

/// Compares the whole history of a session with the model's.
pub(super) fn assert_history(store: &dyn SessionStore, model: &Reference, number: u32) {
    match model.rows.get(&number) {
        Some(row) => {
            let entries: Vec<_> = row.history.iter().map(Said::entry).collect();
            assert_eq!(probe::history(store, number), probe::placed(&entries));
        }
        None => {
            let read = store.read(id(number), &Reading::ALL);
            assert!(matches!(read, Err(StoreError::NotFound { .. })), "{read:?}");
        }
    }
}

pub(super) fn read(
    store: &dyn SessionStore,
    model: &Reference,
    number: u32,
    stretch: &Stretch,
) -> Result<Outcome, StoreError> {
    let order = if stretch.backward { Order::Backward } else { Order::Forward };
    let seq = |number| Seq::new(number).unwrap();
    let whole = Reading { from: seq(stretch.from), to: seq(stretch.to), order, limit: None };
    let page = store.read(id(number), &whole)?;
    assert_eq!((page.damaged, page.next), (vec![], None));
    let limited = Reading { limit: NonZeroU32::new(stretch.limit), ..whole };
    assert_eq!(probe::stretch(store, number, &limited), page.records, "pages join to the stretch");
    for record in &page.records {
        assert_eq!(*record, stored(model, number, record.seq));
    }
    Ok(Outcome::Read(page.records.iter().map(|record| record.seq.get()).collect()))
}

/// The record that the model has under this number.
fn stored(model: &Reference, number: u32, seq: Seq) -> Record {
    model.rows[&number].history[seq.get() as usize - 1].entry().at(seq)
}

pub(super) fn hits(store: &dyn SessionStore, model: &Reference, asked: &Asked) -> Outcome {
    let mut search = search(asked);
    let whole = probe::hits(store, &search);
    assert_eq!(whole.next, None);
    for hit in &whole.hits {
        assert_shown(model, hit);
    }
    search.limit = NonZeroU32::new(asked.limit);
    let mut joined = Vec::new();
    loop {
        let page = probe::hits(store, &search);
        assert!(page.hits.len() <= asked.limit as usize);
        joined.extend(page.hits);
        assert!(joined.len() <= whole.hits.len(), "pages repeat themselves");
        match page.next {
            Some(next) => search.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(joined, whole.hits, "pages join to the whole");
    let found = joined.iter().map(|hit| (number(hit.session), hit.seq.get()));
    Outcome::Hits(found.collect())
}

/// A hit must show what the model has.
fn assert_shown(model: &Reference, hit: &Hit) {
    let row = &model.rows[&number(hit.session)];
    let said = &row.history[hit.seq.get() as usize - 1];
    assert_eq!(hit.at, at(said.at));
    assert_eq!(hit.role, said.speaker().map(role));
    assert_eq!(hit.name, row.name.map(|index| name(NAMES[index])));
    assert_eq!(hit.snippet.text, text(said.words()), "so short a text is shown whole");
}

fn search(asked: &Asked) -> Search {
    let mut search = probe::search(&asked.query.query());
    search.session = asked.session.map(id);
    search.role = asked.user.map(role);
    (search.since, search.until) = (asked.since.map(at), asked.until.map(at));
    search.labels =
        asked.label.map(|value| (label("label"), value.to_string())).into_iter().collect();
    search
}
