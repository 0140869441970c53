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
use super::{Journal, Layout, Writer};

/// Tells the victim what it is, and when to die.
const VICTIM: &str = "SESSION_PTY_TEST_VICTIM";

const POINTS: [Point; 5] =
    [Point::Allocated, Point::Filled, Point::Intended, Point::Read, Point::Arrived];

/// The point at which the victim dies, and how often it passes it before.
static POINT: AtomicU32 = AtomicU32::new(u32::MAX);
static PASSES: AtomicU32 = AtomicU32::new(0);

fn die_there(point: Point) {
    let here = POINTS[POINT.load(Ordering::Relaxed) as usize] == point;
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
    let (_journal, mut writer) = Journal::open(journal).unwrap();
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

fn wait_for(fds: &[&dyn AsFd]) {
    let mut fds: Vec<_> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
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
