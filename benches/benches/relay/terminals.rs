//! A program on a terminal, run by a session and without one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use session_benches::output::{COLUMNS, ROWS};
use session_benches::{sessions, terminal};
use session_core::{
    Launch, MemoryStore, RuntimeEvent, Session, SessionRuntime as _, Spawn, Subscription,
    TerminalSize, Timestamp,
};
use session_pty::{Limits, Runtime, RuntimeOptions, SessionHandle};

/// Long beyond anything that is measured: whoever waits for so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell script on a terminal, seen from where its output arrives.
pub(crate) trait Terminal {
    /// Types bytes.
    fn write(&mut self, bytes: &[u8]);

    /// The next output, as much as has come; `None` when the program has ended.
    fn read(&mut self) -> Option<&[u8]>;

    /// Types the line that the script waits for, and reads until it has written `ready` anywhere.
    fn start(&mut self, ready: u8) {
        self.write(b"\n");
        loop {
            let output = self.read().expect("the program begins");
            if output.contains(&ready) {
                return;
            }
        }
    }
}

/// The limit: the terminal itself, read by the bench.
#[derive(Debug)]
pub(crate) struct Bare {
    terminal: File,
    program: Child,
    buffer: Vec<u8>,
}

impl Bare {
    /// Runs a script.
    pub(crate) fn run(script: &str) -> Self {
        let (terminal, inner) = terminal::open().unwrap();
        // The temporary command holds the program's side of the terminal, and lets go of it here.
        let program = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(inner.try_clone().unwrap())
            .stdout(inner.try_clone().unwrap())
            .stderr(inner)
            .spawn()
            .unwrap();
        Self { terminal: File::from(terminal), program, buffer: vec![0; 64 << 10] }
    }
}

impl Terminal for Bare {
    fn write(&mut self, bytes: &[u8]) {
        self.terminal.write_all(bytes).unwrap();
    }

    fn read(&mut self) -> Option<&[u8]> {
        // Linux tells the end of a terminal's output as EIO, macOS as an end of file.
        match self.terminal.read(&mut self.buffer) {
            Ok(0) | Err(_) => {
                self.program.wait().unwrap();
                None
            }
            Ok(len) => Some(&self.buffer[..len]),
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Fails where the program has ended already, and that is what is wanted.
        let _ended = self.program.kill();
        let _reaped = self.program.wait();
    }
}

/// A runtime that sessions are measured in.
#[derive(Debug)]
pub(crate) struct Host {
    runtime: Runtime,
    started: usize,
}

/// What is measured: a session with one subscriber.
#[derive(Debug)]
pub(crate) struct Live {
    handle: SessionHandle,
    subscription: Box<dyn Subscription>,
    output: Vec<u8>,
}

impl Host {
    /// A runtime with a store in memory.
    pub(crate) fn new() -> Self {
        // A subscriber that falls behind would be sent less; here it has to be sent everything.
        let limits = Limits { viewer_bytes: 1 << 30, ..Limits::default() };
        let options = RuntimeOptions { limits, ..RuntimeOptions::default() };
        let clock = || -> Timestamp { sessions::created_at(0) };
        let runtime = Runtime::new(Arc::new(MemoryStore::new()), clock, options).unwrap();
        Self { runtime, started: 0 }
    }

    /// Runs a script and subscribes to its output.
    pub(crate) fn run(&mut self, script: &str) -> Live {
        self.started += 1;
        let mut session =
            Session::new(sessions::id(self.started), sessions::created_at(self.started));
        session.launch = Some(Launch {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            workdir: "/".to_owned(),
            size: Some(TerminalSize::nearest(COLUMNS, ROWS)),
            ..Launch::default()
        });
        let environment = std::env::vars_os().collect();
        let spawn = Spawn { session, environment, umask: None };
        let id = self.runtime.spawn(spawn).unwrap().id();
        let subscription = self.runtime.subscribe(id).unwrap();
        let handle = self.runtime.handle(id).unwrap();
        Live { handle, subscription, output: Vec::new() }
    }
}

impl Terminal for Live {
    fn write(&mut self, bytes: &[u8]) {
        self.handle.write(bytes).unwrap();
    }

    fn read(&mut self) -> Option<&[u8]> {
        loop {
            match self.subscription.next(PATIENCE).unwrap().expect("output in time") {
                RuntimeEvent::Output(output) => {
                    self.output = output;
                    return Some(&self.output);
                }
                RuntimeEvent::Exited(_) => return None,
                RuntimeEvent::Gap { missed, .. } => panic!("{missed} bytes were left out"),
                _ => {}
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Refused where the program has ended already, and that is what is wanted.
        let _ended = self.handle.stop(Duration::from_millis(100));
    }
}
