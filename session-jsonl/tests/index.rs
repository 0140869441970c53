//! The index can be deleted, cut, changed or replaced at any time, and no answer changes.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use session_core::{
    MemoryStore, Page, Query, Removal, Scope, Selector, SessionStore, Sort, StoreError,
    StoreUpkeep as _,
};
use session_jsonl::JsonlStore;
use session_testkit::samples;

/// What somebody does to the file of the index.
#[derive(Clone, Debug)]
enum Mangling {
    Nothing,
    Delete,
    Empty,
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    DropLine(prop::sample::Index),
    SwapLines(prop::sample::Index),
    Garbage(Vec<u8>),
    /// Puts back what it was at an earlier time, in place or under its name.
    Older(prop::sample::Index, bool),
    /// Gives the directory the time of an earlier moment as well, which no program does.
    Directory,
}

#[derive(Clone, Debug)]
enum Operation {
    Create(u32, u32),
    Rename(u32, u32),
    Append(u32),
    Remove(u32),
    Restore(u32),
    Purge(u32),
    RemoveAll,
    Sweep,
    Reindex,
    Reopen,
}

fn mangling() -> impl Strategy<Value = Mangling> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        4 => Just(Mangling::Nothing),
        1 => Just(Mangling::Delete),
        1 => Just(Mangling::Empty),
        2 => index().prop_map(Mangling::Cut),
        2 => (index(), 1..=u8::MAX).prop_map(|(at, bits)| Mangling::Flip(at, bits)),
        2 => index().prop_map(Mangling::DropLine),
        1 => index().prop_map(Mangling::SwapLines),
        1 => vec(any::<u8>(), 0..200).prop_map(Mangling::Garbage),
        2 => (index(), any::<bool>()).prop_map(|(at, named)| Mangling::Older(at, named)),
        1 => Just(Mangling::Directory),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let number = || 1..8_u32;
    prop_oneof![
        4 => (number(), 0..4_u32).prop_map(|(number, name)| Operation::Create(number, name)),
        2 => (number(), 0..4_u32).prop_map(|(number, name)| Operation::Rename(number, name)),
        2 => number().prop_map(Operation::Append),
        2 => number().prop_map(Operation::Remove),
        1 => number().prop_map(Operation::Restore),
        1 => number().prop_map(Operation::Purge),
        1 => Just(Operation::RemoveAll),
        1 => Just(Operation::Sweep),
        1 => Just(Operation::Reindex),
        1 => Just(Operation::Reopen),
    ]
}

impl Operation {
    /// Does it, and says what came of it.
    fn perform(&self, store: &dyn SessionStore, time: i64) -> String {
        let at = samples::at(time);
        let observer = samples::observer(time);
        let kind = |error: StoreError| error.kind();
        match self {
            Self::Create(number, name) => {
                let name = format!("name-{name}");
                let mut session = match number % 3 {
                    0 => samples::until(*number, &name, time + 3),
                    1 => samples::running(*number, Some("gone")),
                    _ => samples::named(*number, &name),
                };
                session.lifecycle.created_at = at;
                format!("{:?}", store.create(session).map_err(kind))
            }
            Self::Rename(number, name) => {
                let renamed = store.get(samples::id(*number)).and_then(|mut session| {
                    session.identity.name = Some(samples::name(&format!("name-{name}")));
                    store.update(session, at)
                });
                format!("{:?}", renamed.map_err(kind))
            }
            Self::Append(number) => {
                let entry = samples::said(u32::try_from(time).unwrap(), "hello");
                let appended = store.append(samples::id(*number), &[entry], at);
                format!("{:?}", appended.map_err(kind))
            }
            Self::Remove(number) => {
                format!("{:?}", store.remove(samples::id(*number), &observer).map_err(kind))
            }
            Self::Restore(number) => {
                format!("{:?}", store.restore(samples::id(*number), at).map_err(kind))
            }
            Self::Purge(number) => {
                format!("{:?}", store.purge(samples::id(*number), at).map_err(kind))
            }
            Self::RemoveAll => {
                format!("{:?}", store.remove_all(&Removal::everything(observer)).map_err(kind))
            }
            Self::Sweep => format!("{:?}", store.sweep(&observer).map_err(kind)),
            Self::Reindex => format!("{:?}", store.reindex().map_err(kind)),
            Self::Reopen => String::new(),
        }
    }
}

