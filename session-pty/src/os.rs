//! What the operating system must tell about processes and machines, one seam for each platform.

use std::io;
use std::path::PathBuf;

/// An id of the present boot of this machine; processes of another boot are gone.
///
/// # Errors
/// When the system does not say.
pub(crate) fn boot_id() -> io::Result<String> {
    if cfg!(target_os = "linux") {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        return Ok(text.trim().to_owned());
    }
    // Without a boot id, the instance lock alone decides who is alive.
    Ok(String::new())
}

/// When the process started, in clock ticks since boot, where the system says so.
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: count from its end.
    let fields = stat.rsplit_once(')')?.1;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// A process that is held by more than its number, which may become another's at any time.
#[derive(Debug)]
pub(crate) struct Member {
    process: std::os::fd::OwnedFd,
}

/// The processes that belong to the terminal session which `leader` led, `leader` itself apart.
pub(crate) fn session_members(leader: u32) -> Vec<Member> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|&pid| pid != leader && session_of(pid) == Some(leader))
        .filter_map(|pid| {
            let process =
                exit_watch(i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)?);
            // Looked at again once it is held: in between the number may have become another's.
            let process = process.ok().filter(|_| session_of(pid) == Some(leader))?;
            Some(Member { process })
        })
        .collect()
}

impl Member {
    /// Sends a signal, and wakes it if it is stopped.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        for signal in [signal, rustix::process::Signal::CONT] {
            // One that is gone needs no signal.
            let _gone = rustix::process::pidfd_send_signal(&self.process, signal);
        }
    }

    /// Waits for its end, at most for `timeout`.
    pub(crate) fn wait(&self, timeout: std::time::Duration) {
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut fds = [rustix::event::PollFd::new(&self.process, rustix::event::PollFlags::IN)];
        // Ended or not in time: either way the caller looks again.
        let _either_way = rustix::event::poll(&mut fds, Some(&timeout));
    }
}

fn session_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(3)?.parse().ok()
}

/// Eighty random bits and more, for ids.
pub(crate) fn random_u128() -> io::Result<u128> {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(u128::from_le_bytes(bytes))
}

/// The file of this very program, to start it again.
///
/// # Errors
/// When the system does not say.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The limit of open files that this process was started with, once [`raise_open_files`] has raised it.
static ORIGINAL_OPEN_FILES: std::sync::OnceLock<Option<u64>> = std::sync::OnceLock::new();

/// Raises this process's limit of open files as far as it may: every session takes a handful.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    ORIGINAL_OPEN_FILES.get_or_init(|| limit.current);
    // A refusal leaves the limit as it was, which is enough for a few hundred sessions.
    let _unchanged =
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// What programs get back: the limit before it was raised, or `None` when it never was.
pub(crate) fn original_open_files() -> Option<u64> {
    ORIGINAL_OPEN_FILES.get().copied().flatten()
}

/// Something that becomes readable when the child process ends.
///
/// # Errors
/// When the system refuses another descriptor.
pub(crate) fn exit_watch(pid: rustix::process::Pid) -> io::Result<std::os::fd::OwnedFd> {
    Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?)
}

/// Closes every descriptor above standard error. A lock or a pipe that a caller's shell had open would otherwise
/// stay open as long as this process lives.
///
/// To be called before this process has opened anything of its own.
pub(crate) fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    inherited::close(open.into_iter().filter(|&fd| fd > 2));
}

#[expect(unsafe_code, reason = "descriptors that were inherited have no owner in this process")]
mod inherited {
    use std::os::fd::BorrowedFd;

    /// Closes descriptors, those that are closed already included.
    pub(super) fn close(descriptors: impl Iterator<Item = i32>) {
        for descriptor in descriptors {
            // SAFETY: only asked whether it is open: that of the directory that was just listed is not, and closing
            // it again would be a bug.
            let is_open =
                rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) }).is_ok();
            if is_open {
                // SAFETY: called before anything else has opened a descriptor, so none of these has an owner who
                // would use or close it later.
                unsafe { rustix::io::close(descriptor) };
            }
        }
    }
}
