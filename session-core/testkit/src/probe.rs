//! Looking at all of a store, and checking that a refusal changed none of it.

use session_core::{
    Appended, Entry, Hits, Observer, Order, Page, Query, Reading, Record, Records, Scope, Search,
    Selector, Seq, Session, SessionId, SessionStore, Sort, StoreError,
};

use crate::content::{assert_same_lines, content};
use crate::samples::{IDS, at, id, observer};

/// The sessions that a store holds: what it lists, and what it gives for each id that samples have, the trash
/// included.
pub(crate) fn dump(store: &dyn SessionStore) -> (Vec<Session>, Vec<Session>) {
    let stored = (0..IDS).map(id).filter_map(|id| match store.get(id) {
        Ok(session) => Some(session),
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => panic!("cannot read {id}: {error}"),
    });
    (page(store, &everything()).sessions, stored.collect())
}

/// Makes a call that must be refused, checks that it left the store as it was, and returns the refusal.
pub(crate) fn refused<T: std::fmt::Debug>(
    store: &dyn SessionStore,
    call: impl FnOnce(&dyn SessionStore) -> Result<T, StoreError>,
) -> StoreError {
    let before = content(store);
    let error = call(store).expect_err("the call must be refused");
    let what = format!("the refusal ({error}) must leave the store as it was");
    assert_same_lines(&content(store), &before, &what);
    error
}

/// Checks that a call is refused with exactly this error and leaves the store as it was.
macro_rules! assert_refused {
    ($store:expr, $call:expr, $error:pat $(if $guard:expr)?) => {{
        let error = $crate::probe::refused($store, $call);
        assert!(
            matches!(&error, $error $(if $guard)?),
            "must be {}, is {error:?}",
            stringify!($error $(if $guard)?),
        );
    }};
}
pub(crate) use assert_refused;

/// Whether the reason of a refusal names this member.
pub(crate) fn is_named(member: &str, reason: &str) -> bool {
    reason.split(' ').any(|word| word == member)
}

/// The query for every session outside the trash, newest first.
pub(crate) fn everything() -> Query {
    query(observer(0), Scope::All, Sort::Created)
}

/// A query without filters.
pub(crate) fn query(observer: Observer, scope: Scope, sort: Sort) -> Query {
    let mut query = Query::new(observer);
    query.scope = scope;
    query.sort = sort;
    query
}

/// A page that must come, and be whole.
pub(crate) fn page(store: &dyn SessionStore, query: &Query) -> Page {
    let page = store.list(query).unwrap();
    assert_eq!(page.damaged, [], "nothing in the store is damaged");
    page
}

/// The numbers of the ids of what a query lists, in its order.
pub(crate) fn listed(store: &dyn SessionStore, query: &Query) -> Vec<u32> {
    numbers(&page(store, query).sessions)
}

/// The numbers of the ids of sessions.
pub(crate) fn numbers(sessions: &[Session]) -> Vec<u32> {
    sessions.iter().map(|session| number(session.id())).collect()
}

/// The number of an id.
pub(crate) fn number(found: SessionId) -> u32 {
    (0..IDS).find(|number| id(*number) == found).expect("only ids of the samples are stored")
}

/// Appends entries to the session of this number, so many seconds after the beginning.
#[track_caller]
pub(crate) fn append(
    store: &dyn SessionStore,
    number: u32,
    entries: &[Entry],
    seconds: i64,
) -> Appended {
    store.append(id(number), entries, at(seconds)).unwrap()
}

/// A page of records that must come, and be whole.
#[track_caller]
pub(crate) fn read(store: &dyn SessionStore, number: u32, reading: &Reading) -> Records {
    let page = store.read(id(number), reading).unwrap();
    assert_eq!(page.damaged, [], "nothing in the store is damaged");
    page
}

/// All records of a stretch, page by page. Every page but the last must bring it on.
#[track_caller]
pub(crate) fn stretch(store: &dyn SessionStore, number: u32, reading: &Reading) -> Vec<Record> {
    let mut joined: Vec<Record> = Vec::new();
    let mut next = Some(*reading);
    while let Some(reading) = next {
        let page = read(store, number, &reading);
        let limit = reading.limit.map_or(usize::MAX, |limit| limit.get() as usize);
        assert!(page.records.len() <= limit, "more than {limit} records on a page");
        assert!(page.next.is_none() || !page.records.is_empty(), "a page without records goes on");
        if let (Some(last), Some(first)) = (joined.last(), page.records.first()) {
            let goes_on = match reading.order {
                Order::Forward => last.seq < first.seq,
                Order::Backward => last.seq > first.seq,
            };
            assert!(goes_on, "a page with record {} comes after record {}", first.seq, last.seq);
        }
        joined.extend(page.records);
        next = page.next;
    }
    joined
}

/// The whole history of the session of this number.
#[track_caller]
pub(crate) fn history(store: &dyn SessionStore, number: u32) -> Vec<Record> {
    stretch(store, number, &Reading::ALL)
}

/// The records that entries become at the beginning of a history.
pub(crate) fn placed(entries: &[Entry]) -> Vec<Record> {
    (0..).zip(entries.iter().cloned()).map(|(count, entry)| entry.at(Seq::after(count))).collect()
}

/// Sequence numbers.
pub(crate) fn seqs(numbers: impl IntoIterator<Item = u64>) -> Vec<Seq> {
    numbers.into_iter().map(|number| Seq::new(number).unwrap()).collect()
}

/// A search for this query in everything.
pub(crate) fn search(query: &str) -> Search {
    Search::new(query.parse().unwrap())
}

/// A page of hits that must come, and be whole.
#[track_caller]
pub(crate) fn hits(store: &dyn SessionStore, search: &Search) -> Hits {
    let hits = store.search(search).unwrap();
    assert_eq!(hits.damaged, [], "nothing in the store is damaged");
    hits
}

/// What a search finds, each record by the numbers of its session and its own, in the order of the answer.
#[track_caller]
pub(crate) fn found(store: &dyn SessionStore, search: &Search) -> Vec<(u32, u64)> {
    hits(store, search).hits.iter().map(|hit| (number(hit.session), hit.seq.get())).collect()
}

/// A selector.
pub(crate) fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}