/// Everything that one can ask of all sessions.
fn answers(store: &dyn SessionStore, time: i64) -> String {
    let mut answers = String::new();
    for scope in [Scope::Current, Scope::All, Scope::Trash] {
        for sort in [Sort::Updated, Sort::Created, Sort::Name] {
            let mut query = Query { scope, sort, ..Query::new(samples::observer(time)) };
            query.limit = NonZeroU32::new(3);
            loop {
                let Page { sessions, next, damaged } = store.list(&query).unwrap();
                assert_eq!(damaged, []);
                answers += &format!("{sessions:?}\n");
                query.cursor = next;
                if query.cursor.is_none() {
                    break;
                }
            }
        }
    }
    for name in 0..4 {
        answers +=
            &format!("{:?}\n", store.named(&samples::name(&format!("name-{name}"))).unwrap());
    }
    let fragment =
        Selector::parse(&samples::id(1).to_string()[..8]).unwrap().as_fragment().unwrap();
    answers += &format!("{:?}\n", store.matching(&fragment).unwrap());
    let stats = store.stats().unwrap();
    answers
        + &format!("{:?} {} {} {}", stats.sessions, stats.trashed, stats.tombstones, stats.records)
}

struct Mangler {
    path: PathBuf,
    earlier: Vec<Vec<u8>>,
}

impl Mangler {
    fn mangle(&mut self, mangling: &Mangling) {
        let Ok(bytes) = fs::read(&self.path) else { return };
        if self.earlier.last() != Some(&bytes) {
            self.earlier.push(bytes.clone());
        }
        let mut lines: Vec<Vec<u8>> =
            bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let write = |bytes: &[u8]| fs::write(&self.path, bytes).unwrap();
        match mangling {
            Mangling::Nothing => {}
            Mangling::Delete => fs::remove_file(&self.path).unwrap(),
            Mangling::Empty => write(b""),
            Mangling::Cut(at) => write(&bytes[..at.index(bytes.len() + 1)]),
            Mangling::Flip(at, bits) if !bytes.is_empty() => {
                let mut flipped = bytes.clone();
                flipped[at.index(bytes.len())] ^= bits;
                write(&flipped);
            }
            Mangling::DropLine(at) if !lines.is_empty() => {
                lines.remove(at.index(lines.len()));
                write(&lines.concat());
            }
            Mangling::SwapLines(at) if lines.len() > 2 => {
                let at = at.index(lines.len() - 1);
                lines.swap(at, at + 1);
                write(&lines.concat());
            }
            Mangling::Garbage(garbage) => write(&[&bytes[..], garbage].concat()),
            Mangling::Older(at, false) => write(&self.earlier[at.index(self.earlier.len())]),
            Mangling::Older(at, true) => {
                let draft = self.path.with_extension("older");
                fs::write(&draft, &self.earlier[at.index(self.earlier.len())]).unwrap();
                fs::rename(draft, &self.path).unwrap();
            }
            Mangling::Directory => {
                fs::write(self.path.with_extension("stray"), "").unwrap();
            }
            _ => {}
        }
    }
}

fn index_of(directory: &Path) -> PathBuf {
    directory.join("index.jsonl")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_depends_on_the_index(steps in vec((operation(), mangling()), 1..25)) {
        let directory = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let mut store = JsonlStore::open(directory.path()).unwrap();
        let observer = JsonlStore::open_read_only(directory.path()).unwrap();
        let mut mangler = Mangler { path: index_of(directory.path()), earlier: Vec::new() };
        for (time, (operation, mangling)) in (1..).zip(&steps) {
            prop_assert_eq!(operation.perform(&store, time), operation.perform(&memory, time));
            if let Operation::Reopen = operation {
                store = JsonlStore::open(directory.path()).unwrap();
            }
            mangler.mangle(mangling);
            let expected = answers(&memory, time);
            prop_assert_eq!(&answers(&observer, time), &expected, "an old handle, {:?}", mangling);
            let fresh = JsonlStore::open_read_only(directory.path()).unwrap();
            prop_assert_eq!(&answers(&fresh, time), &expected, "a new handle, {:?}", mangling);
            prop_assert_eq!(&answers(&store, time), &expected, "the writer, {:?}", mangling);
        }
    }
}

#[test]
fn reading_writes_no_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    store.create(samples::named(1, "one")).unwrap();
    fs::remove_file(index_of(directory.path())).unwrap();
    answers(&store, 1);
    answers(&JsonlStore::open_read_only(directory.path()).unwrap(), 1);
    assert!(!index_of(directory.path()).exists());
    store.create(samples::named(2, "two")).unwrap();
    assert!(index_of(directory.path()).exists());
}

#[test]
fn a_copy_of_a_store_does_not_believe_the_index_of_the_original() {
    let directory = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
    let store = JsonlStore::open(&from).unwrap();
    store.create(samples::named(1, "one")).unwrap();
    let index = fs::read(index_of(&from)).unwrap();
    let time = fs::metadata(&from).unwrap().modified().unwrap();
    store
        .update(
            session_core::Session { exchange: None, ..store.get(samples::id(1)).unwrap() },
            samples::at(9),
        )
        .unwrap();
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    fs::write(index_of(&to), index).unwrap();
    fs::File::open(&to).unwrap().set_modified(time).unwrap();
    let copy = JsonlStore::open_read_only(&to).unwrap();
    assert_eq!(answers(&copy, 1), answers(&store, 1));
}

