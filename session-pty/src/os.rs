//! What the operating system must tell about processes and machines, one seam for each platform.

mod members;

use std::io;
use std::path::PathBuf;

pub(crate) use members::{session_groups, session_members};

use members::session_of;

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

/// Whether the process leads a terminal session of its own, as every program that was started here does.
pub(crate) fn leads_a_session(pid: u32) -> bool {
    session_of(pid) == Some(pid)
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

/// The file that is now where this very program was when it was started.
///
/// # Errors
/// `NotFound` when there is none any more.
pub(crate) fn program_on_disk() -> io::Result<PathBuf> {
    let path = as_it_was_named(std::env::current_exe()?);
    path.metadata().map(|_| path)
}

/// A path without what the kernel adds when the file has lost its name, to another one perhaps.
fn as_it_was_named(path: PathBuf) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let mut path = path.into_os_string().into_vec();
    if path.ends_with(DELETED) {
        path.truncate(path.len() - DELETED.len());
    }
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

const DELETED: &[u8] = b" (deleted)";

/// The file that a process runs.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Where it was; another one may be there now.
    pub(crate) path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Image {
    /// Whether it still is what is found at its path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.path.metadata().is_ok_and(|found| identity(&found) == self.identity)
    }
}

/// The file that a process of this user runs, where the system says so.
pub(crate) fn image_of(pid: u32) -> Option<Image> {
    let link = format!("/proc/{pid}/exe");
    let identity = identity(&std::fs::metadata(&link).ok()?);
    Some(Image { path: as_it_was_named(std::fs::read_link(&link).ok()?), identity })
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
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

/// Runs `with` under the limit that this process was started with, so that a process that it starts has that one.
/// What it needs to open for that must be open already.
pub(crate) fn with_original_open_files<T>(with: impl FnOnce() -> T) -> T {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let raised = getrlimit(Resource::Nofile);
    let Some(original) = original_open_files() else { return with() };
    let limit = Rlimit { current: Some(original), maximum: raised.maximum };
    // A lower limit is never refused, and the higher one was granted before.
    let _unchanged = setrlimit(Resource::Nofile, limit);
    let done = with();
    let _unchanged = setrlimit(Resource::Nofile, raised);
    done
}

/// How many files this process may have open.
pub(crate) fn most_open_files() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The file that this process runs, as a name that works even after it was replaced or removed.
pub(crate) fn own_image() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { own_program() }
}

/// Makes this process the parent of every descendant whose own parent ends.
pub(crate) fn become_subreaper() -> io::Result<()> {
    // Any process id but none switches it on.
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Whether this is a child of this process, ended or not, that was not collected.
pub(crate) fn is_child(pid: rustix::process::Pid) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).is_ok()
}

/// Whether the process lives and leads a terminal session, as programs on a terminal of their own do.
pub(crate) fn leads_session(pid: rustix::process::Pid) -> bool {
    let pid = pid.as_raw_nonzero().get().unsigned_abs();
    session_of(pid) == Some(pid)
}

/// Whether what [`exit_watch`] gave is readable.
pub(crate) fn has_exited(watch: &std::os::fd::OwnedFd) -> bool {
    let mut fds = [rustix::event::PollFd::new(watch, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Takes a descriptor that the process before this one, of the same number, left open for it. It is closed again in
/// programs that are started from here on.
///
/// # Errors
/// When it is not open, or not inherited but this process's own.
pub(crate) fn adopt(descriptor: i32) -> io::Result<std::os::fd::OwnedFd> {
    inherited::adopt(descriptor)
}

/// Something that becomes readable when the child process ends.
///
/// # Errors
/// When the system refuses another descriptor.
pub(crate) fn exit_watch(pid: rustix::process::Pid) -> io::Result<std::os::fd::OwnedFd> {
    Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?)
}

/// Memory of this length as a file without a name, empty until it is written. It lives as long as any process holds
/// it, and nobody can change its length.
///
/// # Errors
/// What the system says.
pub(crate) fn shared_memory(name: &str, length: u64) -> io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let memory = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&memory, length)?;
    fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory)
}

/// Closes every descriptor above standard error that was inherited. A lock or a pipe that a caller's shell had open
/// would otherwise stay open as long as this process lives.
///
/// To be called before this process has opened anything of its own, but for what is closed in programs that it
/// executes: that was not inherited.
pub(crate) fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    inherited::close(open.into_iter().filter(|&fd| fd > 2));
}

#[expect(unsafe_code, reason = "descriptors that were inherited have no owner in this process")]
mod inherited {
    use std::io;
    use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};

    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

    /// Makes an owner for a descriptor that has none.
    pub(super) fn adopt(descriptor: i32) -> io::Result<OwnedFd> {
        if descriptor <= 2 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: only asked for its flags, which fails when it is not open.
        let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) })?;
        if flags.contains(FdFlags::CLOEXEC) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: it is open and would not be closed by executing a program. Whatever this process opens would be,
        // so that this one was open when it began and nobody owns it; nor does anybody after this line but the
        // value made here, because the flag that is set next keeps it from being adopted twice.
        let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
        fcntl_setfd(&owned, flags | FdFlags::CLOEXEC)?;
        Ok(owned)
    }

    /// Closes descriptors, those that are closed already or were not inherited left out.
    pub(super) fn close(descriptors: impl Iterator<Item = i32>) {
        for descriptor in descriptors {
            // SAFETY: only asked for its flags: that of the directory that was just listed is not open, and closing it
            // again would be a bug.
            let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) });
            if flags.is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
                // SAFETY: executing a program would have closed whatever this process opened or adopted, so this one
                // was inherited, and nobody owns it who would use or close it later.
                unsafe { rustix::io::close(descriptor) };
            }
        }
    }
}
