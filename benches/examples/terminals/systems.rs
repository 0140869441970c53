//! The same shell script on a bare terminal, behind dtach, and in a session.

use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use session_core::SessionId;

use crate::home::Home;
use crate::outer::{Outer, PATIENCE};

/// What stands between a program and the person at the outer terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Nothing.
    Bare,
    /// A process that passes bytes on and keeps nothing.
    Dtach,
    /// What is measured.
    Session,
}

/// Where programs are run.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) home: Home,
    /// Those that this machine has.
    pub(crate) systems: Vec<System>,
    sockets: Cell<usize>,
}

/// A script that runs, and the person who watches it.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) outer: Outer,
    /// The process that stands between them.
    pub(crate) between: Option<u32>,
    _end: End<'a>,
}

/// What has to be ended after the outer terminal.
#[derive(Debug)]
enum End<'a> {
    Nothing,
    Dtach(Child),
    Session(&'a Home, SessionId),
}

impl System {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Dtach => "dtach",
            Self::Session => "session",
        }
    }
}

impl Stage {
    pub(crate) fn new(program: &Path) -> Self {
        let mut systems = vec![System::Bare, System::Dtach, System::Session];
        let mut dtach = Command::new("dtach");
        if dtach.arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            println!("dtach is not installed: its rows are missing");
            systems.retain(|system| *system != System::Dtach);
        }
        Self { home: Home::new(program), systems, sockets: Cell::new(0) }
    }

    /// The systems, another one first in each round.
    pub(crate) fn turns(&self, round: usize) -> Vec<System> {
        let mut systems = self.systems.clone();
        let first = round % systems.len();
        systems.rotate_left(first);
        systems
    }

    /// A place for a socket of dtach.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.set(self.sockets.get() + 1);
        self.home.path().join(format!("dtach-{}", self.sockets.get()))
    }

    /// Runs a script and sits down before it, up to where it has read one line.
    pub(crate) fn sit(&self, system: System, script: &str) -> Seat<'_> {
        let script = format!("read begin; {script}");
        let mut seat = match system {
            System::Bare => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", &script]);
                Seat { outer: Outer::run(command), between: None, _end: End::Nothing }
            }
            System::Dtach => {
                let socket = self.socket();
                let master = dtach_in_foreground(&socket, &script);
                let between = Some(master.id());
                let outer = Outer::run(attach_dtach(&socket));
                Seat { outer, between, _end: End::Dtach(master) }
            }
            System::Session => {
                let id = self.home.start(&script);
                let outer = Outer::run(self.home.command(["attach", &id.to_string()]));
                let between = Some(self.home.status().pid);
                Seat { outer, between, _end: End::Session(&self.home, id) }
            }
        };
        if system != System::Bare {
            // Both paint something first. From then on the outer terminal is raw.
            seat.outer.read().expect("it attaches");
        }
        seat.outer.write(b"\n");
        seat
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Dtach(master) => {
                let _ended = master.kill();
                let _reaped = master.wait();
            }
            Self::Session(home, id) => home.stop(*id),
        }
    }
}

/// Attaches without asking the program for anything.
pub(crate) fn attach_dtach(socket: &Path) -> Command {
    let mut command = Command::new("dtach");
    command.arg("-a").arg(socket).args(["-r", "none"]);
    command
}

fn dtach_in_foreground(socket: &Path, script: &str) -> Child {
    let mut command = Command::new("dtach");
    command.arg("-N").arg(socket).args(["-r", "none", "/bin/sh", "-c", script]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let master = command.spawn().unwrap();
    wait_for(socket);
    master
}

/// Waits until somebody listens.
pub(crate) fn wait_for(socket: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while UnixStream::connect(socket).is_err() {
        assert!(Instant::now() < deadline, "{} does not come", socket.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}
