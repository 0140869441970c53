//! One test's runtime with its store, and watchers that wait for events with a deadline.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use session_core::{
    ErrorKind, Exit, Launch, Observer, Query, RuntimeError, RuntimeEvent, Scope, Session,
    SessionId, SessionRuntime, SessionStore, Spawn, Subscription, TerminalSize,
};

use super::{Program, RuntimeFixture};
use crate::samples::{at, id, name};

/// How long anything may take that must happen. Nothing waits this long unless it fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// A runtime, the store that it records into, and what was started in it.
pub(super) struct Live<'a> {
    pub(super) fixture: &'a dyn RuntimeFixture,
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) runtime: Arc<dyn SessionRuntime>,
    started: Mutex<Vec<SessionId>>,
}

impl<'a> Live<'a> {
    pub(super) fn new(fixture: &'a dyn RuntimeFixture) -> Self {
        let store = fixture.store();
        let runtime = fixture.runtime(Arc::clone(&store));
        Self { fixture, store, runtime, started: Mutex::default() }
    }

    /// What is needed to start `program` as the session with this number, named after it.
    pub(super) fn request(&self, number: u32, program: Program) -> Spawn {
        let mut session = Session::new(id(number), at(0));
        session.identity.name = Some(name(&format!("program-{number}")));
        session.launch = Some(Launch {
            argv: self.fixture.argv(program),
            workdir: "/".to_owned(),
            size: Some(TerminalSize::DEFAULT),
            ..Launch::default()
        });
        Spawn { session, environment: self.fixture.environment(), umask: None }
    }

    pub(super) fn spawn(&self, request: Spawn) -> Result<Session, RuntimeError> {
        let session = self.runtime.spawn(request)?;
        self.started.lock().unwrap().push(session.id());
        Ok(session)
    }

    pub(super) fn start(&self, number: u32, program: Program) -> Session {
        self.spawn(self.request(number, program)).unwrap()
    }

    /// Starts a program that may end before anybody looks, and waits until it has.
    pub(super) fn run(&self, number: u32, program: Program) -> Exit {
        self.start(number, program);
        self.ended(number)
    }

    pub(super) fn ended(&self, number: u32) -> Exit {
        let exit = self.runtime.wait(id(number), Some(DEADLINE)).unwrap();
        exit.expect("the program must end")
    }

    pub(super) fn watch(&self, number: u32) -> Watcher {
        Watcher::new(self.runtime.subscribe(id(number)).unwrap())
    }

    pub(super) fn replay(&self, number: u32) -> Watcher {
        Watcher::new(self.runtime.replay(id(number)).unwrap())
    }

    pub(super) fn type_in(&self, number: u32, text: &str) {
        self.runtime.write(id(number), text.as_bytes()).unwrap();
    }

    /// Starts a program, watches it and lets it print.
    pub(super) fn go(&self, number: u32, program: Program) -> Watcher {
        self.start(number, program);
        let watcher = self.watch(number);
        self.type_in(number, "go\n");
        watcher
    }

    pub(super) fn stored(&self, number: u32) -> Session {
        self.store.get(id(number)).unwrap()
    }

    /// All sessions outside the trash.
    pub(super) fn listed(&self) -> Vec<Session> {
        let mut query = Query::new(Observer { now: at(0), live_host: None });
        query.scope = Scope::All;
        self.store.list(&query).unwrap().sessions
    }
}

impl Drop for Live<'_> {
    /// Leaves no program behind, whether or not the test went well.
    fn drop(&mut self) {
        if let Ok(started) = self.started.lock() {
            for id in started.iter() {
                // Most have ended, which is no failure here.
                drop(self.runtime.stop(*id, Duration::from_millis(50)));
            }
        }
    }
}

/// Checks that a call is refused with this kind of error.
pub(super) fn assert_kind<T: std::fmt::Debug>(result: Result<T, RuntimeError>, kind: ErrorKind) {
    let error = result.expect_err("the call must be refused");
    assert_eq!(error.kind(), kind, "{error:?}");
}

/// One subscription and what it gave so far.
#[derive(Debug)]
pub(super) struct Watcher {
    subscription: Box<dyn Subscription>,
    pub(super) output: Vec<u8>,
    pub(super) missed: u64,
    /// The sizes that it was told.
    pub(super) sizes: Vec<TerminalSize>,
    /// The screen of the last gap.
    pub(super) screen: Vec<u8>,
    /// How long anything may take.
    pub(super) patience: Duration,
}

impl Watcher {
    pub(super) fn new(subscription: Box<dyn Subscription>) -> Self {
        Self {
            subscription,
            output: Vec::new(),
            missed: 0,
            sizes: Vec::new(),
            screen: Vec::new(),
            patience: DEADLINE,
        }
    }

    /// The next event.
    pub(super) fn next(&mut self) -> RuntimeEvent {
        let patience = self.patience;
        let event = self.subscription.next(patience).unwrap();
        let seen = || String::from_utf8_lossy(&self.output).into_owned();
        event.unwrap_or_else(|| panic!("nothing happened in {patience:?} after {:?}", seen()))
    }

    /// Takes one event in, and returns the exit if it was that.
    fn step(&mut self) -> Option<Exit> {
        match self.next() {
            RuntimeEvent::Output(bytes) => {
                assert!(!bytes.is_empty(), "output without a byte says nothing");
                self.output.extend(bytes);
            }
            RuntimeEvent::Gap { missed, screen } => {
                assert!(missed > 0, "a gap without a byte is no gap");
                self.missed += missed;
                self.screen = screen;
            }
            RuntimeEvent::Resized(size) => self.sizes.push(size),
            RuntimeEvent::Exited(exit) => return Some(exit),
            _ => {}
        }
        None
    }

    /// Goes on until the program has ended.
    pub(super) fn until_end(&mut self) -> Exit {
        let exit = loop {
            if let Some(exit) = self.step() {
                break exit;
            }
        };
        let more = self.subscription.next(Duration::ZERO).unwrap();
        assert_eq!(more, None, "after the end there is nothing");
        exit
    }

    /// Goes on until this line came whole.
    pub(super) fn until_line(&mut self, line: &str) {
        self.until(&format!("{line:?}"), |this| this.lines().iter().any(|found| found == line));
    }

    /// Goes on until this is so.
    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + self.patience;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "no {what} after {:?}", self.lines());
            let exit = self.step();
            assert_eq!(exit, None, "the program ended before {what}, after {:?}", self.lines());
        }
    }

    /// The whole lines that came so far, without their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.output).replace('\r', "");
        let mut lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
        lines.pop();
        lines
    }

    /// The lines that the program itself printed: without what the terminal echoed of `go`.
    pub(super) fn printed(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line != "go" && !line.is_empty()).collect()
    }
}
