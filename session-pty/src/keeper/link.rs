//! The supervisor's end: what it tells its keeper, and what it hears.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags};
use session_core::SessionId;

use super::deposits::Descriptors;
use super::packet::{Said, Told, pid};
use super::socket::{self, Incoming, Received};
use crate::instance::InstanceLock;

/// How long the keeper may take to answer. It does nothing that takes time, so that this is for machines under load.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to say what is kept, from the start.
const LONGEST_HELLO: Duration = Duration::from_secs(30);

/// The way to the keeper. When the keeper is gone, nothing is said and deposits fail.
#[derive(Clone, Debug)]
pub(crate) struct Link(Arc<Shared>);

/// What a supervisor has from its keeper.
#[derive(Debug)]
pub(crate) struct Inheritance {
    /// The keeper's process.
    pub(crate) keeper: u32,
    /// The lock of the instance that this supervisor is part of.
    pub(crate) lock: InstanceLock,
    /// The socket that clients connect to, if there was one already.
    pub(crate) listener: Option<UnixListener>,
    /// Sessions of supervisors before.
    pub(crate) held: Vec<Held>,
}

/// A session as a keeper keeps it, with descriptors that are owned or borrowed.
#[derive(Debug)]
pub(crate) struct Held<Fd = OwnedFd> {
    pub(crate) id: SessionId,
    /// The program's process, if it was said.
    pub(crate) pid: Option<u32>,
    pub(crate) master: Fd,
    pub(crate) slave: Fd,
    pub(crate) journal: Fd,
    /// The wait status of a program that has ended; [`super::UNKNOWN_END`] when nobody has it.
    pub(crate) ended: Option<i32>,
    /// Taking it back was the end of more than one supervisor.
    pub(crate) skip: bool,
}

/// What a keeper says later on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A program ended whose parent the keeper is, with this wait status.
    Ended { id: SessionId, pid: u32, status: i32 },
    /// Every program is to end, and then the supervisor.
    EndAll,
}

#[derive(Debug)]
struct Shared {
    socket: OwnedFd,
    waiting: Mutex<Waiting>,
}

/// Threads that wait for an answer.
#[derive(Debug)]
enum Waiting {
    For(HashMap<SessionId, SyncSender<u32>>),
    /// There will be no more answers.
    Over,
}

impl Link {
    /// Takes the way to the keeper from standard input, and what the keeper holds; `None` when there is no keeper.
    ///
    /// # Errors
    /// When it does not say what it should within half a minute.
    pub(crate) fn inherit() -> io::Result<Option<(Self, Inheritance)>> {
        let stdin = rustix::stdio::stdin();
        if !socket::is_end(stdin) {
            return Ok(None);
        }
        // What the keeper holds may be more than the limit that it restored.
        crate::os::raise_open_files();
        let socket = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Self::greet(socket).map(Some)
    }

    /// Listens to the keeper's hello.
    fn greet(socket: OwnedFd) -> io::Result<(Self, Inheritance)> {
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        let deadline = Instant::now() + LONGEST_HELLO;
        let mut hello = None;
        let mut held = Vec::new();
        let (keeper, mut fds) = loop {
            if !socket::wait(&socket, deadline)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let Incoming::Packet(received) = socket::receive(&socket, RecvFlags::empty())? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            if received.lost_fds {
                return Err(rustix::io::Errno::MFILE.into());
            }
            match Told::decode(&received.bytes) {
                Some(Told::Hello { keeper, .. }) => hello = Some((keeper, received.fds)),
                Some(Told::Held { id, pid, ended, skip }) => {
                    let descriptors = Descriptors::from_packet(received.fds);
                    let Descriptors { master, slave, journal } =
                        descriptors.ok_or(io::ErrorKind::InvalidData)?;
                    let pid = pid.map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
                    held.push(Held { id, pid, master, slave, journal, ended, skip });
                }
                Some(Told::HeldAll) => break hello.ok_or(io::ErrorKind::InvalidData)?,
                _ => {}
            }
        };
        let listener = if fds.len() > 1 { fds.pop().map(UnixListener::from) } else { None };
        let lock = fds.pop().ok_or(io::ErrorKind::InvalidData)?;
        let lock = InstanceLock::inherited(File::from(lock))?;
        let waiting = Mutex::new(Waiting::For(HashMap::new()));
        let link = Self(Arc::new(Shared { socket, waiting }));
        Ok((link, Inheritance { keeper, lock, listener, held }))
    }

    /// Says that this supervisor serves; the next one is started at once when it ends.
    pub(crate) fn ready(&self) {
        self.say(&Said::Ready);
    }

    /// Hands over the socket that clients connect to.
    pub(crate) fn listener(&self, listener: impl AsFd) {
        // One that the keeper does not get is bound anew by the next supervisor.
        let _gone = self.send(&Said::Listener, &[listener.as_fd()]);
    }

