//! The process below the supervisor: it keeps what must not be lost when a supervisor ends, and starts the next one.
//!
//! One thread that polls, no store, and a protocol that never changes (KEEPER.md), so that there is no reason for it to
//! end. It keeps a copy of each session's terminal and journal, the socket that clients connect to and the instance
//! lock; it becomes the parent of programs that lost their supervisor, and learns how they end.

mod deposits;
mod ladder;
mod link;
mod packet;
mod restarts;
mod signals;
mod socket;
mod succession;
mod supervised;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions};
use session_core::{Clock, RuntimeError};

use crate::instance::{Instance, InstanceLock, Socket};
use crate::place::Place;
use crate::supervisor::detach::detach_from_caller;
use crate::supervisor::listen::ask_to_bind_again;
use crate::supervisor::start::Report;
use crate::supervisor::{Launcher, log_line, reopen_log};

use deposits::{Deposits, Descriptors};
use ladder::{Ladder, Step};
use packet::Said;
use restarts::{Next, Program, Restarts};
use signals::{Asked, Signals};
use socket::Received;
use succession::Estate;
use supervised::{Sending, Supervised};

pub(crate) use link::{Held, Inheritance, Link, Notice};
pub(crate) use packet::UNKNOWN_END;
pub(crate) use succession::succeed;

/// What a keeper is given.
#[derive(Debug)]
pub struct KeeperOptions {
    /// Where it belongs.
    pub place: Place,
    /// How it starts a supervisor.
    pub supervisor: Launcher,
}

/// How long a supervisor may take until it is ready: it may have to wait for a store that is being brought up to date.
const LONGEST_START: Duration = Duration::from_secs(60);

/// How long supervisors may take to end every program and record each. Twice that of the programs themselves and more,
/// and less than service managers wait before they kill (90 s), the ladder after it included.
const LONGEST_END: Duration = Duration::from_secs(60);

/// So many supervisors are started to end everything after the one that was there has ended over it: whoever signals
/// all processes at once may meet the next one, too, before it handles signals.
const ENDERS: u32 = 3;

/// How long to wait when the kernel has too much on the way to the supervisor.
const BREATH: Duration = Duration::from_millis(20);

/// Descriptors that are not for sessions.
const SPARE: u64 = 64;

/// How many packets are heard before anything else is looked at.
const BURST: usize = 256;

/// Everything that a keeper has.
#[derive(Debug)]
struct Keeper {
    launcher: Launcher,
    lock: InstanceLock,
    listener: Option<OwnedFd>,
    /// Where clients look for it.
    socket: PathBuf,
    deposits: Deposits,
    restarts: Restarts,
    supervised: Option<Supervised>,
    /// How the last supervisor ended, for people.
    last_end: String,
    course: Course,
    signals: Signals,
}

/// What it is about.
#[derive(Debug)]
enum Course {
    Keep,
    /// The supervisor ends everything until then; `enders` others may yet be started for it.
    Asked {
        until: Instant,
        enders: u32,
    },
    /// It does so itself.
    End(Ladder),
}

/// Becomes the keeper of a store's sessions and keeps them until there is nothing to keep.
///
/// To be called first thing in a process of its own, which [`Launcher`] starts. Standard output must be the pipe that the
/// launcher waits on: the first supervisor says there that it is ready, or why not. Where standard input is what
/// a supervisor left that takes the place of a dead keeper, it goes on from there.
///
/// # Errors
/// Whatever kept it from beginning; the launcher was told.
pub fn keep(options: KeeperOptions, clock: impl Clock) -> Result<(), RuntimeError> {
    let report = Report::new();
    match prepare(options, clock) {
        Ok(Some(keeper)) => {
            keeper.run();
            Ok(())
        }
        Ok(None) => {
            report.already_there();
            Ok(())
        }
        Err(error) => {
            report.failed(&error);
            Err(error)
        }
    }
}

