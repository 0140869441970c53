//! Starting a program on a terminal of its own, as if its caller had started it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pty_process::blocking::{Pts, Pty};
use rustix::process::Pid;
use session_core::TerminalSize;

use super::leader::Leader;

/// What to start and in which surroundings. Its `Debug` form keeps the values of the environment to itself.
pub(crate) struct Program {
    /// The file to execute.
    pub(crate) file: PathBuf,
    /// Its arguments, its own name first.
    pub(crate) argv: Vec<String>,
    /// Where.
    pub(crate) workdir: PathBuf,
    /// The whole environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The file creation mask, if not this process's own.
    pub(crate) umask: Option<u32>,
    /// The size of the terminal.
    pub(crate) size: TerminalSize,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("file", &self.file)
            .field("argv", &self.argv)
            .field("workdir", &self.workdir)
            .field("umask", &self.umask)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A terminal on which nothing runs yet.
pub(super) struct Terminal {
    pty: Pty,
    pts: Pts,
    /// Kept open, so that the terminal does not report a hang-up whenever no program holds it for a moment, and
    /// to ask what was typed and not yet read.
    slave: OwnedFd,
}

/// A started program with both ends of its terminal.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) leader: Leader,
    pub(super) pid: Pid,
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
}

/// The file that `name` means to somebody with this `PATH` in this directory, as a shell would find it.
///
/// # Errors
/// `NotFound`, or `PermissionDenied` when all that is there cannot be executed.
pub(crate) fn find_program(
    name: &str,
    path: Option<&OsStr>,
    workdir: &Path,
) -> io::Result<PathBuf> {
    if name.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if name.contains('/') {
        return executable(workdir.join(name));
    }
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let mut refusal = io::ErrorKind::NotFound;
    for directory in std::env::split_paths(path) {
        match executable(workdir.join(directory).join(name)) {
            Ok(file) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refusal = error.kind(),
            Err(_) => {}
        }
    }
    Err(refusal.into())
}

fn executable(file: PathBuf) -> io::Result<PathBuf> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

impl Terminal {
    /// A new terminal of this size.
    pub(super) fn open(size: TerminalSize) -> io::Result<Self> {
        let (pty, pts) = pty_process::blocking::open().map_err(io_error)?;
        pty.resize(pty_process::Size::new(size.rows(), size.cols())).map_err(io_error)?;
        let slave = rustix::io::fcntl_dupfd_cloexec(&pts, 3)?;
        Ok(Self { pty, pts, slave })
    }

    /// The side of whoever shows it.
    pub(super) fn master(&self) -> BorrowedFd<'_> {
        self.pty.as_fd()
    }

    /// The side of programs.
    pub(super) fn slave(&self) -> BorrowedFd<'_> {
        self.slave.as_fd()
    }
}

impl Program {
    /// Starts it: leader of a session of its own, with the terminal as its controlling one.
    pub(super) fn start(self, terminal: Terminal) -> io::Result<Started> {
        let Terminal { pty, pts, slave } = terminal;
        never_block(&pty)?;
        let mut argv = self.argv.iter();
        let command = pty_process::blocking::Command::new(&self.file)
            .arg0(argv.next().map_or_else(|| self.file.as_os_str(), OsStr::new))
            .args(argv)
            .env_clear()
            .envs(self.environment)
            .current_dir(&self.workdir);
        let mut child = surroundings::apply(command, self.umask).spawn(pts).map_err(io_error)?;
        let pid = Pid::from_child(&child);
        // From here on a failure must not leave the program behind, unwatched.
        match crate::os::exit_watch(pid) {
            Ok(watch) => {
                let leader = Leader::Child { child, watch };
                Ok(Started { leader, pid, master: OwnedFd::from(pty), slave })
            }
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }
}

/// Reading from a terminal that has nothing, and writing to one that is full, fail at once from here on.
pub(super) fn never_block(terminal: impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&terminal)?;
    Ok(rustix::fs::fcntl_setfl(&terminal, flags | rustix::fs::OFlags::NONBLOCK)?)
}

/// What a program inherits from its caller rather than from this process.
#[expect(
    unsafe_code,
    reason = "umask and resource limits can be set for one child only between fork and exec"
)]
mod surroundings {
    use pty_process::blocking::Command;
    use rustix::fs::Mode;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

    /// Sets the file creation mask, and takes back the raised limit of open files: programs that use `select`
    /// or close every possible descriptor suffer from a high one.
    pub(super) fn apply(command: Command, mask: Option<u32>) -> Command {
        let files = getrlimit(Resource::Nofile);
        let soft = crate::os::original_open_files().or(files.current);
        let before_exec = move || {
            if let Some(mask) = mask {
                umask(Mode::from_bits_truncate(mask & 0o777));
            }
            let limit = Rlimit { current: soft, maximum: files.maximum };
            setrlimit(Resource::Nofile, limit).map_err(std::io::Error::from)
        };
        // SAFETY: runs in the child between fork and exec, where only async-signal-safe calls are allowed. Both
        // calls are single system calls; nothing here allocates or takes a lock.
        unsafe { command.pre_exec(before_exec) }
    }
}

fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
    }
}

/// Checks that programs can be started in `directory`.
///
/// # Errors
/// Why not.
pub(crate) fn check_directory(directory: &Path) -> io::Result<()> {
    if !directory.is_absolute() {
        return Err(io::Error::other("the path is not absolute"));
    }
    if !directory.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::access(directory, rustix::fs::Access::EXEC_OK)?)
}
