//! Where a test starts a keeper, meets its supervisors and directs them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::super::socket;
use super::actor::{ARGS, DIRECTORY, place};
use crate::instance::Instance;
use crate::place::Place;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Stage {
    pub(super) directory: tempfile::TempDir,
    pub(super) keeper: Child,
    listener: UnixListener,
    /// Processes that must not outlive the test.
    ended_with_test: Vec<OwnedFd>,
}

/// A supervisor, seen from the test.
pub(super) struct Supervisor {
    stage: BufReader<UnixStream>,
    notices: VecDeque<String>,
    pub(super) pid: u32,
    /// Its limit of open files as it was started.
    pub(super) files: u64,
    /// What it was started as.
    pub(super) program: String,
}

/// What a supervisor has from its keeper.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inherited {
    pub(super) keeper: u32,
    pub(super) listens: bool,
    pub(super) held: Vec<Session>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) number: u32,
    pub(super) pid: Option<u32>,
    pub(super) ended: Option<i32>,
    pub(super) skip: bool,
}

/// Lets a program wait for a test: it reads a line from a named pipe.
pub(super) struct Gate(File);

impl Gate {
    /// The program goes on.
    pub(super) fn open(mut self, line: &str) {
        writeln!(self.0, "{line}").unwrap();
        // The line is gone with its last reader or writer: it must be read first.
        std::mem::forget(self.0);
    }
}

/// A session whose program runs as far as anybody knows.
pub(super) fn running(number: u32, pid: u32) -> Session {
    Session { number, pid: Some(pid), ended: None, skip: false }
}

pub(super) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// A process that is held by more than its number.
pub(super) fn process(pid: u32) -> OwnedFd {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    crate::os::exit_watch(pid).unwrap()
}

pub(super) fn signal(process: &OwnedFd, signal: Signal) {
    rustix::process::pidfd_send_signal(process, signal).unwrap();
}

/// Waits until a process has ended, collected or not.
pub(super) fn await_end(process: &OwnedFd) {
    assert!(socket::wait(process, deadline()).unwrap(), "it goes on and on");
}

