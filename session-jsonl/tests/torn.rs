//! Files cut short, as a crash in the middle of a write leaves them.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::path::{Path, PathBuf};

use session_core::{Session, SessionId, SessionStore, StoreError};
use session_jsonl::JsonlStore;
use session_testkit::samples;

/// A store whose one session was created and changed once, and the bytes of its file after each of the two.
fn store_of_two(directory: &Path) -> (SessionId, [Vec<u8>; 2]) {
    let store = JsonlStore::open(directory).unwrap();
    let created = store.create(samples::named(1, "torn")).unwrap();
    let first = fs::read(file(directory, created.id())).unwrap();
    titled(&store, &created, "second");
    (created.id(), [first, fs::read(file(directory, created.id())).unwrap()])
}

fn file(directory: &Path, id: SessionId) -> PathBuf {
    directory.join(format!("{id}.jsonl"))
}

fn titled(store: &JsonlStore, session: &Session, title: &str) -> Session {
    let mut changed = session.clone();
    changed.identity.title = Some(title.to_owned());
    store.update(changed, samples::at(9)).unwrap()
}

fn damage(store: &JsonlStore) -> Vec<session_core::Damage> {
    store.list(&session_core::Query::new(samples::observer(0))).unwrap().damaged
}

#[test]
fn a_torn_update_is_the_state_before_it_and_the_next_write_repairs_it() {
    let directory = tempfile::tempdir().unwrap();
    let (id, [first, second]) = store_of_two(directory.path());
    let path = file(directory.path(), id);
    for cut in first.len()..second.len() {
        fs::write(&path, &second[..cut]).unwrap();
        let store = JsonlStore::open(directory.path()).unwrap();
        let before = store.get(id).unwrap();
        assert_eq!((before.lifecycle.revision.0, damage(&store).len()), (1, 0), "cut at {cut}");
        assert_eq!(fs::read(&path).unwrap(), &second[..cut], "reading repairs nothing");

        let after = titled(&store, &before, "second");
        assert_eq!(fs::read(&path).unwrap(), second, "cut at {cut}");
        let anew = JsonlStore::open_read_only(directory.path()).unwrap();
        for store in [&store, &anew] {
            assert_eq!(store.get(id).unwrap(), after, "cut at {cut}");
            assert_eq!(damage(store), [], "cut at {cut}");
        }
    }
}

#[test]
fn a_torn_creation_never_happened_and_can_happen_again() {
    let directory = tempfile::tempdir().unwrap();
    let (id, [first, _]) = store_of_two(directory.path());
    let path = file(directory.path(), id);
    for cut in 0..first.len() {
        fs::write(&path, &first[..cut]).unwrap();
        let store = JsonlStore::open(directory.path()).unwrap();
        assert!(matches!(store.get(id), Err(StoreError::NotFound { .. })), "cut at {cut}");
        assert_eq!(store.named(&samples::name("torn")).unwrap(), [], "cut at {cut}");
        assert_eq!(damage(&store), [], "cut at {cut}");

        store.create(samples::named(1, "torn")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first, "cut at {cut}");
    }
}

/// Batches of several lines are not written yet. Their readers exist, so that they can be.
#[test]
fn half_a_batch_is_no_record() {
    let directory = tempfile::tempdir().unwrap();
    let (id, [first, second]) = store_of_two(directory.path());
    let path = file(directory.path(), id);
    let text = String::from_utf8(second[first.len()..].to_vec()).unwrap();
    let batch = text.replace("[1,1]", "[1,2]") + &text.replace("[1,1]", "[2,2]");
    for cut in 0..batch.len() {
        fs::write(&path, [&first[..], &batch.as_bytes()[..cut]].concat()).unwrap();
        let store = JsonlStore::open(directory.path()).unwrap();
        let before = store.get(id).unwrap();
        assert_eq!((before.lifecycle.revision.0, damage(&store).len()), (1, 0), "cut at {cut}");
        if cut % 16 == 0 || batch.as_bytes()[..cut].ends_with(b"\n") {
            titled(&store, &before, "second");
            assert_eq!(fs::read(&path).unwrap(), second, "cut at {cut}");
        }
    }
    fs::write(&path, [&first[..], batch.as_bytes()].concat()).unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    assert_eq!(store.get(id).unwrap().lifecycle.revision.0, 2);
}

#[test]
fn an_open_handle_follows_a_file_that_is_torn_and_repaired_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let (id, [first, second]) = store_of_two(directory.path());
    let (reader, writer) =
        (JsonlStore::open(directory.path()).unwrap(), JsonlStore::open(directory.path()).unwrap());
    let path = file(directory.path(), id);
    for cut in [first.len(), first.len() + 1, second.len() - 1] {
        fs::write(&path, &second[..cut]).unwrap();
        let before = reader.get(id).unwrap();
        assert_eq!(before.lifecycle.revision.0, 1);
        let after = titled(&writer, &before, "second");
        assert_eq!(reader.get(id).unwrap(), after);
        assert_eq!(titled(&reader, &after, "third").lifecycle.revision.0, 3);
        assert_eq!(writer.get(id).unwrap().identity.title.as_deref(), Some("third"));
    }
}

#[test]
fn a_repair_that_leaves_length_and_time_as_they_were_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (id, [_, second]) = store_of_two(directory.path());
    let path = file(directory.path(), id);
    let mut torn = second.clone();
    *torn.last_mut().unwrap() = b' ';
    fs::write(&path, &torn).unwrap();
    let reader = JsonlStore::open(directory.path()).unwrap();
    assert_eq!(reader.get(id).unwrap().lifecycle.revision.0, 1);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, &second).unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(reader.get(id).unwrap().lifecycle.revision.0, 2);
}
