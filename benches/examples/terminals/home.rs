//! A user of the command with directories of their own, and the client that acts for them.

use std::cell::Cell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use session_benches::output::{COLUMNS, ROWS};
use session_benches::sessions;
use session_core::{Launch, Session, SessionId, Spawn, TerminalSize};
use session_pty::{Client, LiveSession, Place, SupervisorStatus, ViewerSpec};
use tempfile::TempDir;

/// Directories, and a supervisor in them as long as something runs.
#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    program: PathBuf,
    spawned: Cell<usize>,
}

impl Home {
    /// A home with a supervisor that stays until this is dropped.
    pub(crate) fn new(program: &Path) -> Self {
        // Sockets have short paths, so it is not below the build's directory.
        let directory = tempfile::Builder::new().prefix("session-bench-").tempdir().unwrap();
        let home = Self { directory, program: program.to_owned(), spawned: Cell::new(0) };
        // The first session starts the supervisor, and keeps it.
        assert!(home.command(["new", "first", "-d", "--", "cat"]).status().unwrap().success());
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The command, silent.
    pub(crate) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env_clear().envs(self.variables()).current_dir(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        let below = |name: &str| self.path().join(name).into_os_string();
        vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("HOME".into(), self.path().into()),
            ("TERM".into(), "xterm-256color".into()),
            ("SESSION_DATA_DIR".into(), below("data")),
            ("SESSION_RUNTIME_DIR".into(), below("run")),
        ]
    }

    /// A connection to the supervisor.
    pub(crate) fn client(&self) -> Client {
        let data = self.path().join("data").canonicalize().unwrap();
        let place = Place::new(data, self.path().join("run"), "sqlite");
        Client::connect(&place).unwrap().expect("the supervisor runs")
    }

    /// The supervisor as it is now.
    pub(crate) fn status(&self) -> SupervisorStatus {
        self.client().status().unwrap()
    }

    /// A session that is not stored yet, of a shell script.
    pub(crate) fn script(&self, script: &str) -> Spawn {
        self.spawned.set(self.spawned.get() + 1);
        let number = self.spawned.get();
        let mut session = Session::new(sessions::id(number), sessions::created_at(number));
        session.launch = Some(Launch {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            workdir: "/".to_owned(),
            size: Some(TerminalSize::nearest(COLUMNS, ROWS)),
            ..Launch::default()
        });
        Spawn { session, environment: self.variables(), umask: None }
    }

    /// Runs a shell script in a session.
    pub(crate) fn start(&self, script: &str) -> SessionId {
        self.client().spawn(self.script(script)).unwrap().id()
    }

    /// Ends a session's program.
    pub(crate) fn stop(&self, id: SessionId) {
        // Refused where the program has ended already, and that is what is wanted.
        let _ended = self.client().stop(id, Duration::from_millis(200));
    }

    pub(crate) fn live(&self, id: SessionId) -> LiveSession {
        let live = self.client().live().unwrap();
        live.into_iter().find(|session| session.id == id).expect("it runs")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _nothing_left = self.command(["supervisor", "stop", "--force"]).status();
    }
}

/// Somebody at a terminal of the size that everything here has.
pub(crate) fn person() -> ViewerSpec {
    let size = Some(TerminalSize::nearest(COLUMNS, ROWS));
    ViewerSpec { size, terminal: true, ..ViewerSpec::default() }
}
