//! Killed at every point of a read, and at random: no byte is lost, none comes twice.
//!
//! The victim is a process of its own, this test program once more. It gets terminal and journal over a socket, as
//! a new supervisor would.

use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::process::{Signal, getpid, kill_process};

use super::super::spawn::{Program, Terminal, never_block};
use super::tests::{SIZE, lines};
use super::writer::Point;
use super::{Account, Journal, Layout, Stage, Writer, stage};
use crate::wire::Typist;

/// Tells the victim what it is, and when to die.
const VICTIM: &str = "SESSION_PTY_TEST_VICTIM";

const POINTS: [Point; 5] =
    [Point::Allocated, Point::Filled, Point::Intended, Point::Read, Point::Arrived];

const TYPING_POINTS: [stage::Point; 3] =
    [stage::Point::Staged, stage::Point::Taken, stage::Point::Counted];

/// Bytes that are typed: more than a terminal takes at once, many times over.
const TEXT: u64 = 300_000;

/// The point at which the victim dies, and how often it passes it before.
static POINT: AtomicU32 = AtomicU32::new(u32::MAX);
static TYPING_POINT: AtomicU32 = AtomicU32::new(u32::MAX);
static PASSES: AtomicU32 = AtomicU32::new(0);

fn die_there(point: Point) {
    let here = POINTS[POINT.load(Ordering::Relaxed) as usize] == point;
    if here && PASSES.fetch_sub(1, Ordering::Relaxed) == 0 {
        kill_process(getpid(), Signal::KILL).unwrap();
    }
}

fn die_typing(point: stage::Point) {
    let here = TYPING_POINTS[TYPING_POINT.load(Ordering::Relaxed) as usize] == point;
    if here && PASSES.fetch_sub(1, Ordering::Relaxed) == 0 {
        kill_process(getpid(), Signal::KILL).unwrap();
    }
}

/// Not a test but the victim, and nothing unless it is told so.
#[test]
fn the_victim() {
    let Ok(role) = std::env::var(VICTIM) else { return };
    let mut parent = UnixStream::from(rustix::io::dup(std::io::stdin()).unwrap());
    let (journal, master) = receive(&parent);
    let (journal, mut writer) = Journal::open(journal).unwrap();
    if let Some(role) = role.strip_prefix("types:") {
        return type_text(journal, &master, &mut parent, role);
    }
    if let Some((point, passes)) = role.split_once(':') {
        POINT.store(point.parse().unwrap(), Ordering::Relaxed);
        PASSES.store(passes.parse().unwrap(), Ordering::Relaxed);
        writer.passes = Some(die_there);
    }
    loop {
        wait_for(&[&master, &parent]);
        if !writer.read(&master).unwrap().is_empty() && parent.write_all(b".").is_err() {
            return;
        }
        if !readable(&parent).is_empty() {
            return;
        }
    }
}

/// Types on where the one before was killed, and says each time that it has.
fn type_text(journal: Arc<Journal>, master: &OwnedFd, parent: &mut UnixStream, role: &str) {
    let mut stage = Stage::new(Arc::clone(&journal));
    if let Some((point, passes)) = role.split_once(':') {
        TYPING_POINT.store(point.parse().unwrap(), Ordering::Relaxed);
        PASSES.store(passes.parse().unwrap(), Ordering::Relaxed);
        stage.passes = Some(die_typing);
    }
    let typist = typist();
    while let taken @ ..TEXT = journal.account(typist).unwrap().taken {
        let rest = &text()[taken as usize..];
        match stage.write(master, typist, taken, rest) {
            Ok(_) if parent.write_all(b".").is_err() => return,
            Ok(_) => {}
            Err(_) => wait_until(&[(master, PollFlags::OUT), (parent, PollFlags::IN)]),
        }
    }
    // Until it is killed.
    wait_for(&[&*parent]);
}

fn typist() -> Typist {
    Typist::from_word(0x7e57).unwrap()
}

