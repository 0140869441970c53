//! At a terminal: the command on a real one, run and read by a runtime inside the test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{
    Exit, Launch, MemoryStore, Session, SessionId, SessionRuntime as _, Spawn, TerminalSize,
    Timestamp,
};
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::{Screen, Size};
use session_pty::{Feed, Runtime, RuntimeOptions, SessionHandle, ViewerSpec};

use crate::home::{Home, PATIENCE};

/// A terminal of this size in which a person has typed a command.
pub(crate) struct Terminal {
    _runtime: Runtime,
    handle: SessionHandle,
    stream: ViewerStream,
    pub(crate) screen: Screen,
}

impl Terminal {
    /// Runs a shell script in a terminal; `session` in it is the command.
    pub(crate) fn open(home: &Home, size: (u16, u16), script: &str) -> Self {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_session"));
        let path =
            format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut environment: Vec<_> =
            home.variables().map(|(name, value)| (name.into(), value.into())).collect();
        environment.retain(|(name, _): &(std::ffi::OsString, _)| name != "PATH");
        environment.push(("PATH".into(), path.into()));

        let now = Timestamp::from_millis(1);
        let runtime =
            Runtime::new(Arc::new(MemoryStore::new()), move || now, RuntimeOptions::default())
                .unwrap();
        let mut session = Session::new(SessionId::from_parts(now, 1), now);
        let terminal = TerminalSize::nearest(size.0, size.1);
        session.launch = Some(Launch {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            workdir: home.path().to_str().unwrap().to_owned(),
            size: Some(terminal),
            ..Launch::default()
        });
        let session = runtime.spawn(Spawn { session, environment, umask: None }).unwrap();
        let handle = runtime.handle(session.id()).unwrap();
        let viewer = ViewerSpec {
            size: Some(terminal),
            terminal: true,
            feed: Feed::Screen,
            ..ViewerSpec::default()
        };
        let stream = handle.watch(viewer).unwrap();
        let screen = Screen::new(Size::nearest(size.0, size.1), 1000);
        Self { _runtime: runtime, handle, stream, screen }
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stream.next(Some(left)).unwrap() {
                Some(StreamEvent::Output(bytes) | StreamEvent::Screen(bytes)) => {
                    self.screen.feed(&bytes);
                }
                Some(StreamEvent::Gap { screen, .. }) => self.screen.feed(&screen),
                Some(StreamEvent::Resized(_)) => {}
                other => panic!("{text:?} did not come but {other:?}: {}", self.text()),
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        self.screen.text(None)
    }

    fn type_keys(&self, keys: &[u8]) {
        self.handle.write(keys).unwrap();
    }

    fn ends(&self) -> Exit {
        self.handle.wait(Some(PATIENCE)).unwrap()
    }
}

/// Ctrl with a backslash.
const DETACH: &[u8] = b"\x1c";

#[test]
fn a_person_attaches_types_leaves_and_comes_back_from_another_terminal() {
    let home = Home::new();
    let script =
        "stty -a > before; session attach main -- sh; echo left with $?; stty -a > after; exit 3";
    let mut first = Terminal::open(&home, (80, 24), script);
    first.shows("$");
    first.type_keys(b"echo one-$((1+1)); stty size\r");
    first.shows("one-2");
    first.shows("24 80");
    first.type_keys(DETACH);
    first.shows("[detached from main - come back with: session attach main]");
    first.shows("left with 0");
    assert_eq!(first.ends(), Exit::Code(3));
    let modes = |file| std::fs::read_to_string(home.path().join(file)).unwrap();
    assert_eq!(modes("before"), modes("after"), "the terminal is as it was");
    let shown = home.json("show main")["session"].clone();
    assert_eq!(shown["live"]["viewers"], 0);
    assert!(shown["process"]["last_attached_at"].is_string(), "{shown}");

    let mut second = Terminal::open(&home, (100, 30), "session attach; echo left with $?");
    second.shows("one-2");
    second.type_keys(b"stty size; exit 5\r");
    second.shows("30 100");
    second.shows("[main ended with exit code 5]");
    second.shows("left with 5");
}

#[test]
fn a_long_paste_right_before_the_detach_key_arrives_whole() {
    let home = Home::new();
    home.start(
        "x",
        "mkfifo go; stty raw -echo; echo ready; read go < go; head -c 1000000 | cksum > sum",
    );
    home.ok("wait x --text ready");
    let mut terminal = Terminal::open(&home, (80, 24), "session attach x; echo left with $?");
    terminal.shows("ready");
    let paste: Vec<u8> = (b' '..b'~').cycle().take(1_000_000).collect();
    terminal.type_keys(&[&paste, DETACH].concat());
    // The program reads nothing until the key was pressed.
    std::fs::write(home.path().join("home/go"), "\n").unwrap();
    terminal.shows("left with 0");
    home.ok("wait x");
    let sum = std::fs::read_to_string(home.path().join("home/sum")).unwrap();
    assert!(sum.ends_with(" 1000000\n"), "{sum}");
}

#[test]
fn two_viewers_see_everything_and_one_can_be_sent_away() {
    let home = Home::new();
    home.start("x", "echo ready; while read line; do echo got $line; done");
    let mut first = Terminal::open(&home, (80, 24), "session attach x; echo left with $?");
    first.shows("ready");
    let mut second = Terminal::open(&home, (80, 24), "session attach x; echo left with $?");
    second.shows("ready");
    first.type_keys(b"from-first\r");
    second.shows("got from-first");
    first.shows("got from-first");
    second.type_keys(b"from-second\r");
    first.shows("got from-second");
    second.shows("got from-second");
    assert_eq!(home.json("show x")["session"]["live"]["viewers"], 2);

    let mut third =
        Terminal::open(&home, (80, 24), "session attach x --detach-others; echo left with $?");
    third.shows("got from-second");
    first.shows("[detached from x by somebody else");
    second.shows("left with 0");
    home.ok("detach x --all");
    third.shows("left with 0");
    assert_eq!(home.json("show x")["session"]["process"]["state"], "running");
}

#[test]
fn a_viewer_of_another_size_sees_the_screen_too() {
    let home = Home::new();
    home.start("x", "echo ready; while read line; do echo got $line; done");
    let mut large = Terminal::open(&home, (100, 30), "session attach x; echo left");
    large.shows("ready");
    large.type_keys(b"large\r");
    large.shows("got large");
    let mut small = Terminal::open(&home, (40, 10), "session attach x --read-only; echo left");
    small.shows("got large");
    large.type_keys(b"more\r");
    small.shows("got more");
    small.type_keys(DETACH);
    small.shows("left");
}

#[test]
fn a_full_screen_program_is_put_away_and_comes_back() {
    let home = Home::new();
    home.start("x", r"printf '\033[?1049h\033[?25l\033[3;7HALTERNATE'; read go");
    home.ok("wait x --text ALTERNATE");
    let mut terminal =
        Terminal::open(&home, (80, 24), "echo the shell; session attach x; echo left");
    terminal.shows("ALTERNATE");
    assert!(terminal.screen.alternate());
    terminal.type_keys(DETACH);
    terminal.shows("left");
    assert!(!terminal.screen.alternate(), "{}", terminal.text());
    assert!(terminal.screen.grid().cursor.visible);
}

#[test]
fn new_shows_the_program_from_its_first_byte_and_returns_its_code() {
    let home = Home::new();
    let script = "session new x -- sh -c 'echo first; exit 7'; echo left with $?";
    let mut terminal = Terminal::open(&home, (80, 24), script);
    terminal.shows("left with 7");
    assert!(terminal.text().contains("[x ended with exit code 7]"), "{}", terminal.text());
}

#[test]
fn a_supervisor_that_dies_leaves_the_terminal_usable_and_says_so() {
    let home = Home::new();
    let mut terminal = Terminal::open(&home, (80, 24), "session attach x -- sh; echo left with $?");
    terminal.shows("$");
    home.kill_supervisor_and_keeper();
    terminal.shows("left with 1");
    assert!(terminal.text().contains("x was lost"), "{}", terminal.text());
}

#[test]
fn the_detach_key_can_be_another_one() {
    let mut home = Home::new();
    let config = home.path().join("config.toml");
    std::fs::write(&config, "detach_key = 'C-b'\n").unwrap();
    home.set("SESSION_CONFIG", config.to_str().unwrap());
    let mut terminal = Terminal::open(&home, (80, 24), "session attach x -- sh; echo left with $?");
    terminal.shows("$");
    terminal.type_keys(b"\x02");
    terminal.shows("left with 0");
}

#[test]
fn a_listing_is_a_table_that_fits() {
    let home = Home::new();
    home.start(
        "x",
        "read a-rather-long-name-for-a-variable-so-that-the-line-does-not-fit-into-the-table; true",
    );
    let mut terminal = Terminal::open(&home, (80, 24), "session list; echo done; read go");
    terminal.shows("done");
    let text = terminal.text();
    assert!(text.starts_with(" NAME") || text.starts_with("NAME"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("VIEWERS"), "{text}");
}

#[test]
fn the_tour_works_at_a_terminal() {
    let home = Home::new();
    let mut terminal = Terminal::open(&home, (100, 60), "session tour; echo left with $?");
    terminal.shows("left with 0");
    assert!(terminal.text().contains("Hello, Ada."), "{}", terminal.text());
    assert_eq!(terminal.handle.wait(Some(Duration::from_secs(10))), Some(Exit::Code(0)));
}

#[test]
fn a_question_is_asked_and_no_changes_nothing() {
    let home = Home::new();
    home.ok("create a");
    home.ok("create b");
    let mut terminal = Terminal::open(&home, (80, 24), "session rm --all; echo code $?");
    terminal.shows("Move 2 sessions to the trash? [y/N]");
    terminal.type_keys(b"\r");
    terminal.shows("code 1");
    assert!(terminal.text().contains("nothing was changed"), "{}", terminal.text());
    assert_eq!(terminal.ends(), Exit::Code(0));
    assert_eq!(home.json("list --all")["sessions"].as_array().unwrap().len(), 2);
    assert!(!home.data().join("backups").exists());

    let mut terminal = Terminal::open(&home, (80, 24), "session rm --all; echo code $?");
    terminal.shows("[y/N]");
    terminal.type_keys(b"y\r");
    terminal.shows("code 0");
    assert!(terminal.text().contains("to undo it: session trash restore"), "{}", terminal.text());
    assert_eq!(home.json("trash list")["sessions"].as_array().unwrap().len(), 2);
}
