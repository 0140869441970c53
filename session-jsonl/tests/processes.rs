//! Several real processes on one store. A child is this very test binary, told by its environment what to do.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use session_core::{ErrorKind, Query, Scope, Session, SessionId, SessionStore};
use session_jsonl::JsonlStore;
use session_testkit::samples;

const TASK: &str = "SESSION_JSONL_TEST_TASK";
const PLACE: &str = "SESSION_JSONL_TEST_PLACE";
const NUMBER: &str = "SESSION_JSONL_TEST_NUMBER";

/// How many sessions each of several creators makes.
const EACH: u32 = 25;

/// What a child does; nothing when it is run as one of the tests.
#[test]
fn child() {
    let Ok(task) = env::var(TASK) else { return };
    let store = JsonlStore::open(env::var(PLACE).unwrap()).unwrap();
    let number: u32 = env::var(NUMBER).unwrap().parse().unwrap();
    say("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match task.as_str() {
        "race" => match store.create(named(number, 0, "contested")) {
            Ok(_) => say("won"),
            Err(error) => say(&format!("lost {}", error.kind().as_str())),
        },
        "create" => (0..EACH).for_each(|serial| create(&store, number, serial)),
        "create until killed" => (0..u32::MAX).for_each(|serial| create(&store, number, serial)),
        "fill" => fill(&store, number),
        "hold" => {
            let path = Path::new(&env::var(PLACE).unwrap()).join("lock");
            let lock = fs::File::options().write(true).open(path).unwrap();
            lock.lock().unwrap();
            say("held");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        task => panic!("no task {task}"),
    }
}

fn create(store: &JsonlStore, number: u32, serial: u32) {
    let created = store.create(named(number, serial, &format!("n{number}-{serial}"))).unwrap();
    say(&format!("created {}", created.id()));
}

/// Makes a session larger until there is no room for it.
fn fill(store: &JsonlStore, number: u32) {
    let mut session = store.create(named(number, 0, "full")).unwrap();
    say(&format!("created {}", session.id()));
    let error = loop {
        session.identity.title = Some("x".repeat(10_000));
        match store.update(session.clone(), samples::at(1)) {
            Ok(stored) => session = stored,
            Err(error) => break error,
        }
    };
    say(&format!("revision {}", session.lifecycle.revision));
    say(error.kind().as_str());
    // Nothing is uncertain, so everything that needs no more room goes on.
    assert_eq!(store.get(session.id()).unwrap(), session);
    let again = store.update(session.clone(), samples::at(1)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::DiskFull);
    session.identity.title = None;
    store.update(session, samples::at(1)).unwrap();
    store.flush().unwrap();
    say("goes on");
}

fn named(number: u32, serial: u32, name: &str) -> Session {
    let random = u128::from(number) << 32 | u128::from(serial);
    let mut session = Session::new(SessionId::from_parts(samples::at(0), random), samples::at(0));
    session.identity.name = Some(samples::name(name));
    session
}

/// A line for the parent; the test harness says other things on the same channel.
fn say(words: &str) {
    // In one write, so that nobody hears half of it.
    std::io::stdout().lock().write_all(format!("\n> {words}\n").as_bytes()).unwrap();
}

/// A child at work.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn spawn(task: &str, place: &Path, number: u32) -> Self {
        Self::from(&mut Command::new(env::current_exe().unwrap()), task, place, number)
    }

    fn from(command: &mut Command, task: &str, place: &Path, number: u32) -> Self {
        command.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(TASK, task).env(PLACE, place).env(NUMBER, number.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut worker = Self { child, stdin, lines: BufReader::new(stdout).lines() };
        assert_eq!(worker.hear().as_deref(), Some("ready"));
        worker
    }

    fn go(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }

    /// What the child says next; `None` when it has said everything.
    fn hear(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("> ").map(str::to_owned))
    }

    fn hear_all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.hear()).collect()
    }

    fn finish(mut self) -> Vec<String> {
        let heard = self.hear_all();
        assert!(self.child.wait().unwrap().success(), "{heard:?}");
        heard
    }
}

fn created(heard: &[String]) -> BTreeSet<String> {
    heard.iter().filter_map(|line| line.strip_prefix("created ")).map(str::to_owned).collect()
}

