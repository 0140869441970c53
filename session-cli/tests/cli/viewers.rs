//! Viewers of every kind of one session: nobody waits for those that do not read, and only typing decides.
//!
//! `SESSION_TEST_BURST_MB=50` in the environment floods with so many megabytes instead of 8.

use std::fs;

use rustix::process::Signal;
use session_core::{SessionId, TerminalSize};
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::Screen;
use session_pty::{Client, Place, ViewerSpec};

use crate::home::{Home, PATIENCE, Process};
use crate::terminal::Terminal;

const SIZE: TerminalSize = TerminalSize::DEFAULT;

/// What the program writes at once: half of what may wait for a viewer, so that whoever reads one piece before asking
/// for the next is never behind.
const PIECE: usize = 128 << 10;

/// Writes a numbered piece for each number that is typed.
const PIECES: &str =
    "stty -echo; echo ready; while read number; do cat piece; echo piece $number; done";

/// Memory that viewers who do not read may cost, in kB: far below a burst, which is what a queue without a bound costs.
const COST: u64 = 2 * 1024;

/// Somebody at a terminal, with everything that came.
struct Watcher {
    stream: ViewerStream,
    screen: Screen,
    /// What is not on the screen yet: nobody has looked since.
    unpainted: Vec<u8>,
    output: Vec<u8>,
    missed: u64,
}

#[test]
fn viewers_that_do_not_read_hold_up_nobody_and_cost_little() {
    let home = Home::new();
    let piece: String = (0..).map(|n| format!("{n} of a piece\n")).take(PIECE / 16).collect();
    fs::write(home.path().join("home/piece"), &piece).unwrap();
    home.start("x", PIECES);
    let id = id_of(&home, "x");
    home.ok("wait x --text ready");
    let (supervisor, _) = home.processes();
    let pieces = burst() / piece.len();

    let mut healthy = [Watcher::new(&home, id), Watcher::new(&home, id)];
    let mut flood = Flood { piece: piece.replace('\n', "\r\n"), memory: 0, supervisor };
    // The first time with healthy viewers alone, for what the flood itself costs.
    flood.run(0..pieces, &mut healthy, |_| {});
    let before = flood.memory;

    let mut slow = Watcher::new(&home, id);
    let mut closed = Some(Watcher::new(&home, id));
    let attached = |name: &str| {
        let script = format!("echo $$ > {name}; exec session attach x");
        let mut terminal = Terminal::open(&home, (SIZE.cols(), SIZE.rows()), &script);
        terminal.shows("piece");
        let pid = fs::read_to_string(home.path().join(name)).unwrap();
        (terminal, Process::held(pid.trim().parse().unwrap()))
    };
    let (mut stopped_terminal, stopped) = attached("stopped");
    let (_killed_terminal, killed) = attached("killed");
    stopped.signal(Signal::STOP);
    flood.run(pieces..2 * pieces, &mut healthy, |number| {
        if number % 4 == 0 {
            slow.take_one();
        }
        if number == pieces + pieces / 2 {
            killed.signal(Signal::KILL);
            closed = None;
        }
    });
    let cost = flood.memory.saturating_sub(before);
    println!("viewers that do not read cost {cost} kB, over {before} kB with healthy ones alone");
    assert!(cost < COST, "{cost} kB");
    for viewer in &healthy {
        assert_eq!(viewer.missed, 0, "of what a healthy viewer was to see");
    }

    let shown = Client::connect(&place(&home)).unwrap().unwrap().screen(id, 0).unwrap().1;
    let mut truth = Screen::new(SIZE, 0);
    truth.feed(&shown);
    slow.until(|slow| slow.screen().snapshot() == truth.snapshot());
    assert!(slow.missed > 0, "it was left behind");
    stopped.signal(Signal::CONT);
    stopped_terminal.shows(truth.text(None).trim_end());
    assert_eq!(home.json("show x")["session"]["live"]["viewers"], 4);
}