/// A keeper whose first supervisor has been started; `None` when another one lives.
fn prepare(options: KeeperOptions, clock: impl Clock) -> Result<Option<Keeper>, RuntimeError> {
    let failed = |source| RuntimeError::io("starting the keeper", source);
    let KeeperOptions { place, supervisor: launcher } = options;
    let estate = succession::estate().map_err(failed)?;
    detach_from_caller(&place)?;
    let signals = Signals::register().map_err(failed)?;
    crate::os::become_subreaper().map_err(failed)?;
    let (lock, listener, restarts, sessions) = match estate {
        Some(Estate { lock, listener, sessions }) => {
            (lock, listener, Restarts::continued(), Some(sessions))
        }
        None => {
            let path = place.instance_lock();
            let locking = |source| RuntimeError::io("locking the instance", source);
            let Some(lock) = InstanceLock::acquire(&path, clock.now()).map_err(locking)? else {
                ask_to_bind_again(&path);
                return Ok(None);
            };
            (lock, None, Restarts::new(), None)
        }
    };
    crate::os::raise_open_files();
    let null = File::options().read(true).write(true).open("/dev/null").map_err(failed)?;
    rustix::stdio::dup2_stdin(&null).map_err(|error| failed(error.into()))?;
    let most = crate::os::most_open_files().saturating_sub(SPARE) / 3;
    let mut deposits = Deposits::new(usize::try_from(most).unwrap_or(usize::MAX));
    let (course, last_end, supervised) = (Course::Keep, String::new(), None);
    let is_new = sessions.is_none();
    for session in sessions.into_iter().flatten() {
        deposits.inherit(session);
    }
    let mut keeper = Keeper {
        launcher,
        lock,
        listener,
        socket: place.socket(),
        deposits,
        restarts,
        supervised,
        last_end,
        course,
        signals,
    };
    keeper.sign();
    if is_new {
        let starting = |source| RuntimeError::io("starting the supervisor", source);
        keeper.start(&Program::Own).map_err(starting)?;
    } else {
        // Those that the dead keeper was the parent of. Children are collected before anybody is told of them.
        keeper.deposits.see_who_is_left();
    }
    // The launcher sees the end of its pipe once the supervisor has said what it has to say.
    rustix::stdio::dup2_stdout(&null).map_err(|error| failed(error.into()))?;
    Ok(Some(keeper))
}

/// The command that a launcher means; the file of this very process is found even after it was replaced.
fn command(launcher: &Launcher) -> io::Result<Command> {
    let mut command = match &launcher.program {
        Some(program) => Command::new(program),
        None => {
            let mut command = Command::new(crate::os::own_image()?);
            command.arg0(std::env::args_os().next().unwrap_or_else(|| "session".into()));
            command
        }
    };
    command.args(&launcher.args);
    // Threads come and go with what sessions do; memory that each kept for itself would stay. For glibc's `malloc`.
    command.env("MALLOC_ARENA_MAX", "1");
    Ok(command)
}

/// How a process ended, for people.
fn describe(status: i32) -> String {
    match status {
        UNKNOWN_END => "nobody knows how".to_owned(),
        status => ExitStatus::from_raw(status).to_string(),
    }
}

impl Keeper {
    /// Keeps until there is nothing to keep.
    fn run(mut self) {
        loop {
            self.hear_signals();
            self.collect();
            let mut heard = 0;
            while heard < BURST && self.hear_supervisor() {
                heard += 1;
            }
            self.deposits.look_at_strangers();
            let ControlFlow::Continue(until) = self.decide() else { return };
            self.tell();
            self.wait(until);
        }
    }

    fn hear_signals(&mut self) {
        let Asked { bind_again, end } = self.signals.take();
        if bind_again {
            match &mut self.supervised {
                Some(supervised) => supervised.bind_again(),
                None => self.restarts.try_again(),
            }
        }
        if end && matches!(self.course, Course::Keep) {
            log_line("the keeper was asked to end");
            self.course = Course::Asked { until: Instant::now() + LONGEST_END, enders: ENDERS };
            if let Some(supervised) = &mut self.supervised {
                supervised.end_all();
            }
        }
    }