#[test]
fn the_index_does_not_grow_without_bound() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    let mut session = store.create(samples::named(1, "one")).unwrap();
    let mut largest = 0;
    for time in 1..6000 {
        session.identity.labels = [(samples::label("a"), "x".repeat(300))].into();
        session = store.update(session, samples::at(time)).unwrap();
        largest = largest.max(fs::metadata(index_of(directory.path())).unwrap().len());
    }
    assert!((1 << 20..3 << 20).contains(&largest), "{largest}");
}

/// The files of a directory as something copies them over others, with the time of the directory.
struct Snapshot(Vec<(PathBuf, Vec<u8>)>, std::time::SystemTime);

impl Snapshot {
    fn of(directory: &Path) -> Self {
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file());
        let files = files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
        Self(files, fs::metadata(directory).unwrap().modified().unwrap())
    }

    /// Writes them again into files that have their names, which changes no name, and sets the time.
    fn copy_over(&self, directory: &Path) {
        for (path, bytes) in &self.0 {
            fs::write(path, bytes).unwrap();
        }
        set_time(directory, self.1);
    }
}

/// Sets the time of a directory, once the clock of its file system has gone on since it was changed last.
fn set_time(directory: &Path, time: std::time::SystemTime) {
    use std::os::unix::fs::MetadataExt;
    let changed = || fs::metadata(directory).map(|it| (it.ctime(), it.ctime_nsec())).unwrap();
    let before = changed();
    while changed() == before {
        fs::File::open(directory).unwrap().set_modified(time).unwrap();
    }
}

/// As `cp -a backup/. store/` does, and `rsync -a`: all times that can be set are those of the copy.
#[test]
fn a_copy_that_is_put_over_a_store_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let writer = JsonlStore::open(path).unwrap();
    let reader = JsonlStore::open_read_only(path).unwrap();
    let mut session = writer.create(samples::named(1, "one")).unwrap();
    let older = Snapshot::of(path);
    session.identity.name = Some(samples::name("another"));
    writer.update(session, samples::at(9)).unwrap();
    let newer = Snapshot::of(path);
    for (snapshot, name) in [(&older, "one"), (&newer, "another"), (&older, "one")] {
        answers(&reader, 9);
        snapshot.copy_over(path);
        let fresh = JsonlStore::open_read_only(path).unwrap();
        for store in [&reader, &fresh, &writer] {
            assert_eq!(store.named(&samples::name(name)).unwrap().len(), 1, "{name}");
        }
        assert_eq!(fresh.check().unwrap().damaged, []);
        let refused = writer.create(samples::named(2, name)).unwrap_err();
        assert!(matches!(refused, StoreError::NameHeld { .. }), "{refused}");
    }
    // Session files alone, the index and the lock being those of today.
    writer.create(samples::named(3, "three")).unwrap();
    answers(&reader, 9);
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let file = path.join(format!("{}.jsonl", samples::id(1)));
    let (_, bytes) = newer.0.iter().find(|(path, _)| *path == file).unwrap();
    fs::write(&file, bytes).unwrap();
    set_time(path, time);
    for store in [&reader, &JsonlStore::open_read_only(path).unwrap(), &writer] {
        assert_eq!(store.named(&samples::name("another")).unwrap().len(), 1);
    }
}

/// Inside of one file nothing shows in the directory; that is what a check is for.
#[test]
fn a_check_compares_the_index_with_all_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = JsonlStore::open(path).unwrap();
    store.create(samples::named(1, "one")).unwrap();
    store.create(samples::named(2, "two")).unwrap();
    let [first, second] = [1, 2].map(|n| path.join(format!("{}.jsonl", samples::id(n))));
    let bytes = fs::read(&second).unwrap();
    fs::write(&second, "").unwrap();
    let fresh = JsonlStore::open(path).unwrap();
    fresh.reindex().unwrap();
    assert_eq!(fresh.check().unwrap().damaged, []);
    fs::write(&second, bytes).unwrap();
    fs::write(&first, "").unwrap();
    let damaged = fresh.check().unwrap().damaged;
    for number in [1, 2] {
        let id = samples::id(number).to_string();
        assert!(
            damaged.iter().any(|it| it.place.ends_with("index.jsonl") && it.reason.contains(&id)),
            "{id} is not in {damaged:?}"
        );
    }
    assert_eq!(fresh.repair(samples::at(9)).unwrap().len(), 2);
    assert_eq!(fresh.check().unwrap().damaged, []);
    assert_eq!(fresh.named(&samples::name("two")).unwrap().len(), 1);
}
