//! The processes that tests start: a keeper, and supervisors that do what a test tells them over a socket.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::{Resource, getrlimit};
use session_core::{SessionId, Timestamp};

use super::super::link::Held;
use super::super::packet::{Said, number, session_id};
use super::super::{Inheritance, KeeperOptions, Link, Notice, keep, socket, succeed};
use crate::instance::InstanceLock;
use crate::place::Place;
use crate::supervisor::Launcher;

/// Where the test's socket and everything else is; set in the processes that tests start only.
pub(super) const DIRECTORY: &str = "SESSION_KEEPER_TEST";

/// What makes this binary play.
pub(super) const ARGS: [&str; 4] =
    ["--exact", "keeper::tests::child", "--nocapture", "--test-threads=1"];

/// The place of a keeper in that directory.
pub(super) fn place(directory: &Path) -> Place {
    Place::new(directory.to_owned(), directory.join("run"), "memory")
}

pub(super) fn play() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    if socket::is_end(rustix::stdio::stdin()) {
        return Actor::new(&directory).play();
    }
    let options = KeeperOptions { place: place(&directory), supervisor: launcher() };
    keep(options, || Timestamp::from_millis(1)).unwrap();
}

fn launcher() -> Launcher {
    Launcher { program: None, args: ARGS.map(Into::into).to_vec() }
}

/// A supervisor.
struct Actor {
    directory: PathBuf,
    stage: UnixStream,
    link: Option<Link>,
    lock: Option<InstanceLock>,
    listener: Option<UnixListener>,
    sessions: HashMap<u128, Session>,
    children: Vec<Child>,
}

struct Session {
    master: OwnedFd,
    slave: OwnedFd,
    journal: OwnedFd,
    pid: Option<u32>,
    ended: Option<i32>,
}

fn id(number: u128) -> SessionId {
    session_id(number).unwrap()
}

/// Says a line in one piece: several threads do.
fn say(stage: &mut UnixStream, line: &str) {
    stage.write_all(format!("{line}\n").as_bytes()).unwrap();
}

impl Actor {
    fn new(directory: &Path) -> Self {
        let stage = UnixStream::connect(directory.join("stage")).unwrap();
        Self {
            directory: directory.to_owned(),
            stage,
            link: None,
            lock: None,
            listener: None,
            sessions: HashMap::new(),
            children: Vec::new(),
        }
    }

