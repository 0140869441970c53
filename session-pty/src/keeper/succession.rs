//! A supervisor whose keeper has died becomes the next keeper: it executes the program anew and leaves it everything
//! that is kept, in open descriptors and a table that says which is which. KEEPER.md has the table to the byte.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use rustix::fs::{FileType, MemfdFlags, SealFlags};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::Pid;
use session_core::{RuntimeError, SessionId};

use super::deposits::Descriptors;
use super::packet::{number, pid, session_id};
use super::{Held, Launcher};
use crate::instance::InstanceLock;
use crate::supervisor::log_line;

const MAGIC: &[u8; 16] = b"session keeper\n\x01";
const HEAD: usize = 32;
const ENTRY: usize = 48;

const SKIP: u32 = 1;
const ENDED: u32 = 2;

/// Stands for a descriptor that there is none of.
const NONE: i32 = -1;

/// What a keeper has from its predecessor.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) lock: InstanceLock,
    pub(super) listener: Option<OwnedFd>,
    pub(super) sessions: Vec<Heirloom>,
}

/// A session of the predecessor's.
#[derive(Debug)]
pub(super) struct Heirloom {
    pub(super) id: SessionId,
    pub(super) descriptors: Descriptors,
    pub(super) pid: Option<Pid>,
    pub(super) ended: Option<i32>,
    pub(super) skip: bool,
}

/// Becomes the keeper: executes the program that `keeper` says and leaves it the lock, the socket, and the sessions.
/// Comes back only when that fails, and everything is as before then.
///
/// While this runs no other thread may start a program, which would get all of those descriptors.
pub(crate) fn succeed<Fd: AsFd>(
    lock: &InstanceLock,
    listener: Option<BorrowedFd<'_>>,
    held: &[Held<Fd>],
    keeper: &Launcher,
) -> RuntimeError {
    let failed = |source| RuntimeError::io("taking the keeper's place", source);
    let left: Vec<BorrowedFd<'_>> = [lock.as_fd()]
        .into_iter()
        .chain(listener)
        .chain(
            held.iter().flat_map(|held| [&held.master, &held.slave, &held.journal]).map(Fd::as_fd),
        )
        .collect();
    let table = match write_table(&table(lock.as_fd(), listener, held)) {
        Ok(table) => table,
        Err(error) => return failed(error),
    };
    let result = left.iter().try_for_each(|fd| set_inherited(*fd, true));
    let error = match result.and_then(|()| super::command(keeper)) {
        Ok(mut command) => {
            command.stdin(Stdio::from(table));
            crate::os::with_original_open_files(|| command.exec())
        }
        Err(error) => error,
    };
    for fd in left {
        // It was set a moment ago.
        let _cannot_fail = set_inherited(fd, false);
    }
    failed(error)
}

/// What the process before this one left, if it left anything; standard input is what tells.
///
/// # Errors
/// When it did, and the instance lock is not among it.
pub(super) fn estate() -> io::Result<Option<Estate>> {
    let Some(table) = read_table(rustix::stdio::stdin())? else { return Ok(None) };
    // The descriptors may be many more than the limit, and nothing could be opened then.
    crate::os::raise_open_files();
    read_estate(&table).map(Some)
}

fn read_estate(table: &[u8]) -> io::Result<Estate> {
    let (head, mut entries) = table.split_at_checked(HEAD).ok_or(io::ErrorKind::UnexpectedEof)?;
    let lock = adopt(int(head, 16), is_file)?;
    let lock = InstanceLock::inherited(File::from(lock))?;
    let listener = match int(head, 20) {
        NONE => None,
        fd => {
            let listens = |fd: &OwnedFd| rustix::net::sockopt::socket_acceptconn(fd) == Ok(true);
            adopt(fd, listens)
                .inspect_err(|error| log_line(&format!("the socket of the keeper before: {error}")))
                .ok()
        }
    };
    let mut sessions = Vec::new();
    for _ in 0..int(head, 24) {
        let Some((entry, rest)) = entries.split_at_checked(ENTRY) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        entries = rest;
        match Heirloom::read(entry) {
            Ok(session) => sessions.push(session),
            // One that cannot be kept is no reason to lose the others.
            Err(error) => log_line(&format!("a session of the keeper before: {error}")),
        }
    }
    Ok(Estate { lock, listener, sessions })
}