    /// Collects children that have ended.
    fn collect(&mut self) {
        let mut ended = Vec::new();
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            ended.push((pid, status.as_raw()));
        }
        let supervisor = self.supervised.as_ref().map(|supervised| supervised.pid);
        let end = ended.iter().find(|(pid, _)| Some(*pid) == supervisor).copied();
        if let (Some(_), Some(supervised)) = (end, &mut self.supervised) {
            supervised.ended();
            // What it said before tells whose end another one is.
            while self.hear_supervisor() {}
        }
        for (pid, status) in ended {
            let session = if Some(pid) == supervisor {
                None
            } else {
                self.deposits.process_ended(pid, status)
            };
            if let (Some(id), Course::End(_)) = (session, &self.course) {
                // Nobody else is left to record it.
                log_line(&format!("session {id} ended ({})", describe(status)));
            }
        }
        if let Some((_, status)) = end {
            self.supervisor_ended(describe(status));
        }
    }

    fn supervisor_ended(&mut self, how: String) {
        log_line(&format!("the supervisor ended ({how})"));
        self.last_end = how;
        self.supervised = None;
        self.deposits.supervisor_ended();
        self.restarts.ended(!self.deposits.is_empty(), Instant::now());
        self.sign();
    }

    /// Hears one packet of the supervisor's, if there is one.
    fn hear_supervisor(&mut self) -> bool {
        let Some(received) = self.supervised.as_mut().and_then(Supervised::receive) else {
            return false;
        };
        let Received { bytes, mut fds, lost_fds } = received;
        match Said::decode(&bytes) {
            Some(Said::Ready) => {
                self.restarts.ready();
                if let Some(supervised) = &mut self.supervised {
                    supervised.ready();
                }
                self.sign();
            }
            Some(Said::Listener) => {
                if let (Some(listener), true) = (fds.pop(), fds.is_empty()) {
                    self.take_listener(listener);
                }
            }
            Some(Said::Deposit(id)) => {
                let refusal = if lost_fds { Errno::MFILE } else { Errno::INVAL };
                self.deposits.deposit(id, Descriptors::from_packet(fds).ok_or(refusal));
            }
            Some(Said::Started { id, pid }) => self.deposits.started(id, pid),
            Some(Said::Release(id)) => self.deposits.release(id),
            Some(Said::Taking(id)) => self.deposits.taking(id),
            Some(Said::Taken(id)) => self.deposits.taken(id),
            Some(Said::Restart(program)) => {
                self.restarts.restart(program);
                // Another program may well survive what ended this one.
                self.deposits.forgive();
            }
            Some(Said::Leave) => self.restarts.leave(),
            // Of another version: its descriptors are closed with it.
            None => {}
        }
        true
    }

    fn take_listener(&mut self, listener: OwnedFd) {
        let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).ok().map(|stat| stat.st_ino);
        let is_new = self.listener.as_ref().is_none_or(|known| inode(known) != inode(&listener));
        self.listener = Some(listener);
        if !is_new {
            return;
        }
        // It was bound a moment ago, perhaps because its directory was gone, and the log with it.
        reopen_log();
        // A path that is not UTF-8 has no JSON.
        let socket = Socket::at(&self.socket).ok().filter(|it| it.path.to_str().is_some());
        self.write_into_lock(|instance| instance.socket = socket);
    }

    /// Does what has to be done now. Breaks off at the end, or says when to look again at the latest.
    fn decide(&mut self) -> ControlFlow<(), Option<Instant>> {
        loop {
            let now = Instant::now();
            match (&mut self.course, &self.supervised) {
                (Course::Keep, Some(supervised)) if supervised.is_ready() => {
                    return ControlFlow::Continue(None);
                }
                (Course::Keep, Some(supervised)) => {
                    let until = supervised.started + LONGEST_START;
                    if now < until {
                        return ControlFlow::Continue(Some(until));
                    }
                    log_line("the supervisor does not become ready");
                    supervised.signal(Signal::KILL);
                    return ControlFlow::Continue(Some(now + LONGEST_START));
                }
                (Course::Keep, None) => match self.restarts.next(now) {
                    Next::Start(program) => {
                        if let Err(error) = self.start(&program) {
                            self.supervisor_ended(format!("it could not be started: {error}"));
                        }
                    }
                    Next::Wait(until) => return ControlFlow::Continue(Some(until)),
                    Next::GivenUp => return ControlFlow::Continue(None),
                    Next::End => return ControlFlow::Break(()),
                },
                (Course::Asked { until, enders }, Some(supervised)) => {
                    if now >= *until {
                        log_line("the supervisor does not end by itself");
                        supervised.signal(Signal::KILL);
                        (*until, *enders) = (now + LONGEST_END, 0);
                    }
                    return ControlFlow::Continue(Some(*until));
                }
                (Course::Asked { until, enders }, None) => {
                    // Only a supervisor can record ends.
                    if *enders > 0 && now < *until && !self.deposits.is_empty() {
                        *enders -= 1;
                        self.start_to_end_all();
                    } else {
                        self.course = Course::End(Ladder::default());
                    }
                }
                (Course::End(ladder), _) => match ladder.step(self.deposits.any_runs(), now) {
                    Step::Send(signal) => self.deposits.signal(signal),
                    Step::Wait(until) => return ControlFlow::Continue(Some(until)),
                    Step::Done => return ControlFlow::Break(()),
                },
            }
        }
    }

    fn start(&mut self, program: &Program) -> io::Result<()> {
        let mut launcher = self.launcher.clone();
        if let Program::Another(path) = program {
            launcher.program = Some(path.clone());
        }
        self.supervised = Some(Supervised::start(command(&launcher)?, &mut self.deposits)?);
        self.sign();
        Ok(())
    }

    /// Starts a supervisor that ends everything.
    fn start_to_end_all(&mut self) {
        let program = self.restarts.program().clone();
        match (self.start(&program), &mut self.supervised) {
            (Ok(()), Some(supervised)) => supervised.end_all(),
            (Ok(()), None) => {}
            (Err(error), _) => self.supervisor_ended(format!("it could not be started: {error}")),
        }
    }

    /// Says in the lock who serves, and whether that was given up.
    fn sign(&mut self) {
        let pid = std::process::id();
        let supervised = self.supervised.as_ref();
        let given_up = match self.restarts.given_up_after() {
            Some(ends) => Some(format!(
                "the supervisor ended {ends} times before it was ready, at last so: {}",
                self.last_end
            )),
            // As long as nobody serves, what was said stays.
            None if supervised.is_none_or(Supervised::is_ready) => None,
            None => self.lock.instance.given_up.clone(),
        };
        let supervisor = supervised.map(Supervised::process);
        self.write_into_lock(|instance| {
            instance.pid = pid;
            instance.pid_start = crate::os::process_start(pid);
            instance.supervisor = supervisor;
            instance.given_up = given_up;
        });
    }

    fn write_into_lock(&mut self, change: impl FnOnce(&mut Instance)) {
        if let Err(error) = self.lock.update(change) {
            log_line(&format!("writing into the instance lock: {error}"));
        }
    }

    fn tell(&mut self) {
        let listener = self.listener.as_ref().map(|listener| listener.as_fd());
        if let Some(supervised) = &mut self.supervised {
            supervised.tell(self.lock.as_fd(), listener, &mut self.deposits);
        }
    }

    /// Waits until something happens or the time has come.
    fn wait(&self, until: Option<Instant>) {
        let mut left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let link = self.supervised.as_ref().and_then(Supervised::link);
        if let Some((link, sending)) = &link {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, *sending == Sending::Full);
            fds.push(PollFd::from_borrowed_fd(*link, flags));
            if *sending == Sending::Later {
                left = Some(left.map_or(BREATH, |left| left.min(BREATH)));
            }
        }
        let strangers = self.deposits.strangers();
        fds.extend(strangers.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // Interrupted, ready or too late: everything is looked at again.
        let _whatever = rustix::event::poll(&mut fds, left.map(socket::timespec).as_ref());
    }
}
