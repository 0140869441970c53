//! `list`: which sessions, in which order, on which page.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use session_core::{Cursor, Expiry, Query, Scope, Session, SessionStore, Sort, Status, StoreError};

use crate::StoreFixture;
use crate::probe::{assert_refused, listed, numbers, page, query};
use crate::samples::{HOST, at, bare, id, label, launched, name, observer, running};

fn all(sort: Sort) -> Query {
    query(observer(0), Scope::All, sort)
}

fn current() -> Query {
    query(observer(0), Scope::Current, Sort::Created)
}

fn create(store: &dyn SessionStore, number: u32, edit: impl FnOnce(&mut Session)) {
    let mut session = launched(number);
    edit(&mut session);
    store.create(session).unwrap();
}

fn of_each_status(store: &dyn SessionStore) {
    for (number, status) in (1..).zip(Status::ALL) {
        create(store, number, |session| session.lifecycle.status = status);
    }
}

/// STORE-14: what is current leaves out closed, expired, internal and empty sessions and the trash.
pub fn shows_what_is_current(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    of_each_status(&*store);
    create(&*store, 7, |session| {
        session.launch.as_mut().unwrap().internal = true;
    });
    store.create(bare(8)).unwrap();
    create(&*store, 9, |_| {});
    store.remove(id(9), &observer(1)).unwrap();
    let mut titled = bare(10);
    titled.identity.title = Some("kept for later".to_owned());
    store.create(titled).unwrap();
    assert_eq!(listed(&*store, &current()), [10, 4, 3, 2, 1]);
}

/// STORE-14: everything is everything outside the trash.
pub fn shows_everything(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    assert_eq!(listed(&*store, &all(Sort::Created)), [0; 0]);
    of_each_status(&*store);
    create(&*store, 7, |session| {
        session.launch.as_mut().unwrap().internal = true;
    });
    store.create(bare(8)).unwrap();
    create(&*store, 9, |_| {});
    store.remove(id(9), &observer(1)).unwrap();
    assert_eq!(listed(&*store, &all(Sort::Created)), [8, 7, 6, 5, 4, 3, 2, 1]);
}

/// STORE-14: asking for statuses shows these, the hidden ones too.
pub fn filters_by_status(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    of_each_status(&*store);
    create(&*store, 7, |session| {
        session.lifecycle.status = Status::Closed;
        session.launch.as_mut().unwrap().internal = true;
    });
    let mut query = current();
    query.statuses = BTreeSet::from([Status::Closed, Status::Running]);
    assert_eq!(listed(&*store, &query), [5, 2]);
    query.scope = Scope::All;
    assert_eq!(listed(&*store, &query), [7, 5, 2]);
}

/// STORE-14: all labels asked for must be there with exactly these values.
pub fn filters_by_labels(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let labelled: [&[(&str, &str)]; 6] = [
        &[("team", "core")],
        &[("team", "core"), ("tier", "1")],
        &[("team", "Core"), ("tier", "1")],
        &[("tier", "core")],
        &[("team", "core%"), ("tier", "")],
        &[],
    ];
    for (number, labels) in (1..).zip(labelled) {
        create(&*store, number, |session| {
            session.identity.labels =
                labels.iter().map(|(key, value)| (label(key), (*value).to_owned())).collect();
        });
    }
    let asked = |labels: &[(&str, &str)]| {
        let mut query = current();
        query.labels =
            labels.iter().map(|(key, value)| (label(key), (*value).to_owned())).collect();
        listed(&*store, &query)
    };
    assert_eq!(asked(&[("team", "core")]), [2, 1]);
    assert_eq!(asked(&[("team", "core"), ("tier", "1")]), [2]);
    assert_eq!(asked(&[("team", "core"), ("team", "Core")]), [0; 0]);
    assert_eq!(asked(&[("tier", "")]), [5]);
    assert_eq!(asked(&[("te", "core")]), [0; 0]);
}

/// STORE-14: a directory is compared as text, not as a prefix.
pub fn filters_by_workdir(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, dir) in (1..).zip(["/a", "/a/b", "/A", "/a/", "/a_b", "/a"]) {
        create(&*store, number, |session| {
            dir.clone_into(&mut session.launch.as_mut().unwrap().workdir);
        });
    }
    store.create(bare(7)).unwrap();
    let mut query = all(Sort::Created);
    query.workdir = Some("/a".to_owned());
    assert_eq!(listed(&*store, &query), [6, 1]);
}

