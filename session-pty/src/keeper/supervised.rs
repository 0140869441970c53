//! The supervisor that runs at present, and what it has yet to be told.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::Command;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, Signal};

use super::deposits::Deposits;
use super::packet::Told;
use super::socket::{self, Incoming, Received};

/// A process that runs.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) pid: Pid,
    pub(super) started: Instant,
    /// `None` once it has closed its end.
    link: Option<OwnedFd>,
    can_send: Sending,
    untold: Untold,
    bind: Bind,
}

/// Whether there is room on the way to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing waits to be sent.
    Idle,
    /// When the socket says so.
    Full,
    /// In a moment: too much is on the way in all, which the socket does not know.
    Later,
    /// Nobody listens any more.
    Over,
}

#[derive(Debug)]
struct Untold {
    hello: bool,
    held_all: bool,
    end_all: bool,
}

/// What becomes of requests to bind the socket again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bind {
    /// It might not handle the signal yet, which then would end it.
    NotReady,
    /// As before, and one has come.
    Asked,
    Ready,
    /// It has been collected: its number may be another's.
    Over,
}

impl Supervised {
    /// Starts it, and will tell it about everything that is kept.
    pub(super) fn start(mut command: Command, deposits: &mut Deposits) -> io::Result<Self> {
        let (link, theirs) = socket::pair()?;
        let null = File::open("/dev/null")?;
        // All three are this process's own: it has the new one's standard input for a moment, and its output the
        // launcher's pipe as long as the first one has it. Starting a process with another descriptor fails when the
        // number of that is above the limit that the process is to have.
        rustix::stdio::dup2_stdin(&theirs)?;
        let child = crate::os::with_original_open_files(|| command.spawn());
        // It was replaced a moment ago; the child that may run by now must be known in any case.
        let _cannot_fail = rustix::stdio::dup2_stdin(&null);
        let child = child?;
        deposits.tell_all();
        Ok(Self {
            pid: Pid::from_child(&child),
            started: Instant::now(),
            link: Some(link),
            can_send: Sending::Idle,
            untold: Untold { hello: true, held_all: true, end_all: false },
            bind: Bind::NotReady,
        })
    }

    /// It serves: signals reach it.
    pub(super) fn ready(&mut self) {
        match self.bind {
            Bind::Over | Bind::Ready => return,
            Bind::Asked => self.signal(Signal::USR1),
            Bind::NotReady => {}
        }
        self.bind = Bind::Ready;
    }

    /// Whether it said that it serves.
    pub(super) fn is_ready(&self) -> bool {
        self.bind == Bind::Ready
    }

    /// Its process id as others write it.
    pub(super) fn process(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Asks it to bind its socket again, as soon as it can.
    pub(super) fn bind_again(&mut self) {
        match self.bind {
            Bind::Ready => self.signal(Signal::USR1),
            Bind::NotReady => self.bind = Bind::Asked,
            Bind::Asked | Bind::Over => {}
        }
    }

    /// It has ended and was collected. What it said before can still be heard.
    pub(super) fn ended(&mut self) {
        self.bind = Bind::Over;
    }

    /// Tells it to end every program, and then itself.
    pub(super) fn end_all(&mut self) {
        self.untold.end_all = true;
    }

    /// Sends a signal, to be called only before it is collected: until then its number is its own.
    pub(super) fn signal(&self, signal: Signal) {
        // One that is ending needs no signal.
        let _ending = rustix::process::kill_process(self.pid, signal);
    }

    /// The socket to it, and whether something waits to be sent.
    pub(super) fn link(&self) -> Option<(BorrowedFd<'_>, Sending)> {
        self.link.as_ref().map(|link| (link.as_fd(), self.can_send))
    }

    /// What it said next, if it said anything.
    pub(super) fn receive(&mut self) -> Option<Received> {
        match socket::receive(self.link.as_ref()?, RecvFlags::DONTWAIT) {
            Ok(Incoming::Packet(received)) => Some(received),
            Err(Errno::AGAIN) => None,
            // What is left then is its end, which the kernel tells.
            Ok(Incoming::Gone) | Err(_) => {
                self.link = None;
                None
            }
        }
    }

    /// Tells it what it has not been told yet, as far as there is room.
    pub(super) fn tell(
        &mut self,
        lock: BorrowedFd<'_>,
        listener: Option<BorrowedFd<'_>>,
        deposits: &mut Deposits,
    ) {
        let Some(link) = self.link.as_ref().filter(|_| self.can_send != Sending::Over) else {
            return;
        };
        let send = |told: &Told, fds: &[BorrowedFd<'_>]| {
            socket::send(link, &told.encode(), fds, SendFlags::DONTWAIT)
        };
        let untold = &mut self.untold;
        let mut tell_all = || {
            if untold.hello {
                let hello = Told::Hello { keeper: std::process::id(), held: deposits.len() as u64 };
                let fds: Vec<_> = [lock].into_iter().chain(listener).collect();
                send(&hello, &fds)?;
                untold.hello = false;
            }
            deposits.tell_held(send)?;
            if untold.held_all {
                send(&Told::HeldAll, &[])?;
                untold.held_all = false;
            }
            deposits.tell_news(|news| send(news, &[]))?;
            if untold.end_all {
                send(&Told::EndAll, &[])?;
                untold.end_all = false;
            }
            Ok(())
        };
        self.can_send = match tell_all() {
            Ok(()) => Sending::Idle,
            Err(Errno::AGAIN) => Sending::Full,
            Err(Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM) => Sending::Later,
            Err(_) => Sending::Over,
        };
    }
}