#[test]
fn reports_and_answers_of_a_terminal_are_no_typing() {
    let home = Home::new();
    home.start("x", "stty raw -echo; echo ready; exec cat -v");
    let id = id_of(&home, "x");
    let mut leader = Watcher::new(&home, id);
    leader.stream.input(b"first ").unwrap();
    leader.until(|leader| leader.text().contains("first"));

    let large = TerminalSize::nearest(SIZE.cols() + 20, SIZE.rows() + 10);
    let mut other = Watcher::of_size(&home, id, large);
    let reports: [&[u8]; 10] = [
        b"\x1b[I",
        b"\x1b[O",
        b"\x1b[<0;3;4M",
        b"\x1b[<0;3;4m",
        b"\x1b[?62;22c",
        b"\x1b[>1;10;0c",
        b"\x1b[5;7R",
        b"\x1b[?2004;1$y",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1bP>|a terminal 1.0\x1b\\",
    ];
    other.stream.report(&reports.concat()).unwrap();
    // It is painted again behind them, so they have been looked at then.
    let taller = TerminalSize::nearest(large.cols(), large.rows() + 1);
    other.screen = Screen::new(taller, 0);
    other.stream.resize(taller).unwrap();
    other.until(|other| other.text().contains("first"));
    assert_eq!(home.json("screen x --format json")["screen"]["cols"], SIZE.cols());
    other.stream.input(b"second").unwrap();
    other.until(|other| other.text().contains("first second"));
    assert_eq!(home.json("screen x --format json")["screen"]["rows"], taller.rows());
}

/// Bytes of a burst.
fn burst() -> usize {
    let megabytes = std::env::var("SESSION_TEST_BURST_MB").ok();
    megabytes.map_or(8, |wanted| wanted.parse().expect("SESSION_TEST_BURST_MB is a number")) << 20
}

fn place(home: &Home) -> Place {
    Place::new(home.data(), home.path().join("run"), "sqlite")
}

fn id_of(home: &Home, name: &str) -> SessionId {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().parse().unwrap()
}

/// A burst, piece by piece as fast as those who read it go.
struct Flood {
    piece: String,
    /// The most that the supervisor had for itself, in kB.
    memory: u64,
    supervisor: Process,
}

impl Flood {
    /// Has these pieces written; healthy viewers must see each of their bytes.
    fn run(
        &mut self,
        pieces: std::ops::Range<usize>,
        healthy: &mut [Watcher; 2],
        mut meanwhile: impl FnMut(usize),
    ) {
        for number in pieces {
            let expected = format!("{}piece {number}\r\n", self.piece);
            healthy[0].stream.input(format!("{number}\n").as_bytes()).unwrap();
            for viewer in &mut *healthy {
                viewer.output.clear();
                viewer.unpainted.clear();
                viewer.until(|viewer| viewer.output.len() >= expected.len());
                assert!(viewer.output == expected.as_bytes(), "piece {number}");
            }
            meanwhile(number);
            self.memory = self.memory.max(memory(self.supervisor.pid));
        }
    }
}

/// Memory of a process that no file and no other process has, in kB: see proc(5).
fn memory(pid: i64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

impl Watcher {
    fn new(home: &Home, id: SessionId) -> Self {
        Self::of_size(home, id, SIZE)
    }

    /// Attached, and painted.
    fn of_size(home: &Home, id: SessionId, size: TerminalSize) -> Self {
        let spec = ViewerSpec { size: Some(size), terminal: true, ..ViewerSpec::default() };
        let stream = Client::connect(&place(home)).unwrap().unwrap().attach(id, spec).unwrap();
        let screen = Screen::new(size, 0);
        let mut watcher =
            Self { stream, screen, unpainted: Vec::new(), output: Vec::new(), missed: 0 };
        watcher.until(|watcher| !watcher.text().trim().is_empty());
        watcher
    }

    /// The screen of its terminal, as of now.
    fn screen(&mut self) -> &Screen {
        self.screen.feed(&std::mem::take(&mut self.unpainted));
        &self.screen
    }

    fn text(&mut self) -> String {
        self.screen().text(None)
    }

    fn until(&mut self, condition: impl Fn(&mut Self) -> bool) {
        while !condition(self) {
            self.take_one();
        }
    }

    fn take_one(&mut self) {
        let bytes = match self.stream.next(Some(PATIENCE)).unwrap().expect("it comes in time") {
            StreamEvent::Output(bytes) => {
                self.output.extend_from_slice(&bytes);
                bytes
            }
            StreamEvent::Screen(bytes) => bytes,
            StreamEvent::Gap { missed, screen } => {
                self.missed += missed;
                screen
            }
            StreamEvent::Resized(_) => Vec::new(),
            other => panic!("{other:?}"),
        };
        self.unpainted.extend(bytes);
    }
}