/// STORE-14: only direct children of the parent, whether or not the parent is stored.
pub fn filters_by_parent(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1)), (5, Some(9))] {
        create(&*store, number, |session| session.identity.parent = parent.map(id));
    }
    for (parent, children) in [(1, vec![4, 2]), (9, vec![5]), (3, vec![])] {
        let mut query = current();
        query.parent = Some(id(parent));
        assert_eq!(listed(&*store, &query), children);
    }
}

/// STORE-14: the tool is compared as text; a session without one is of no tool.
pub fn filters_by_tool(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, tool) in
        (1..).zip([Some("claude"), Some("Claude"), None, Some(""), Some("claude")])
    {
        create(&*store, number, |session| {
            session.launch.as_mut().unwrap().tool = tool.map(str::to_owned);
        });
    }
    for (tool, expected) in [("claude", vec![5, 1]), ("", vec![4]), ("codex", vec![])] {
        let mut query = current();
        query.tool = Some(tool.to_owned());
        assert_eq!(listed(&*store, &query), expected);
    }
}

/// STORE-14: an overdue session is found as expired, and returned as recorded.
pub fn sees_overdue_as_expired(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    create(&*store, 1, |session| session.lifecycle.expiry = Expiry::At(at(10)));
    let mut expired = query(observer(10), Scope::Current, Sort::Created);
    expired.statuses = BTreeSet::from([Status::Expired]);
    assert_eq!(listed(&*store, &expired), [0; 0]);
    expired.observer = observer(11);
    assert_eq!(page(&*store, &expired).sessions, [store.get(id(1)).unwrap()]);
    expired.statuses = BTreeSet::from([Status::Pending]);
    assert_eq!(listed(&*store, &expired), [0; 0]);
    expired.statuses = BTreeSet::new();
    assert_eq!(listed(&*store, &expired), [0; 0]);
    assert_eq!(store.get(id(1)).unwrap().status(), Status::Pending, "reading records nothing");
}

/// STORE-14: a lost session is found as failed, and returned as recorded.
pub fn sees_lost_as_failed(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, host) in [(1, Some("gone")), (2, Some(HOST)), (3, None)] {
        store.create(running(number, host)).unwrap();
    }
    let mut query = current();
    query.statuses = BTreeSet::from([Status::Failed]);
    assert_eq!(page(&*store, &query).sessions, [store.get(id(1)).unwrap()]);
    query.statuses = BTreeSet::from([Status::Running]);
    assert_eq!(listed(&*store, &query), [3, 2]);
    query.observer.live_host = None;
    assert_eq!(listed(&*store, &query), [3]);
}

/// STORE-14: by the last change, newest first; ties by id, newest first.
pub fn sorts_by_update(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..7 {
        create(&*store, number, |_| {});
    }
    for (number, seconds) in [(3, 9), (1, 5), (5, 9), (2, -5)] {
        store.update(store.get(id(number)).unwrap(), at(seconds)).unwrap();
    }
    assert_eq!(listed(&*store, &all(Sort::Updated)), [5, 3, 1, 6, 4, 2]);
}

/// STORE-14: by creation, newest first, before 1970 too; ties by id, newest first.
pub fn sorts_by_creation(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let epoch = at(0).as_millis() / 1000;
    for (number, seconds) in [(1, 5), (2, -epoch - 9), (3, 5), (4, 0), (5, -epoch - 8)] {
        create(&*store, number, |session| session.lifecycle.created_at = at(seconds));
    }
    assert_eq!(listed(&*store, &all(Sort::Created)), [3, 1, 4, 5, 2]);
}

/// STORE-14: by name in byte order, sessions without one first; ties by id, newest first.
pub fn sorts_by_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let names = [Some("b"), Some("B"), None, Some("a-b"), Some("a_b"), Some("a"), Some("9"), None];
    for (number, text) in (1..).zip(names) {
        create(&*store, number, |session| session.identity.name = text.map(name));
    }
    create(&*store, 9, |session| {
        session.identity.name = Some(name("a"));
        session.lifecycle.status = Status::Failed;
    });
    assert_eq!(listed(&*store, &all(Sort::Name)), [8, 3, 7, 2, 9, 6, 4, 5, 1]);
}

