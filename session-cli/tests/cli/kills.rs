//! Supervisors that are killed one after the other while programs print and viewers watch: nothing is lost, nothing
//! comes twice.
//!
//! `SESSION_TEST_KILLS=100` in the environment kills a hundred. With `-- --nocapture` the test also tells how long
//! viewers were without output.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_core::TerminalSize;
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::Screen;
use session_pty::{Client, Feed, Place, ViewerSpec};

use crate::home::{Home, PATIENCE, Process};

const SESSIONS: usize = 20;

/// Who watches the first sessions: programs that read everything, and people at terminals.
const FEEDS: [Feed; 5] = [Feed::Log, Feed::Screen, Feed::Log, Feed::Screen, Feed::Log];

/// Prints numbered lines until it is told to end, and then how many.
const COUNT: &str =
    "i=0; while [ ! -e stop ]; do i=$((i+1)); echo line $i; sleep 0.005; done; echo end $i";

/// When each kill was.
type Kills = Arc<Mutex<Vec<Instant>>>;

/// What a viewer was told up to the program's end.
struct Seen {
    output: Vec<u8>,
    screen: Screen,
    /// From each kill to the first byte that came after it.
    waits: Vec<Duration>,
}

#[test]
fn many_kills_lose_and_double_nothing() {
    let home = Home::new();
    for number in 0..SESSIONS {
        home.start(&format!("s{number}"), COUNT);
    }
    let programs: Vec<_> = (0..SESSIONS).map(|number| program(&home, number)).collect();
    let kills = Kills::default();
    let watchers: Vec<_> =
        (0..).zip(FEEDS).map(|(number, feed)| watch(&home, number, feed, &kills)).collect();

    for _ in 0..kills_wanted() {
        let (supervisor, _) = home.processes();
        kills.lock().unwrap().push(Instant::now());
        supervisor.signal(Signal::KILL);
        supervisor.wait();
    }
    assert!(programs.iter().all(Process::is_alive), "a program has ended");
    for number in 0..SESSIONS {
        assert_counted(&home.ok(&format!("logs s{number}")));
    }

    fs::write(home.path().join("home/stop"), "").unwrap();
    let mut logs = Vec::new();
    for number in 0..SESSIONS {
        assert_eq!(home.run(["wait", &format!("s{number}"), "--timeout", "20s"]).code, 0);
        let log = home.ok(&format!("logs s{number}"));
        let (counted, end) = log.trim_end().rsplit_once('\n').unwrap();
        assert_counted(counted);
        assert_eq!(end, format!("end {}", counted.lines().count()));
        logs.push(log);
    }
    let mut waits = Vec::new();
    for (number, watcher) in watchers.into_iter().enumerate() {
        let seen = watcher.join().unwrap();
        if FEEDS[number] == Feed::Log {
            let output = String::from_utf8(seen.output).unwrap().replace('\r', "");
            assert!(output == logs[number], "viewer {number} was told something else");
        }
        let shown = home.ok(&format!("screen s{number}"));
        assert_eq!(seen.screen.text(None).trim_end(), shown.trim_end(), "viewer {number}");
        waits.extend(seen.waits);
    }
    waits.sort();
    let count = kills.lock().unwrap().len();
    println!(
        "{count} kills; from a kill to a viewer's next byte, of {}: median {:?}, at most {:?}",
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
}

/// How often the supervisor is killed: as `SESSION_TEST_KILLS` says, else a dozen times.
fn kills_wanted() -> usize {
    let wanted = std::env::var("SESSION_TEST_KILLS").ok();
    wanted.map_or(12, |wanted| wanted.parse().expect("SESSION_TEST_KILLS is a number"))
}

fn program(home: &Home, number: usize) -> Process {
    let shown = home.json(&format!("show s{number}"));
    Process::held(shown["session"]["process"]["pid"].as_i64().unwrap())
}

/// Lines are numbered from 1 without a gap.
#[track_caller]
fn assert_counted(log: &str) {
    assert!(!log.is_empty());
    let lines: Vec<_> = log.lines().collect();
    let wrong = (0..lines.len()).find(|&at| lines[at] != format!("line {}", at + 1));
    if let Some(at) = wrong {
        let around = &lines[at.saturating_sub(2)..lines.len().min(at + 3)];
        panic!("line {} of {}: {around:?}", at + 1, lines.len());
    }
}

fn watch(home: &Home, number: usize, feed: Feed, kills: &Kills) -> JoinHandle<Seen> {
    let id = home.json(&format!("show s{number}"))["session"]["id"].as_str().unwrap().parse();
    let place = Place::new(home.data(), home.path().join("run"), "sqlite");
    let size = Some(TerminalSize::DEFAULT);
    let viewer = match feed {
        Feed::Log => ViewerSpec { read_only: true, feed, ..ViewerSpec::default() },
        _ => ViewerSpec { size, terminal: true, feed, ..ViewerSpec::default() },
    };
    let stream = Client::connect(&place).unwrap().unwrap().attach(id.unwrap(), viewer).unwrap();
    let kills = Arc::clone(kills);
    thread::spawn(move || take_all(stream, &kills))
}

fn take_all(mut stream: ViewerStream, kills: &Kills) -> Seen {
    let screen = Screen::new(TerminalSize::DEFAULT, 0);
    let mut seen = Seen { output: Vec::new(), screen, waits: Vec::new() };
    let mut last_byte = Instant::now();
    // The size comes first on each connection.
    let mut connections = 0;
    let mut comes_back = false;
    loop {
        let bytes = match stream.next(Some(PATIENCE)).unwrap().expect("something comes in time") {
            StreamEvent::Output(bytes) => {
                seen.output.extend_from_slice(&bytes);
                bytes
            }
            StreamEvent::Screen(bytes) => bytes,
            StreamEvent::Resized(_) => {
                connections += 1;
                comes_back = connections > 1;
                continue;
            }
            StreamEvent::Exited(_) => return seen,
            other => panic!("{other:?}"),
        };
        seen.screen.feed(&bytes);
        assert_lines_follow(&seen.screen);
        if std::mem::take(&mut comes_back) {
            let kills = kills.lock().unwrap();
            // Of several kills without a byte in between, the first one.
            let first = kills.iter().find(|kill| **kill > last_byte).or(kills.last());
            seen.waits.extend(first.map(Instant::elapsed));
        }
        last_byte = Instant::now();
    }
}

/// On a screen, each whole line has the number after that of the line above.
fn assert_lines_follow(screen: &Screen) {
    let cursor = screen.grid().cursor;
    let rows = screen.rows_text();
    // The row of the cursor may be written as yet.
    let numbers: Vec<usize> = rows[..cursor.row.min(rows.len())]
        .iter()
        .filter_map(|row| row.trim_end().strip_prefix("line ")?.parse().ok())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{rows:#?}");
}