/// Of which each piece is another.
fn text() -> Vec<u8> {
    let lines = (0..).flat_map(|line| format!("{line:x} ").into_bytes());
    lines.take(TEXT as usize).collect()
}

fn wait_for(fds: &[&dyn AsFd]) {
    wait_until(&fds.iter().map(|fd| (*fd, PollFlags::IN)).collect::<Vec<_>>());
}

fn wait_until(fds: &[(&dyn AsFd, PollFlags)]) {
    let mut fds: Vec<_> =
        fds.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(fd.as_fd(), *flags)).collect();
    let deadline = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
    let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&deadline)));
    assert!(ready.unwrap() > 0, "nothing came in time");
}

fn readable(fd: &impl AsFd) -> PollFlags {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap();
    fds[0].revents()
}

fn receive(from: &UnixStream) -> (OwnedFd, OwnedFd) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let bytes = &mut [IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(from, bytes, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut received = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    (received.next().unwrap(), received.next().unwrap())
}

/// A victim that has got both, and the socket on which it tells of each batch.
fn victim(role: &str, journal: impl AsFd, master: impl AsFd) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "live::journal::kills::the_victim", "--nocapture"])
        .env(VICTIM, role)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [journal.as_fd(), master.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let byte = [IoSlice::new(b".")];
    ours.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    rustix::net::sendmsg(&ours, &byte, &mut control, SendFlags::empty()).unwrap();
    (child, ours)
}

#[track_caller]
fn killed(mut victim: Child) {
    let status = victim.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "{status}");
}

fn as_terminal(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8(bytes.to_vec()).unwrap().replace('\n', "\r\n").into_bytes()
}

/// Reads on until the output ends like this.
fn read_until(journal: &Journal, writer: &mut Writer, master: &OwnedFd, end: &[u8]) {
    let mut last = vec![0; end.len()];
    while last != end {
        wait_for(&[master]);
        writer.read(master).unwrap();
        if let Some(from) = journal.written().checked_sub(end.len() as u64) {
            journal.read(from, &mut last).unwrap();
        }
    }
}

#[test]
fn killed_at_any_point_of_a_read_nothing_is_lost_or_doubled() {
    let all = lines(0, 20_000);
    let written = as_terminal(&all);
    let last = &written[written.len() - 20..];
    for (point, _) in POINTS.iter().enumerate() {
        for passes in [0, 1, 4] {
            let layout = Layout::new(1 << 20, 0, 64 << 10);
            let (journal, writer) = Journal::with_layout(layout, SIZE).unwrap();
            drop(writer);
            let terminal = Terminal::open(SIZE).unwrap();
            let master = terminal.master().try_clone_to_owned().unwrap();
            never_block(&master).unwrap();
            let slave = std::fs::File::from(terminal.slave().try_clone_to_owned().unwrap());
            let all = all.clone();
            let program = std::thread::spawn(move || (&slave).write_all(&all).unwrap());
            let (victim, told) = victim(&format!("{point}:{passes}"), &*journal, &master);
            killed(victim);
            drop(told);
            let before = journal.written();
            let (journal, mut writer) = Journal::open(journal.file.try_clone().unwrap()).unwrap();
            if POINTS[point] == Point::Read {
                assert!(journal.written() > before, "the killed one did not come so far");
            } else {
                assert_eq!(journal.written(), before);
            }
            let log = journal.bytes();
            assert!(written.starts_with(&log), "{:?} after {passes}", POINTS[point]);
            if !log.ends_with(last) {
                read_until(&journal, &mut writer, &master, last);
            }
            assert!(journal.bytes() == written, "{:?} after {passes}", POINTS[point]);
            program.join().unwrap();
        }
    }
}