    /// Hands over a copy of both ends of a session's terminal and of its journal, and waits until they are safe.
    ///
    /// Only while [`Self::run`] runs.
    ///
    /// # Errors
    /// The keeper's reason to refuse; `TimedOut` or `BrokenPipe` when it does not answer.
    pub(crate) fn deposit(
        &self,
        id: SessionId,
        master: impl AsFd,
        slave: impl AsFd,
        journal: impl AsFd,
    ) -> io::Result<()> {
        let (sender, answer) = sync_channel(1);
        match &mut *self.0.waiting() {
            Waiting::For(waiters) => waiters.insert(id, sender),
            Waiting::Over => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let fds = [master.as_fd(), slave.as_fd(), journal.as_fd()];
        let answered = self.send(&Said::Deposit(id), &fds).map(|()| answer.recv_timeout(PATIENCE));
        let refusal = match answered? {
            Ok(0) => return Ok(()),
            Ok(refusal) => io::Error::from_raw_os_error(refusal.cast_signed()),
            Err(RecvTimeoutError::Timeout) => io::ErrorKind::TimedOut.into(),
            Err(RecvTimeoutError::Disconnected) => io::ErrorKind::BrokenPipe.into(),
        };
        if let Waiting::For(waiters) = &mut *self.0.waiting() {
            waiters.remove(&id);
        }
        Err(refusal)
    }

    /// Says which process runs on the terminal of a deposited session.
    pub(crate) fn started(&self, id: SessionId, process: u32) {
        if let Some(pid) = pid(process.into()) {
            self.say(&Said::Started { id, pid });
        }
    }

    /// Says that nothing has to be kept for the session any more.
    pub(crate) fn release(&self, id: SessionId) {
        self.say(&Said::Release(id));
    }

    /// Says that the session is about to be rebuilt.
    pub(crate) fn taking(&self, id: SessionId) {
        self.say(&Said::Taking(id));
    }

    /// Says that it was.
    pub(crate) fn taken(&self, id: SessionId) {
        self.say(&Said::Taken(id));
    }

    /// Says which program to start when this supervisor ends.
    ///
    /// # Errors
    /// `InvalidInput` for a path that is too long, `BrokenPipe` when there is no keeper.
    pub(crate) fn restart(&self, program: &Path) -> io::Result<()> {
        let said = Said::restart(program).ok_or(io::ErrorKind::InvalidInput)?;
        self.send(&said, &[])
    }

    /// Says that with nothing to keep the keeper may end when this supervisor does.
    pub(crate) fn leave(&self) {
        self.say(&Said::Leave);
    }

    /// Hears the keeper until it is gone, on a thread of its own.
    pub(crate) fn run(self, mut on: impl FnMut(Notice)) {
        while let Some(Received { bytes, .. }) = self.0.next() {
            match Told::decode(&bytes) {
                Some(Told::Ended { id, pid, status }) => {
                    let pid = pid.as_raw_nonzero().get().unsigned_abs();
                    on(Notice::Ended { id, pid, status });
                }
                Some(Told::EndAll) => on(Notice::EndAll),
                Some(Told::Deposited { id, refusal }) => {
                    if let Waiting::For(waiters) = &mut *self.0.waiting()
                        && let Some(waiter) = waiters.remove(&id)
                    {
                        // It may have lost patience.
                        let _late = waiter.try_send(refusal);
                    }
                }
                _ => {}
            }
        }
        *self.0.waiting() = Waiting::Over;
    }

    /// To say what nobody should.
    #[cfg(test)]
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }

    /// Whoever does not hear of a keeper's death here does in [`Self::run`].
    fn say(&self, said: &Said) {
        let _gone = self.send(said, &[]);
    }

    fn send(&self, said: &Said, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        Ok(socket::send(&self.0.socket, &said.encode(), fds, SendFlags::empty())?)
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when the keeper is gone.
    fn next(&self) -> Option<Received> {
        match socket::receive(&self.socket, RecvFlags::empty()) {
            Ok(Incoming::Packet(received)) => Some(received),
            Ok(Incoming::Gone) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use session_core::Timestamp;

    use super::*;

    #[test]
    fn a_hello_is_understood_among_what_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = InstanceLock::acquire(&path, Timestamp::from_millis(1)).unwrap().unwrap();
        let null = File::open("/dev/null").unwrap();
        let (keeper, supervisor) = socket::pair().unwrap();
        let say = |bytes: &[u8], fds: &[BorrowedFd<'_>]| {
            socket::send(&keeper, bytes, fds, SendFlags::empty()).unwrap();
        };
        let mut later = Told::EndAll.encode();
        later[0] = 200;
        say(b"short", &[]);
        say(&later, &[null.as_fd()]);
        say(&Told::Hello { keeper: 7, held: 0 }.encode(), &[lock.as_fd()]);
        say(&later, &[]);
        say(&Told::HeldAll.encode(), &[]);
        say(&Told::EndAll.encode(), &[]);
        let (link, inheritance) = Link::greet(supervisor).unwrap();
        assert_eq!((inheritance.keeper, inheritance.held.len()), (7, 0));
        assert_eq!(inheritance.lock.instance, lock.instance);
        assert!(inheritance.listener.is_none());
        drop(keeper);
        let mut notices = Vec::new();
        link.clone().run(|notice| notices.push(notice));
        assert_eq!(notices, [Notice::EndAll]);
        // Nobody minds.
        link.ready();
        let id = SessionId::from_parts(Timestamp::from_millis(1), 1);
        let refused = link.deposit(id, &null, &null, &null).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
        let refused = link.restart(Path::new(&"x".repeat(5000))).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_keeper_that_dies_early_is_no_keeper() {
        let (keeper, supervisor) = socket::pair().unwrap();
        let hello = Told::Hello { keeper: 7, held: 0 }.encode();
        socket::send(&keeper, &hello, &[], SendFlags::empty()).unwrap();
        drop(keeper);
        let error = Link::greet(supervisor).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