/// Everything that comes until the end.
pub(super) fn read_to_end(mut from: impl std::io::Read + AsFd) -> String {
    let mut bytes = Vec::new();
    loop {
        assert!(socket::wait(&from, deadline()).unwrap(), "no end of {bytes:?}");
        let mut buffer = [0; 1024];
        match from.read(&mut buffer).unwrap() {
            0 => return String::from_utf8(bytes).unwrap(),
            len => bytes.extend_from_slice(&buffer[..len]),
        }
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::after("true")
    }

    /// With a keeper that a shell starts after it has done something.
    pub(super) fn after(preparation: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("stage")).unwrap();
        let keeper = Self::start(directory.path().to_owned(), preparation);
        let ended_with_test = vec![process(keeper.id())];
        Self { directory, keeper, listener, ended_with_test }
    }

    fn start(directory: PathBuf, preparation: &str) -> Child {
        Command::new("sh")
            .args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(ARGS)
            .env(DIRECTORY, directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Starts another keeper of the same store, which sees that it is not needed.
    pub(super) fn start_another(&self) {
        let mut other = Self::start(self.directory.path().to_owned(), "true");
        let said = read_to_end(other.stdout.take().unwrap());
        assert!(said.contains("\"already-there\""), "{said}");
        assert!(other.wait().unwrap().success());
    }

    pub(super) fn place(&self) -> Place {
        place(self.directory.path())
    }

    /// What the instance lock says.
    pub(super) fn instance(&self) -> Instance {
        Instance::alive(&self.place().instance_lock()).unwrap().unwrap()
    }

    /// The next supervisor that is started.
    pub(super) fn supervisor(&mut self) -> Supervisor {
        assert!(
            socket::wait(&self.listener, deadline()).unwrap(),
            "no supervisor comes: {}",
            self.log()
        );
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stage = BufReader::new(stream);
        let mut line = String::new();
        stage.read_line(&mut line).unwrap();
        let mut words = line.trim_end().splitn(3, ' ');
        let mut word = || words.next().unwrap().to_owned();
        let (pid, files, program) = (word().parse().unwrap(), word().parse().unwrap(), word());
        // It may become a keeper.
        self.ended_with_test.push(process(pid));
        Supervisor { stage, notices: VecDeque::new(), pid, files, program }
    }

    /// The next one, once it has what the keeper holds and has said that it is ready.
    pub(super) fn ready_supervisor(&mut self) -> (Supervisor, Inherited) {
        let mut supervisor = self.supervisor();
        let inherited = self.inherit(&mut supervisor);
        supervisor.ask("ready");
        (supervisor, inherited)
    }

    pub(super) fn inherit(&mut self, supervisor: &mut Supervisor) -> Inherited {
        let inherited = supervisor.inherit();
        self.ended_with_test.push(process(inherited.keeper));
        inherited
    }

    /// A line for a program, which finds it under this name.
    pub(super) fn gate(&self, name: &str) -> Gate {
        let path = self.directory.path().join(name);
        let mode = rustix::fs::Mode::from_bits_truncate(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        Gate(File::options().read(true).write(true).open(path).unwrap())
    }

    /// Waits until the keeper has ended; it must have ended well.
    pub(super) fn await_keeper(&mut self) {
        await_end(&process(self.keeper.id()));
        assert!(self.keeper.wait().unwrap().success());
        assert!(Instance::alive(&self.place().instance_lock()).unwrap().is_none());
    }

    pub(super) fn signal_keeper(&self, which: Signal) {
        signal(&self.ended_with_test[0], which);
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.place().log()).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for process in &self.ended_with_test {
            // Most are gone by now.
            let _gone = rustix::process::pidfd_send_signal(process, Signal::KILL);
        }
        let _collected = self.keeper.wait();
    }
}

impl Supervisor {
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stage.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a line and waits for the answer.
    pub(super) fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        loop {
            let line = self.line().expect("an answer");
            match line.strip_prefix("notice ") {
                Some(notice) => self.notices.push_back(notice.to_owned()),
                None => return line,
            }
        }
    }

    /// Sends a line that has no answer.
    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.stage.get_ref(), "{line}").unwrap();
    }

    /// Whether nothing came along with the answers so far.
    pub(super) fn has_no_notice(&self) -> bool {
        self.notices.is_empty()
    }

    /// Waits for what the keeper said next.
    pub(super) fn notice(&mut self) -> String {
        if let Some(notice) = self.notices.pop_front() {
            return notice;
        }
        let line = self.line().expect("a notice");
        line.strip_prefix("notice ").expect("a notice").to_owned()
    }

    pub(super) fn inherit(&mut self) -> Inherited {
        let answer = self.ask("inherit");
        let mut words = answer.split(' ');
        let mut word = || words.next().unwrap();
        let (keeper, listens) = (word().parse().unwrap(), word() == "true");
        let mut held: Vec<_> = words
            .map(|session| {
                let fields: Vec<_> = session.split(':').collect();
                Session {
                    number: fields[0].parse().unwrap(),
                    pid: fields[1].parse().ok(),
                    ended: fields[2].parse().ok(),
                    skip: fields[3] == "true",
                }
            })
            .collect();
        held.sort_by_key(|session| session.number);
        Inherited { keeper, listens, held }
    }

    /// Deposits a session and starts a program on it, which the keeper is told.
    pub(super) fn begin(&mut self, number: u32, script: &str) -> u32 {
        assert_eq!(self.ask(&format!("deposit {number}")), "deposited");
        let pid = self.ask(&format!("spawn {number} {script}")).parse().unwrap();
        self.ask(&format!("started {number} {pid}"));
        pid
    }

    /// Ends it as a crash would.
    pub(super) fn kill(mut self) {
        signal(&process(self.pid), Signal::KILL);
        self.await_end();
    }

    /// Waits until nothing of it is left, or it is something else.
    pub(super) fn await_end(&mut self) {
        while let Some(line) = self.line() {
            assert!(line.starts_with("notice "), "{line}");
        }
    }

    /// Ends it by itself.
    pub(super) fn exit(mut self) {
        self.tell("exit");
        self.await_end();
    }
}