/// All ids of the store, none of its files damaged, each name there once.
fn stored(place: &Path) -> BTreeSet<String> {
    let store = JsonlStore::open_read_only(place).unwrap();
    let query = Query { scope: Scope::All, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    assert_eq!(page.damaged, []);
    let names: BTreeSet<_> = page.sessions.iter().map(Session::name).collect();
    assert_eq!(names.len(), page.sessions.len());
    page.sessions.iter().map(|session| session.id().to_string()).collect()
}

#[test]
fn of_racing_creators_of_one_name_exactly_one_wins() {
    for _ in 0..3 {
        let place = tempfile::tempdir().unwrap();
        let mut workers: Vec<_> =
            (1..=6).map(|number| Worker::spawn("race", place.path(), number)).collect();
        workers.iter_mut().for_each(Worker::go);
        let mut results: Vec<_> = workers.into_iter().flat_map(Worker::finish).collect();
        results.sort();
        assert_eq!(results, ["lost exists"; 5].into_iter().chain(["won"]).collect::<Vec<_>>());
        assert_eq!(stored(place.path()).len(), 1);
    }
}

#[test]
fn creations_of_several_processes_are_all_there() {
    // Nobody has made the store yet: that is a race as well.
    let outer = tempfile::tempdir().unwrap();
    let place = outer.path().join("store");
    let mut workers: Vec<_> =
        (1..=6).map(|number| Worker::spawn("create", &place, number)).collect();
    workers.iter_mut().for_each(Worker::go);
    let acknowledged: BTreeSet<_> =
        workers.into_iter().flat_map(|worker| created(&worker.finish())).collect();
    assert_eq!(acknowledged.len(), 6 * EACH as usize);
    assert_eq!(stored(&place), acknowledged);
}

#[test]
fn what_a_killed_writer_acknowledged_is_there() {
    let place = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 1..=5 {
        let mut workers = [round * 2, round * 2 + 1]
            .map(|n| Worker::spawn("create until killed", place.path(), n));
        workers.iter_mut().for_each(Worker::go);
        for (worker, share) in workers.iter_mut().zip([round * 3, round]) {
            let heard: Vec<_> = (0..share).map(|_| worker.hear().unwrap()).collect();
            acknowledged.extend(created(&heard));
        }
        for worker in &mut workers {
            worker.child.kill().unwrap();
            worker.child.wait().unwrap();
            acknowledged.extend(created(&worker.hear_all()));
        }
        let found = stored(place.path());
        assert!(found.is_superset(&acknowledged), "round {round}");
        // One that was written and not heard of, for each writer.
        assert!(found.len() <= acknowledged.len() + 2 * round as usize, "round {round}");
        // And the next writer is not kept waiting by the dead.
        let store = JsonlStore::open(place.path()).unwrap();
        let next = store.create(named(100, round, &format!("next-{round}"))).unwrap();
        acknowledged.insert(next.id().to_string());
    }
}

#[test]
fn a_lock_dies_with_its_holder() {
    let place = tempfile::tempdir().unwrap();
    let options = session_jsonl::JsonlOptions::new().lock_timeout(std::time::Duration::ZERO);
    let store = JsonlStore::open_with(place.path(), options).unwrap();
    let mut holder = Worker::spawn("hold", place.path(), 1);
    holder.go();
    assert_eq!(holder.hear().as_deref(), Some("held"));
    let error = store.create(samples::bare(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    JsonlStore::open(place.path()).unwrap().create(samples::bare(1)).unwrap();
}

#[test]
fn a_write_that_has_no_room_is_taken_back_and_costs_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let program = env::current_exe().unwrap();
    // A limit on the size of files is the one full disk that needs no privilege. It is hit in the middle of a
    // write, which makes that one short.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(program);
    let mut worker = Worker::from(&mut command, "fill", place.path(), 1);
    worker.go();
    let heard = worker.finish();
    let [_, revision, kind, last] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((kind.as_str(), last.as_str()), ("disk-full", "goes on"));

    let id = named(1, 0, "full").id();
    let bytes = fs::read(place.path().join(format!("{id}.jsonl"))).unwrap();
    assert!(bytes.ends_with(b"}\n"), "half a line was left behind");
    let store = JsonlStore::open(place.path()).unwrap();
    let session = store.get(id).unwrap();
    let full: u64 = revision.strip_prefix("revision ").unwrap().parse().unwrap();
    assert_eq!(session.lifecycle.revision.0, full + 1);
    store.update(session, samples::at(2)).unwrap();
}
