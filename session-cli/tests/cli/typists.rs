//! What is typed arrives once and in order, whatever becomes of the supervisor.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::process::Signal;
use session_core::{SessionId, TerminalSize};
use session_pty::client::{StreamEvent, Typing, ViewerStream};
use session_pty::{Client, Feed, Place, ViewerSpec};

use crate::home::{Home, PATIENCE};

/// `O_NONBLOCK`.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits() as i32;

/// Bytes that are pasted.
const PASTE: usize = 1_000_000;

/// Typed by a pipe that has ended.
const END_OF_FILE: &[u8] = b"\x04";

/// In how many portions the program reads them.
const PORTIONS: usize = 10;

/// A program that reads a portion each time that it is let, and in the end whatever else there is.
struct Slow {
    home: Home,
}

impl Slow {
    fn new() -> Self {
        let slow = Self { home: Home::new() };
        slow.home.start("x", &Self::script());
        slow.until_ready();
        slow
    }

    fn script() -> String {
        let blocks = PASTE / PORTIONS / 1000;
        format!(
            "mkfifo go; stty raw -echo; echo ready; i=0; while [ $i -lt {PORTIONS} ]; do i=$((i+1)); \
             until read go < go; do :; done; dd bs=1000 count={blocks} iflag=fullblock 2>&- >> typed; done; \
             stty min 0 time 5; cat > more; echo done"
        )
    }

    fn until_ready(&self) {
        self.home.ok("wait x --text ready --timeout 20s");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("home").join(name)
    }

    fn place(&self) -> Place {
        Place::new(self.home.data(), self.home.path().join("run"), "sqlite")
    }

    fn id(&self) -> SessionId {
        self.home.json("show x")["session"]["id"].as_str().unwrap().parse().unwrap()
    }

    fn client(&self) -> Client {
        Client::connect(&self.place()).unwrap().unwrap()
    }

    /// How much the program has read by now.
    fn read(&self) -> usize {
        fs::metadata(self.file("typed")).map_or(0, |file| usize::try_from(file.len()).unwrap())
    }

    /// Lets the program read a portion.
    fn let_it_read(&self) {
        let open = || fs::File::options().write(true).custom_flags(NONBLOCK).open(self.file("go"));
        // Nobody can open it to write before somebody reads.
        until("it asks for more", || open().is_ok_and(|mut go| go.write_all(b"\n").is_ok()));
    }

    /// Lets the program read everything, and kills the supervisor in each portion: while it is read, or with the next one
    /// in its hands.
    fn read_through_kills(&self) {
        for portion in 1..=PORTIONS {
            let (supervisor, _) = self.home.processes();
            self.let_it_read();
            let has_read = || self.read() >= portion * PASTE / PORTIONS;
            if portion % 2 == 0 {
                until("it reads", has_read);
            }
            supervisor.signal(Signal::KILL);
            supervisor.wait();
            until("it reads on", has_read);
        }
    }

    #[track_caller]
    fn has_read(&self, expected: &[u8]) {
        assert_eq!(self.home.run(["wait", "x", "--timeout", "25s"]).code, 0);
        let typed = fs::read(self.file("typed")).unwrap();
        let wrong = typed.iter().zip(expected).position(|(found, typed)| found != typed);
        assert!(typed == expected, "{} bytes, wrong from {wrong:?}", typed.len());
        let more = fs::read(self.file("more")).unwrap();
        assert!(more.is_empty() || more == END_OF_FILE, "typed twice: {more:?}");
    }
}

/// Of which each piece is another.
fn paste() -> Vec<u8> {
    (0..).flat_map(|number| format!("{number:x} ").into_bytes()).take(PASTE).collect()
}

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in time: {what}");
        std::thread::yield_now();
    }
}

/// Feeds a command with the paste.
fn feed(child: &mut Child) {
    let mut input = child.stdin.take().unwrap();
    std::thread::spawn(move || input.write_all(&paste()));
}

#[test]
fn a_paste_arrives_once_though_the_supervisor_is_killed_in_the_middle() {
    let slow = Slow::new();
    let viewer = ViewerSpec {
        size: Some(TerminalSize::nearest(80, 24)),
        terminal: true,
        feed: Feed::Screen,
        ..ViewerSpec::default()
    };
    let mut stream = slow.client().attach(slow.id(), viewer).unwrap();
    let typist = std::thread::spawn(move || {
        stream.input(&paste()).unwrap();
        until_shown(&mut stream, "done");
    });
    slow.read_through_kills();
    slow.has_read(&paste());
    typist.join().unwrap();
}

/// Waits until this has come.
pub(crate) fn until_shown(stream: &mut ViewerStream, text: &str) {
    let mut seen = String::new();
    while !seen.contains(text) {
        match stream.next(Some(PATIENCE)).unwrap().expect("it comes in time") {
            StreamEvent::Output(bytes) | StreamEvent::Screen(bytes) => {
                seen.push_str(&String::from_utf8_lossy(&bytes));
            }
            StreamEvent::Closed => panic!("cut off"),
            _ => {}
        }
    }
}

#[test]
fn a_pipe_arrives_once_though_the_supervisor_is_killed_in_the_middle() {
    let slow = Slow { home: Home::new() };
    let words = ["attach", "x", "--", "sh", "-c", &Slow::script()];
    let mut child = slow.home.command(words).stdin(Stdio::piped()).spawn().unwrap();
    until("it runs", || slow.home.run(["wait", "x", "--text", "ready"]).code == 0);
    feed(&mut child);
    slow.read_through_kills();
    slow.has_read(&paste());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn sent_input_arrives_once_though_the_supervisor_is_killed_in_the_middle() {
    let slow = Slow::new();
    let mut command = slow.home.command(["send", "x", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    feed(&mut child);
    slow.read_through_kills();
    slow.has_read(&paste());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn one_long_call_arrives_once_though_the_supervisor_is_killed_in_the_middle() {
    let slow = Slow::new();
    let (mut client, id) = (slow.client(), slow.id());
    let typist = std::thread::spawn(move || client.write(id, &paste(), Typing::Keys));
    slow.read_through_kills();
    slow.has_read(&paste());
    typist.join().unwrap().unwrap();
}