#[test]
fn killed_twenty_times_a_program_loses_no_line() {
    let layout = Layout::new(24 << 20, 0, 64 << 10);
    let (journal, writer) = Journal::with_layout(layout, SIZE).unwrap();
    drop(writer);
    let terminal = Terminal::open(SIZE).unwrap();
    let program = Program {
        file: "/bin/sh".into(),
        argv: ["sh", "-c", "seq 1 2000000; echo end; read x"].map(str::to_owned).into(),
        workdir: "/".into(),
        environment: std::env::vars_os().collect(),
        umask: None,
        size: SIZE,
    };
    let started = program.start(terminal).unwrap();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20 {
        let (mut victim, mut told) = victim("reader", &*journal, &started.master);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // After so many batches, wherever it is by then.
        let mut batches = vec![0; 1 + (random % 5) as usize];
        told.read_exact(&mut batches).unwrap();
        victim.kill().unwrap();
        killed(victim);
    }
    let written = journal.written();
    let (journal, mut writer) = Journal::open(journal.file.try_clone().unwrap()).unwrap();
    assert!(journal.written() >= written && written > 0);
    read_until(&journal, &mut writer, &started.master, b"end\r\n");
    let log = String::from_utf8(journal.bytes()).unwrap();
    let log: Vec<&str> = log.split("\r\n").collect();
    let expected: Vec<String> = (1..=2_000_000).map(|line| line.to_string()).collect();
    assert!(log[..2_000_000] == expected, "a line is missing or doubled");
    assert_eq!(log[2_000_000..], ["end", ""]);
    rustix::io::write(&started.master, b"\n").unwrap();
    let mut leader = started.leader;
    assert_eq!(leader.exit(), session_core::Exit::Code(0));
    leader.reap();
}

/// A terminal in raw mode, and what its program has read by the time that all was typed.
fn typing_scene() -> (Arc<Journal>, OwnedFd, std::thread::JoinHandle<Vec<u8>>) {
    let (journal, _) = Journal::with_layout(Layout::new(1 << 20, 0, 64 << 10), SIZE).unwrap();
    journal.keep_account(typist(), &Account::default(), |_| false);
    let terminal = Terminal::open(SIZE).unwrap();
    let master = terminal.master().try_clone_to_owned().unwrap();
    never_block(&master).unwrap();
    let mut slave = std::fs::File::from(terminal.slave().try_clone_to_owned().unwrap());
    let mut modes = rustix::termios::tcgetattr(&slave).unwrap();
    modes.make_raw();
    rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &modes).unwrap();
    let program = std::thread::spawn(move || {
        let mut read = vec![0; TEXT as usize];
        slave.read_exact(&mut read).unwrap();
        // Whatever came twice.
        wait_for_quiet(&slave);
        let unread = rustix::io::ioctl_fionread(&slave).unwrap();
        read.resize(read.len() + unread as usize, b'?');
        read
    });
    (journal, master, program)
}

/// Waits until all that was typed has gone through the terminal.
fn wait_for_quiet(slave: &std::fs::File) {
    let mut fds = [PollFd::new(slave, PollFlags::IN)];
    let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&pause))).unwrap();
}

#[test]
fn killed_at_any_point_of_typing_nothing_is_lost_or_doubled() {
    for (point, _) in TYPING_POINTS.iter().enumerate() {
        for passes in [0, 1, 7] {
            let (journal, master, program) = typing_scene();
            let (first, told) = victim(&format!("types:{point}:{passes}"), &*journal, &master);
            killed(first);
            drop(told);
            let (mut last, mut told) = victim("types:", &*journal, &master);
            let read = program.join().unwrap();
            assert!(read == text(), "{:?} after {passes}", TYPING_POINTS[point]);
            last.kill().unwrap();
            told.read_to_end(&mut Vec::new()).unwrap();
            killed(last);
        }
    }
}

#[test]
fn killed_fifty_times_what_is_typed_arrives_once() {
    let (journal, master, program) = typing_scene();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..50 {
        let (mut victim, mut told) = victim("types:", &*journal, &master);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut writes = vec![0; (random % 3) as usize];
        let _had_enough = told.read_exact(&mut writes);
        victim.kill().unwrap();
        killed(victim);
    }
    let (mut last, _told) = victim("types:", &*journal, &master);
    assert!(program.join().unwrap() == text());
    last.kill().unwrap();
    killed(last);
}