/// Eleven sessions among which names and times repeat.
fn crowd(store: &dyn SessionStore) {
    for number in 1..12 {
        create(store, number, |session| {
            session.identity.name =
                (number % 3 != 0).then(|| name(["x", "y", "z"][number as usize % 3]));
            session.lifecycle.status = Status::Completed;
            session.lifecycle.created_at = at(i64::from(number) / 3);
        });
    }
}

fn sized(mut query: Query, limit: u32) -> Query {
    query.limit = NonZeroU32::new(limit);
    query
}

fn first_cursor(store: &dyn SessionStore, query: &Query) -> Cursor {
    page(store, query).next.expect("there is more than one page")
}

/// STORE-15: pages of any size, in any order, join to the whole listing; cursors survive as text.
pub fn pages_join_to_the_whole(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    for sort in [Sort::Updated, Sort::Created, Sort::Name] {
        let whole = page(&*store, &all(sort)).sessions;
        assert_eq!(whole.len(), 11);
        for limit in [1, 2, 3, 5, 10, 11, 12, u32::MAX] {
            let mut query = sized(all(sort), limit);
            let mut joined = Vec::new();
            loop {
                let page = page(&*store, &query);
                assert!(page.sessions.len() <= limit as usize);
                joined.extend(page.sessions);
                let Some(next) = page.next else { break };
                assert!(joined.len() < whole.len(), "a cursor must lead to something");
                query.cursor = Some(next.to_string().parse().unwrap());
            }
            assert_eq!(joined, whole, "{sort:?} in pages of {limit}");
        }
    }
}

/// STORE-15: the last page has no cursor, also when it is full.
pub fn pages_end_without_a_cursor(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    assert_eq!(page(&*store, &sized(all(Sort::Name), 1)).next, None);
    crowd(&*store);
    assert_eq!(page(&*store, &all(Sort::Name)).next, None);
    assert_eq!(page(&*store, &sized(all(Sort::Name), 11)).next, None);
    assert!(page(&*store, &sized(all(Sort::Name), 10)).next.is_some());
}

/// STORE-15: a cursor is a place, not a session: it goes on when its session is gone.
pub fn pages_go_on_after_a_removed_session(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..6 {
        create(&*store, number, |_| {});
    }
    let mut query = sized(all(Sort::Created), 2);
    query.cursor = Some(first_cursor(&*store, &query));
    store.remove(id(4), &observer(1)).unwrap();
    assert_eq!(listed(&*store, &query), [3, 2]);
}

/// STORE-15: the next page may be asked for later, or by somebody else.
pub fn pages_for_another_observer(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let mut query = sized(all(Sort::Created), 4);
    let whole = numbers(&page(&*store, &all(Sort::Created)).sessions);
    query.cursor = Some(first_cursor(&*store, &query));
    query.observer.now = at(1000);
    query.observer.live_host = None;
    query.limit = NonZeroU32::new(7);
    assert_eq!(listed(&*store, &query), whole[4..]);
}

/// STORE-16: the cursor of another query is refused.
pub fn refuses_the_cursor_of_another_query(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let mut asked = sized(all(Sort::Created), 2);
    asked.cursor = Some(first_cursor(&*store, &asked));
    let edits: [fn(&mut Query); 7] = [
        |query| query.sort = Sort::Updated,
        |query| query.scope = Scope::Current,
        |query| query.statuses = BTreeSet::from([Status::Completed]),
        |query| query.labels = vec![(label("a"), "b".to_owned())],
        |query| query.workdir = Some("/".to_owned()),
        |query| query.parent = Some(id(1)),
        |query| query.tool = Some("t".to_owned()),
    ];
    for edit in edits {
        let mut other = asked.clone();
        edit(&mut other);
        assert_refused!(&*store, |store| store.list(&other), StoreError::StaleCursor);
    }
    assert_eq!(page(&*store, &asked).sessions.len(), 2);
}

/// STORE-16: the cursor of another generation is refused.
pub fn refuses_the_cursor_of_another_generation(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let mut query = sized(all(Sort::Created), 2);
    let cursor = first_cursor(&*store, &query);
    assert_eq!(cursor.generation, store.info().generation);
    query.cursor = Some(Cursor { generation: cursor.generation.wrapping_add(1), ..cursor });
    assert_refused!(&*store, |store| store.list(&query), StoreError::StaleCursor);
}
