//! A store whose writers die or have no room.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::path::Path;

use session_core::{ErrorKind, SessionStore};
use session_jsonl::JsonlStore;
use session_testkit::processes::child;
use session_testkit::samples;

/// The roles of child processes.
#[test]
fn child() {
    let Some((role, path)) = child::role() else { return };
    match role.as_str() {
        "fill" => fill(&path),
        "hold" => {
            let lock = fs::File::options().write(true).open(path.join("lock")).unwrap();
            lock.lock().unwrap();
            child::answer("held");
            loop {
                std::thread::park();
            }
        }
        role => panic!("no role {role}"),
    }
}

/// Makes a session larger until there is no room for it.
fn fill(path: &Path) {
    let store = JsonlStore::open(path).unwrap();
    let mut session = store.create(samples::named(1, "full")).unwrap();
    let error = loop {
        session.identity.title = Some("x".repeat(10_000));
        match store.update(session.clone(), samples::at(1)) {
            Ok(stored) => session = stored,
            Err(error) => break error,
        }
    };
    child::answer(session.lifecycle.revision);
    child::answer(error.kind().as_str());
    // Nothing is uncertain, so everything that needs no more room goes on.
    assert_eq!(store.get(session.id()).unwrap(), session);
    let again = store.update(session.clone(), samples::at(1)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::DiskFull);
    session.identity.title = None;
    store.update(session, samples::at(1)).unwrap();
    store.flush().unwrap();
    child::answer("goes on");
}

#[test]
fn a_lock_dies_with_its_holder() {
    let place = tempfile::tempdir().unwrap();
    let options = session_jsonl::JsonlOptions::new().lock_timeout(std::time::Duration::ZERO);
    let store = JsonlStore::open_with(place.path(), options).unwrap();
    let mut holder = child::playing("hold", place.path()).spawn().unwrap();
    let answer = child::answers_in(holder.stdout.take().unwrap()).next();
    assert_eq!(answer.as_deref(), Some("held"));
    let error = store.create(samples::bare(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    holder.kill().unwrap();
    holder.wait().unwrap();
    JsonlStore::open(place.path()).unwrap().create(samples::bare(1)).unwrap();
}

#[test]
fn a_write_that_has_no_room_is_taken_back_and_costs_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    // A limit on the size of files is the one full disk that needs no privilege. It is hit in the middle of a
    // write, which makes that one short.
    let mut worker = child::playing_after("trap '' XFSZ; ulimit -f 64", "fill", place.path());
    let answers = child::answers(&worker.output().unwrap());
    let [revision, kind, last] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((kind.as_str(), last.as_str()), ("disk-full", "goes on"));

    let id = samples::id(1);
    let bytes = fs::read(place.path().join(format!("{id}.jsonl"))).unwrap();
    assert!(bytes.ends_with(b"}\n"), "half a line was left behind");
    let store = JsonlStore::open(place.path()).unwrap();
    let session = store.get(id).unwrap();
    let full: u64 = revision.parse().unwrap();
    assert_eq!(session.lifecycle.revision.0, full + 1);
    store.update(session, samples::at(2)).unwrap();
}