    /// Introduces itself, then answers each line with one, until the test is over.
    fn play(mut self) {
        let (mut asked, sender) = UnixStream::pair().unwrap();
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGUSR1, sender).unwrap();
        let mut stage = self.stage.try_clone().unwrap();
        std::thread::spawn(move || {
            while asked.read(&mut [0; 1]).is_ok_and(|len| len > 0) {
                say(&mut stage, "notice usr1");
            }
        });
        let program = std::env::args().next().unwrap_or_default();
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        say(&mut self.stage, &format!("{} {files} {program}", std::process::id()));
        let lines = BufReader::new(self.stage.try_clone().unwrap());
        for line in lines.lines() {
            let line = line.unwrap();
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (verb, first, second) = (word(), word(), word());
            if verb == "exit" {
                return;
            }
            let answer = self.obey(&verb, &first, &second);
            say(&mut self.stage, &answer);
        }
    }

    fn obey(&mut self, verb: &str, first: &str, second: &str) -> String {
        if verb == "inherit" {
            return self.inherit();
        }
        let link = self.link.clone().unwrap();
        let number = || first.parse().unwrap();
        match verb {
            "ready" => link.ready(),
            "leave" => link.leave(),
            "restart" => link.restart(Path::new(first)).unwrap(),
            "release" => link.release(id(number())),
            "taking" => link.taking(id(number())),
            "taken" => link.taken(id(number())),
            "started" => link.started(id(number()), second.parse().unwrap()),
            "listen" => {
                let listener = UnixListener::bind(self.directory.join("clients")).unwrap();
                link.listener(&listener);
                self.listener = Some(listener);
            }
            "deposit" => return self.deposit(number()),
            "spawn" => return self.spawn(number(), second).to_string(),
            "reap" => {
                let mut child = self.children.pop().unwrap();
                child.wait().unwrap();
            }
            "read" => self.read(number(), second),
            "type" => {
                let session = &self.sessions[&number()];
                let text = format!("{second}\n");
                assert_eq!(rustix::io::write(&session.master, text.as_bytes()), Ok(text.len()));
            }
            "noise" => self.make_noise(),
            "succeed" => return self.succeed(first),
            _ => panic!("{verb}"),
        }
        "done".to_owned()
    }

    fn inherit(&mut self) -> String {
        let (link, inheritance): (Link, Inheritance) = Link::inherit().unwrap().unwrap();
        assert!(Link::inherit().unwrap().is_none(), "it is taken once");
        let mut answer = format!("{} {}", inheritance.keeper, inheritance.listener.is_some());
        for Held { id, pid, master, slave, journal, ended, skip } in inheritance.held {
            let known =
                |known: Option<i64>| known.map_or("-".to_owned(), |known| known.to_string());
            let (process, status) = (known(pid.map(i64::from)), known(ended.map(i64::from)));
            answer += &format!(" {}:{process}:{status}:{skip}", number(&id));
            self.sessions.insert(number(&id), Session { master, slave, journal, pid, ended });
        }
        let (hearer, mut stage) = (link.clone(), self.stage.try_clone().unwrap());
        std::thread::spawn(move || {
            hearer.run(|notice| {
                let text = match notice {
                    Notice::Ended { id, pid, status } => {
                        format!("notice ended {} {pid} {status}", number(&id))
                    }
                    Notice::EndAll => "notice end-all".to_owned(),
                };
                say(&mut stage, &text);
            });
            say(&mut stage, "notice gone");
        });
        (self.link, self.lock) = (Some(link), Some(inheritance.lock));
        self.listener = inheritance.listener;
        if let Some(listener) = &self.listener {
            assert_eq!(rustix::net::sockopt::socket_acceptconn(listener), Ok(true));
        }
        answer
    }

    fn deposit(&mut self, number: u128) -> String {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        let slave = rustix::io::fcntl_dupfd_cloexec(&pts, 3).unwrap();
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let journal = rustix::fs::memfd_create("journal", flags).unwrap();
        let master = OwnedFd::from(pty);
        let deposited = self.link.clone().unwrap().deposit(id(number), &master, &slave, &journal);
        match deposited {
            Ok(()) => {
                let session = Session { master, slave, journal, pid: None, ended: None };
                self.sessions.insert(number, session);
                "deposited".to_owned()
            }
            Err(error) => format!("refused {}", error.raw_os_error().unwrap_or_default()),
        }
    }

    /// Starts a shell on the terminal, without telling the keeper.
    fn spawn(&mut self, number: u128, script: &str) -> u32 {
        let session = self.sessions.get_mut(&number).unwrap();
        let name = rustix::pty::ptsname(&session.master, Vec::new()).unwrap();
        let name = name.into_string().unwrap();
        // A shell that opens the terminal as leader of a new session has it as its controlling one.
        let script = format!("exec <{name} >{name} 2>&1; {script}");
        let child = std::process::Command::new("setsid")
            .args(["sh", "-c", &script])
            .current_dir(&self.directory)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        session.pid = Some(pid);
        self.children.push(child);
        pid
    }

    fn read(&self, number: u128, expected: &str) {
        let mut seen = Vec::new();
        let master = &self.sessions[&number].master;
        while !String::from_utf8_lossy(&seen).contains(expected) {
            let mut bytes = [0; 1024];
            let len = rustix::io::read(master, &mut bytes).unwrap();
            seen.extend_from_slice(&bytes[..len]);
        }
    }

    /// Says much that a keeper should not mind.
    fn make_noise(&self) {
        let socket = self.link.as_ref().unwrap().socket();
        let null = File::open("/dev/null").unwrap();
        let say = |bytes: &[u8], fds: &[BorrowedFd<'_>]| {
            socket::send(socket, bytes, fds, rustix::net::SendFlags::empty()).unwrap();
        };
        let fd = null.as_fd();
        for len in 0..40 {
            say(&vec![3; len], &[]);
            say(&vec![3; len], &[fd]);
        }
        say(&[3; 5000], &[fd]);
        for kind in 10..=255 {
            let mut packet = Said::Ready.encode();
            packet[0] = kind;
            say(&packet, &[fd, fd]);
            packet[1] = 2;
            say(&packet, &[fd]);
        }
        for fds in [vec![], vec![fd], vec![fd; 2]] {
            say(&Said::Deposit(id(99)).encode(), &fds);
        }
        for fds in [vec![], vec![fd; 2], vec![fd; 3]] {
            say(&Said::Listener.encode(), &fds);
        }
        for said in [Said::Release(id(98)), Said::Taking(id(98)), Said::Taken(id(98))] {
            say(&said.encode(), &[fd; 3]);
        }
        say(&Said::Started { id: id(98), pid: rustix::process::getpid() }.encode(), &[fd]);
    }

    /// Becomes the keeper; comes back only if that fails.
    fn succeed(&self, program: &str) -> String {
        let held: Vec<_> = self
            .sessions
            .iter()
            .map(|(&number, session)| Held {
                id: id(number),
                pid: session.pid,
                master: session.master.as_fd(),
                slave: session.slave.as_fd(),
                journal: session.journal.as_fd(),
                ended: session.ended,
                skip: false,
            })
            .collect();
        let listener = self.listener.as_ref().map(|listener| listener.as_fd());
        let mut keeper = launcher();
        if !program.is_empty() {
            keeper.program = Some(program.into());
        }
        let error = succeed(self.lock.as_ref().unwrap(), listener, &held, &keeper);
        let inherits = |fd: &BorrowedFd<'_>| {
            !rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC)
        };
        assert!(!held.iter().any(|held| inherits(&held.master) || inherits(&held.journal)));
        format!("failed {}", error.kind() as u32)
    }
}
