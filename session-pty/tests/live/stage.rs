//! A stage for tests: a runtime over a store in memory, programs as shell scripts, waiting with a deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_core::{
    Exit, Launch, MemoryStore, Session, SessionId, SessionRuntime as _, Spawn, TerminalSize,
    Timestamp,
};
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::Screen;
use session_pty::{Feed, Limits, Runtime, RuntimeOptions, SessionHandle, ViewerSpec};

/// Long enough for any machine; a test that needs it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A runtime and its store.
pub(crate) struct Stage {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) runtime: Runtime,
}

/// A viewer with everything that it was told so far.
pub(crate) struct Watcher {
    pub(crate) stream: ViewerStream,
    pub(crate) screen: Screen,
    pub(crate) output: Vec<u8>,
    pub(crate) missed: u64,
    pub(crate) size: Option<TerminalSize>,
    pub(crate) exit: Option<Exit>,
    pub(crate) detached: bool,
}

pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the stage brings the clock")]
    let now = std::time::SystemTime::now();
    Timestamp::from(now)
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let store = Arc::new(MemoryStore::new());
        let options = RuntimeOptions { limits, ..RuntimeOptions::default() };
        let runtime = Runtime::new(store.clone(), now, options).unwrap();
        Self { store, runtime }
    }

    /// A session for a shell script, not yet started.
    pub(crate) fn script(&self, script: &str) -> Session {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let random = NEXT.fetch_add(1, Ordering::Relaxed).into();
        let mut session = Session::new(SessionId::from_parts(now(), random), now());
        session.launch = Some(Launch {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            workdir: "/".to_owned(),
            size: Some(TerminalSize::nearest(40, 10)),
            ..Launch::default()
        });
        session
    }

    pub(crate) fn spawn(&self, session: Session) -> SessionHandle {
        let environment = std::env::vars_os().collect();
        let session = self.runtime.spawn(Spawn { session, environment, umask: None }).unwrap();
        self.runtime.handle(session.id()).unwrap()
    }

    pub(crate) fn run(&self, script: &str) -> SessionHandle {
        self.spawn(self.script(script))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for handle in self.runtime.handles() {
            let _ended_by_itself = handle.stop(Duration::from_millis(100));
        }
    }
}

/// A person at a terminal of this size.
pub(crate) fn person(cols: u16, rows: u16) -> ViewerSpec {
    ViewerSpec {
        size: Some(TerminalSize::nearest(cols, rows)),
        terminal: true,
        ..Default::default()
    }
}

/// A program that reads everything from the first byte.
pub(crate) fn reader() -> ViewerSpec {
    ViewerSpec { read_only: true, feed: Feed::Log, ..Default::default() }
}

impl Watcher {
    pub(crate) fn new(handle: &SessionHandle, spec: ViewerSpec) -> Self {
        let size = spec.size.unwrap_or(TerminalSize::nearest(40, 10));
        Self {
            stream: handle.watch(spec).unwrap(),
            screen: Screen::new(size, 100),
            output: Vec::new(),
            missed: 0,
            size: None,
            exit: None,
            detached: false,
        }
    }

    /// Takes events until the condition holds.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.stream.next(Some(left)).unwrap();
            let shown = self.screen.rows_text();
            assert!(!left.is_zero() && event.is_some(), "{what} never came; screen: {shown:#?}");
            let closed = event == Some(StreamEvent::Closed);
            self.take(event.unwrap());
            assert!(!closed || condition(self), "closed before {what}; screen: {shown:#?}");
        }
    }

    /// The size of its own terminal.
    pub(crate) fn screen_size(&self) -> Option<TerminalSize> {
        Some(self.screen.size())
    }

    #[track_caller]
    pub(crate) fn until_text(&mut self, text: &str) {
        self.until(text, |watcher| watcher.screen.text(None).contains(text));
    }

    #[track_caller]
    pub(crate) fn until_exit(&mut self) -> Exit {
        self.until("exit", |watcher| watcher.exit.is_some());
        self.exit.unwrap()
    }

    fn take(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Output(bytes) => {
                self.screen.feed(&bytes);
                self.output.extend_from_slice(&bytes);
            }
            StreamEvent::Screen(bytes) => self.screen.feed(&bytes),
            StreamEvent::Gap { missed, screen } => {
                self.missed += missed;
                self.screen.feed(&screen);
            }
            StreamEvent::Resized(size) => self.size = Some(size),
            StreamEvent::Exited(exit) => self.exit = Some(exit),
            StreamEvent::Detached => self.detached = true,
            _ => {}
        }
    }
}
