//! Looking at all of a store, and checking that a refusal changed none of it.

use session_core::{
    Observer, Page, Query, Scope, Session, SessionId, SessionStore, Sort, StoreError,
};

use crate::samples::{IDS, id, observer};

/// All that a store holds: what it lists, and what it gives for each id that samples have, the trash included.
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
    let before = dump(store);
    let error = call(store).expect_err("the call must be refused");
    assert_eq!(dump(store), before, "the refusal ({error}) must leave the store as it was");
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
