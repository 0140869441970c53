//! The process that leads a session's terminal: a child of this process, or one that was taken back.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use session_core::Exit;

/// Says how a program ended whose parent is somebody else. Dropped without a word, nobody knows.
#[derive(Debug)]
pub(crate) struct ExitTeller {
    status: Arc<OnceLock<i32>>,
    /// Closed when there is nothing more to say.
    _open: OwnedFd,
}

/// Where [`ExitTeller`] is heard.
#[derive(Debug)]
pub(crate) struct ExitNotice {
    status: Arc<OnceLock<i32>>,
    /// Readable once the teller is gone.
    told: OwnedFd,
}

/// The leader as the relay sees it.
#[derive(Debug)]
pub(super) enum Leader {
    /// Started here, with something that becomes readable when it ends.
    Child { child: Child, watch: OwnedFd },
    /// Somebody else's child.
    Adopted(ExitNotice),
}

/// The leader as a target of signals. There is none once its number may belong to another process.
#[derive(Debug)]
pub(super) enum Target {
    /// A child that was not reaped: its number is its own.
    Child(Pid),
    /// Another's child, held by more than its number.
    Adopted { pid: u32, process: OwnedFd },
}

impl ExitNotice {
    /// A pair of both sides.
    ///
    /// # Errors
    /// When the system refuses another descriptor.
    pub(crate) fn new() -> io::Result<(ExitTeller, Self)> {
        let (told, open) = pipe_with(PipeFlags::CLOEXEC)?;
        let status = Arc::new(OnceLock::new());
        Ok((ExitTeller { status: Arc::clone(&status), _open: open }, Self { status, told }))
    }

    /// Whether there is nothing more to wait for.
    pub(crate) fn is_told(&self) -> bool {
        let now = rustix::event::Timespec::default();
        let mut fds = [PollFd::new(&self.told, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Waits for the word.
    fn exit(&self) -> Exit {
        let mut fds = [PollFd::new(&self.told, PollFlags::IN)];
        while matches!(rustix::event::poll(&mut fds, None), Ok(0) | Err(Errno::INTR)) {}
        self.status.get().map_or(Exit::Unknown, |&status| exit_of(status))
    }
}

impl ExitTeller {
    /// Tells a status as `wait` returns it.
    pub(crate) fn tell(self, raw_status: i32) {
        let _only_once = self.status.set(raw_status);
    }
}

impl Leader {
    /// Becomes readable when it has ended.
    pub(super) fn watch(&self) -> BorrowedFd<'_> {
        match self {
            Self::Child { watch, .. } => watch.as_fd(),
            Self::Adopted(notice) => notice.told.as_fd(),
        }
    }

    /// Waits for the end. A child remains to be reaped: should this process end as well before the end is recorded,
    /// its next parent learns of it.
    pub(super) fn exit(&self) -> Exit {
        let child = match self {
            Self::Child { child, .. } => child,
            Self::Adopted(notice) => return notice.exit(),
        };
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let id = WaitId::Pid(Pid::from_child(child));
        match rustix::io::retry_on_intr(|| waitid(id.clone(), ended)) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Unknown,
            },
            Ok(None) | Err(_) => Exit::Unknown,
        }
    }

    /// Lets go of a child that has ended. From here on its number may belong to somebody else.
    pub(super) fn reap(&mut self) {
        if let Self::Child { child, .. } = self {
            // It has ended, so this does not wait; and how is known.
            let _known = child.wait();
        }
    }
}

impl Target {
    /// A program that was taken back; none when it has ended.
    ///
    /// # Errors
    /// When the system refuses another descriptor: then nobody could end it.
    pub(super) fn adopted(pid: u32, ended: &ExitNotice) -> io::Result<Option<Self>> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let process = match crate::os::exit_watch(number) {
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {
                return Ok(None);
            }
            process => process?,
        };
        // Looked at once it is held: from now on it is the same process.
        let runs = crate::os::leads_a_session(pid) && !ended.is_told();
        Ok(runs.then_some(Self::Adopted { pid, process }))
    }

    /// Whether it runs no more.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Child(program) => {
                let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
                !matches!(waitid(WaitId::Pid(*program), ended), Ok(None) | Err(Errno::INTR))
            }
            Self::Adopted { process, .. } => crate::os::has_exited(process),
        }
    }

    /// Signals its own group and the group in the foreground of its terminal, and wakes both if stopped.
    pub(super) fn signal_groups(&self, foreground: Option<Pid>, signal: Signal) {
        match self {
            Self::Child(program) => {
                let foreground = foreground.filter(|group| group != program);
                for group in foreground.into_iter().chain([*program]) {
                    for signal in [signal, Signal::CONT] {
                        // A group that is gone already needs no signal.
                        let _gone = rustix::process::kill_process_group(group, signal);
                    }
                }
            }
            Self::Adopted { pid, process } => {
                let mut fds = [PollFd::new(process, PollFlags::IN)];
                let now = rustix::event::Timespec::default();
                if !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(0)) {
                    // It has ended: whoever has its number may be another.
                    return;
                }
                let foreground =
                    foreground.and_then(|group| u32::try_from(group.as_raw_nonzero().get()).ok());
                let groups: Vec<u32> = foreground.into_iter().chain([*pid]).collect();
                for member in crate::os::session_groups(*pid, &groups) {
                    member.signal(signal);
                }
            }
        }
    }
}

fn exit_of(raw_status: i32) -> Exit {
    let status = ExitStatus::from_raw(raw_status);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_once_and_silence_means_unknown() {
        let (teller, notice) = ExitNotice::new().unwrap();
        assert!(!notice.is_told());
        teller.tell(7 << 8);
        assert!(notice.is_told());
        assert_eq!(notice.exit(), Exit::Code(7));

        let (teller, notice) = ExitNotice::new().unwrap();
        teller.tell(9);
        assert_eq!(notice.exit(), Exit::Signal(9));

        let (teller, notice) = ExitNotice::new().unwrap();
        drop(teller);
        assert!(notice.is_told());
        assert_eq!(notice.exit(), Exit::Unknown);
    }

    #[test]
    fn a_child_that_has_ended_is_still_there_until_it_is_reaped() {
        let child = std::process::Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let watch = crate::os::exit_watch(pid).unwrap();
        let mut leader = Leader::Child { child, watch };
        assert_eq!(leader.exit(), Exit::Code(3));
        assert_eq!(leader.exit(), Exit::Code(3));
        leader.reap();
        assert!(waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).is_err());
    }
}