impl Heirloom {
    fn read(entry: &[u8]) -> io::Result<Self> {
        let (id, _) = entry.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        let id = session_id(u128::from_be_bytes(*id)).ok_or(io::ErrorKind::InvalidData)?;
        // All three are taken before one is found wanting: those that are not owned by anybody stay open.
        let (master, slave) =
            (adopt(int(entry, 16), is_terminal), adopt(int(entry, 20), is_terminal));
        let journal = adopt(int(entry, 24), is_file);
        let descriptors = Descriptors { master: master?, slave: slave?, journal: journal? };
        let flags = int(entry, 32).cast_unsigned();
        Ok(Self {
            id,
            descriptors,
            pid: u64::try_from(int(entry, 28)).ok().and_then(pid),
            ended: (flags & ENDED != 0).then(|| int(entry, 36)),
            skip: flags & SKIP != 0,
        })
    }
}

fn table<Fd: AsFd>(
    lock: BorrowedFd<'_>,
    listener: Option<BorrowedFd<'_>>,
    held: &[Held<Fd>],
) -> Vec<u8> {
    let raw = |fd: &Fd| fd.as_fd().as_raw_fd();
    let mut bytes = MAGIC.to_vec();
    let count = i32::try_from(held.len()).unwrap_or(i32::MAX);
    for field in [lock.as_raw_fd(), listener.map_or(NONE, |fd| fd.as_raw_fd()), count, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for Held { id, pid, master, slave, journal, ended, skip } in held {
        bytes.extend_from_slice(&number(id).to_be_bytes());
        let pid = pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
        let skip = if *skip { SKIP } else { 0 };
        let flags = skip | if ended.is_some() { ENDED } else { 0 };
        let (flags, status) = (flags.cast_signed(), ended.unwrap_or(0));
        for field in [raw(master), raw(slave), raw(journal), pid, flags, status, 0, 0] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
    }
    bytes
}

/// The table in a file that cannot change any more.
fn write_table(table: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("session-keeper", flags)?);
    file.write_all(table)?;
    rustix::fs::fcntl_add_seals(&file, seals())?;
    Ok(file.into())
}

/// The table in `file`, if it is one: a file that a person redirects has no seals.
fn read_table(file: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    if !rustix::fs::fcntl_get_seals(file).is_ok_and(|found| found.contains(seals())) {
        return Ok(None);
    }
    let file = File::from(file.try_clone_to_owned()?);
    let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut table = vec![0; len];
    file.read_exact_at(&mut table, 0)?;
    Ok(table.starts_with(MAGIC).then_some(table))
}

fn seals() -> SealFlags {
    SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE
}

/// Takes a descriptor that is as it should be.
fn adopt(fd: i32, is_right: impl FnOnce(&OwnedFd) -> bool) -> io::Result<OwnedFd> {
    let fd = crate::os::adopt(fd)?;
    if is_right(&fd) { Ok(fd) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn is_file(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

fn is_terminal(fd: &OwnedFd) -> bool {
    rustix::termios::isatty(fd)
}

fn set_inherited(fd: BorrowedFd<'_>, inherited: bool) -> io::Result<()> {
    let mut flags = fcntl_getfd(fd)?;
    flags.set(FdFlags::CLOEXEC, !inherited);
    Ok(fcntl_setfd(fd, flags)?)
}

/// The signed number at `at`, which is within `bytes`.
fn int(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| i32::from_le_bytes(*field))
}
