//! A launch part that no system could start is refused where it is new, and kept where it is old.
#![expect(clippy::unwrap_used, reason = "test code")]

use session_core::{Launch, MemoryStore, Session, SessionStore, StoreError, StoreUpkeep};
use session_testkit::samples::{at, full, id, json};

type Edit = fn(&mut Launch);

/// Ways to be one that no system could start, each with what the refusal says.
const FAULTS: [(&str, Edit); 8] = [
    ("launch.argv names no program", |it| it.argv[0].clear()),
    ("launch.argv has a NUL", |it| it.argv[1].push('\0')),
    ("launch.workdir is not absolute", |it| it.workdir = "srv".to_owned()),
    ("launch.workdir is not absolute", |it| it.workdir.clear()),
    ("launch.workdir has a NUL", |it| it.workdir.push('\0')),
    ("launch.env has a name", |it| drop(it.env.insert("A=B".to_owned(), String::new()))),
    ("launch.env has a name", |it| drop(it.env.insert(String::new(), String::new()))),
    ("launch.env has a value", |it| drop(it.env.insert("A".to_owned(), "\0".to_owned()))),
];

fn with(edit: Edit) -> Session {
    let mut session = full(1);
    edit(session.launch.as_mut().unwrap());
    session
}

fn assert_refused(outcome: Result<Session, StoreError>, said: &str) {
    let Err(error @ StoreError::Invalid { .. }) = outcome else { panic!("{said}: {outcome:?}") };
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn a_new_one_is_refused_by_its_member() {
    let store = MemoryStore::new();
    let sound = store.create(full(1)).unwrap();
    for (said, edit) in FAULTS {
        assert_refused(MemoryStore::new().create(with(edit)), said);
        let mut changed = sound.clone();
        edit(changed.launch.as_mut().unwrap());
        assert_refused(store.update(changed, at(1)), said);
    }
    assert_eq!(store.get(id(1)).unwrap(), sound);
}

#[test]
fn an_old_one_is_read_adopted_and_updated() {
    for (said, edit) in FAULTS {
        let old = with(edit);
        assert_eq!(serde_json::from_str::<Session>(&json(&old)).unwrap(), old, "{said}");
        let store = MemoryStore::new();
        store.adopt(old.clone(), &mut std::iter::empty()).unwrap();
        let mut changed = store.get(id(1)).unwrap();
        changed.identity.title = Some("another".to_owned());
        let updated = store.update(changed, at(1)).unwrap();
        assert_eq!(updated.launch, old.launch, "{said}");
    }
}
