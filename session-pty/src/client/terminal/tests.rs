//! A viewer on a terminal whose other side the test holds, and with a supervisor that the test plays.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::watching::{INPUT_LIMIT, LEAVE_WAIT, Source};
use super::*;
use crate::stream::Outbox;
use crate::wire::{Decoder, Frame, Kind, encode};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

const DETACH: &[u8] = b"\x1c";

/// Whether the terminal can be opened once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Again,
    Refused,
}

/// What is on the other side of a viewer.
struct Outside {
    /// What the person types into and reads from.
    person: File,
    terminal: OwnedFd,
    supervisor: UnixStream,
    decoder: Decoder,
    continued: UnixStream,
    ended: UnixStream,
}

/// Runs a test with a viewer.
fn watching(opening: Opening, test: impl FnOnce(&mut Watching<'_>, &mut Outside)) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&person, size).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let open = || rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let (terminal, outside) = (open(), open());

    let (stream, supervisor) = UnixStream::pair().unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let (resized, _resize) = UnixStream::pair().unwrap();
    let (continue_told, continued) = UnixStream::pair().unwrap();
    continue_told.set_nonblocking(true).unwrap();
    let (end_told, ended) = UnixStream::pair().unwrap();
    let signals =
        Signals { resized, continued: continue_told, ended: end_told, registered: Vec::new() };
    let display = match opening {
        Opening::Again => Display::of(terminal.as_fd()),
        Opening::Refused => Display::only(terminal.as_fd()),
    };
    let modes = RawMode::enter(terminal.as_fd(), &display).unwrap();
    rustix::io::ioctl_fionbio(&stream, true).unwrap();
    let stream = ViewerStream::new(stream, Decoder::default());
    let mut watching = Watching::new(stream, DetachKey::default(), &modes, &signals);
    let decoder = Decoder::default();
    let person = File::from(person);
    let mut outside = Outside { person, terminal: outside, supervisor, decoder, continued, ended };
    test(&mut watching, &mut outside);
}

impl Outside {
    /// The next frame that the viewer sends; `None` when it closed the stream.
    fn frame(&mut self) -> Option<Frame> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            match self.supervisor.read(&mut buffer).unwrap() {
                0 => return None,
                len => self.decoder.push(&buffer[..len]),
            }
        }
    }

    /// What is typed until the viewer leaves; then the supervisor closes the stream.
    fn take_typing(mut self) -> Vec<u8> {
        let mut typed = Vec::new();
        loop {
            let frame = self.frame().expect("a viewer leaves before it closes the stream");
            match frame.kind {
                Kind::Input => typed.extend_from_slice(&frame.payload),
                Kind::Detach => return typed,
                other => panic!("{other:?}"),
            }
        }
    }

    fn again(&self) -> Self {
        Self {
            person: self.person.try_clone().unwrap(),
            terminal: self.terminal.try_clone().unwrap(),
            supervisor: self.supervisor.try_clone().unwrap(),
            decoder: Decoder::default(),
            continued: self.continued.try_clone().unwrap(),
            ended: self.ended.try_clone().unwrap(),
        }
    }

    fn is_canonical(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ICANON)
    }
}

impl Watching<'_> {
    /// Turns until that is so.
    #[track_caller]
    fn until(&mut self, what: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !what(self) {
            assert!(Instant::now() < deadline, "it does not come: {self:?}");
            self.turn().unwrap();
        }
    }

    fn asked(&self) -> Vec<Source> {
        self.interests().into_iter().map(|(source, ..)| source).collect()
    }
}

/// More than a socket holds, less than what may wait.
fn long_text() -> Vec<u8> {
    let text: Vec<u8> = (b' '..b'~').cycle().take(768 << 10).collect();
    assert!(text.len() < INPUT_LIMIT);
    text
}

#[test]
fn all_that_was_typed_before_the_key_arrives() {
    watching(Opening::Again, |watching, outside| {
        let text = long_text();
        let mut keys = outside.person.try_clone().unwrap();
        let typed = [&text, DETACH].concat();
        let typist = std::thread::spawn(move || keys.write_all(&typed));
        watching.until(|watching| watching.end.is_some());
        typist.join().unwrap().unwrap();
        assert!(watching.stream.outbox.has_unsent(), "nobody has read it yet");
        let supervisor = outside.again();
        let (reader, end) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let socket = supervisor.supervisor.try_clone().unwrap();
                let typed = supervisor.take_typing();
                socket.shutdown(std::net::Shutdown::Both).unwrap();
                typed
            });
            let end = watching.run();
            (reader.join().unwrap(), end)
        });
        assert!(reader == text, "{} of {} bytes", reader.len(), text.len());
        assert_eq!(end.unwrap(), AttachEnd::Detached);
    });
}

#[test]
fn the_keyboard_waits_while_too_much_is_not_taken_and_the_viewer_leaves_when_all_is() {
    watching(Opening::Again, |watching, outside| {
        watching.stream.outbox = Outbox::default().counting(true);
        let mut keys = outside.person.try_clone().unwrap();
        let typist = std::thread::spawn(move || keys.write_all(&[b'x'; 2 << 20]));
        let mut supervisor = outside.again();
        let reader = std::thread::spawn(move || {
            let (mut heard, mut frames) = (0, 0);
            while frames < INPUT_LIMIT {
                let payload = supervisor.frame().unwrap().payload;
                heard += payload.len() as u64;
                frames += encode(Kind::Input, &payload).len();
            }
            heard
        });
        watching.until(|watching| !watching.asked().contains(&Source::Keyboard));
        assert!(watching.stream.outbox.len() < INPUT_LIMIT + (64 << 10));
        watching.until(|watching| !watching.stream.outbox.has_unsent());
        let heard = reader.join().unwrap();
        outside.supervisor.write_all(&encode(Kind::Typed, &heard.to_le_bytes())).unwrap();
        watching.until(|watching| watching.asked().contains(&Source::Keyboard));

        // It is gone only when what it typed is safe.
        outside.ended.write_all(b"X").unwrap();
        watching.until(|watching| watching.end.is_some());
        let mut supervisor = outside.again();
        let reader = std::thread::spawn(move || {
            let mut more = heard;
            loop {
                let frame = supervisor.frame().unwrap();
                if frame.kind == Kind::Detach {
                    return;
                }
                more += frame.payload.len() as u64;
                let taken = encode(Kind::Typed, &more.to_le_bytes());
                supervisor.supervisor.write_all(&taken).unwrap();
            }
        });
        watching.stream.outbox.push_typed(b"last");
        watching.until(|watching| watching.said && !watching.stream.outbox.has_unsent());
        assert!(watching.stream.outbox.is_settled());
        reader.join().unwrap();
        // Nobody reads the rest of it.
        drop(typist);
    });
}

#[test]
fn what_was_typed_before_the_terminal_went_away_arrives() {
    watching(Opening::Again, |watching, outside| {
        outside.person.write_all(b"typed\x1b").unwrap();
        watching.until(|watching| watching.stream.outbox.has_unsent());
        outside.ended.write_all(b"X").unwrap();
        watching.until(|watching| watching.end.is_some());
        assert_eq!(watching.end, Some(AttachEnd::TerminalGone));
        watching.until(|watching| watching.said && !watching.stream.outbox.has_unsent());
        assert_eq!(outside.again().take_typing(), b"typed\x1b");
    });
}

#[test]
fn the_key_pressed_again_leaves_at_once() {
    watching(Opening::Again, |watching, outside| {
        outside.person.write_all(DETACH).unwrap();
        watching.until(|watching| watching.end.is_some());
        assert!(!watching.is_over(AttachEnd::Detached), "the supervisor has not closed the stream");
        let by = watching.leave_by.unwrap();
        assert!(by <= Instant::now() + LEAVE_WAIT);
        // Without the key it would wait for so long that the test notices.
        watching.leave_by = Some(by + 10 * PATIENCE);
        outside.person.write_all(DETACH).unwrap();
        watching.until(|watching| watching.is_over(AttachEnd::Detached));
    });
}

#[test]
fn a_terminal_that_shows_nothing_is_left_all_the_same() {
    for opening in [Opening::Again, Opening::Refused] {
        let (sender, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            watching(opening, |watching, outside| {
                watching.output.push(&vec![b'x'; 4 << 20]);
                // It takes what fits, and then nothing more.
                let mut before = usize::MAX;
                while watching.output.len() < before {
                    before = watching.output.len();
                    outside.continued.write_all(b"X").unwrap();
                    watching.until(|watching| watching.stream.outbox.has_unsent());
                    watching.until(|watching| !watching.stream.outbox.has_unsent());
                }
                assert!(watching.output.len() > 1 << 20, "{}", watching.output.len());
                outside.person.write_all(DETACH).unwrap();
                watching.until(|watching| watching.end.is_some());
                outside.supervisor.shutdown(std::net::Shutdown::Both).unwrap();
                sender.send(watching.run().unwrap()).unwrap();
            });
        });
        assert_eq!(ended.recv_timeout(PATIENCE), Ok(AttachEnd::Detached), "{opening:?}");
    }
}

#[test]
fn whoever_has_said_the_last_is_not_asked_again() {
    watching(Opening::Again, |watching, outside| {
        let last = [encode(Kind::Output, b"bye"), encode(Kind::Exited, br#"{"exit":{"code":7}}"#)];
        outside.supervisor.write_all(&last.concat()).unwrap();
        outside.supervisor.shutdown(std::net::Shutdown::Both).unwrap();
        watching.until(|watching| watching.end.is_some());
        // The display is asked for as long as it has something to show; the supervisor is not.
        watching.output.push(b"more");
        assert_eq!(
            watching.asked(),
            [Source::Keyboard, Source::Display, Source::Resized, Source::Continued, Source::Ended]
        );
        outside.ended.write_all(b"X").unwrap();
        watching.until(|watching| watching.output.is_empty());
        watching.until(|watching| !watching.asked().contains(&Source::Ended));
        assert_eq!(watching.run().unwrap(), AttachEnd::Exited(Exit::Code(7)));
    });
}

#[test]
fn a_keyboard_that_is_gone_is_not_asked_again() {
    watching(Opening::Again, |watching, outside| {
        let (elsewhere, _other) = UnixStream::pair().unwrap();
        let person = std::mem::replace(&mut outside.person, File::from(OwnedFd::from(elsewhere)));
        drop(person);
        watching.until(|watching| watching.end.is_some());
        assert_eq!(watching.end, Some(AttachEnd::TerminalGone));
        assert!(!watching.asked().contains(&Source::Keyboard));
    });
}

#[test]
fn why_a_supervisor_closed_the_stream_counts_though_typing_fails() {
    watching(Opening::Again, |watching, outside| {
        outside.supervisor.write_all(&encode(Kind::Detached, b"")).unwrap();
        outside.supervisor.shutdown(std::net::Shutdown::Both).unwrap();
        outside.person.write_all(b"typed").unwrap();
        assert_eq!(watching.run().unwrap(), AttachEnd::SentAway);
    });
}

#[test]
fn an_escape_is_passed_on_while_the_terminal_is_busy() {
    watching(Opening::Again, |watching, outside| {
        outside.person.write_all(b"\x1b[").unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut shown = [0; 64 << 10];
        // What may wait is never short of output, so that no poll waits.
        while !watching.stream.outbox.has_unsent() {
            assert!(Instant::now() < deadline, "it is never released");
            watching.output.push(b"x");
            watching.turn().unwrap();
            if watching.output.is_empty() {
                let _some = outside.person.read(&mut shown).unwrap();
            }
        }
        watching.until(|watching| !watching.stream.outbox.has_unsent());
        assert_eq!(outside.frame().unwrap().payload, b"\x1b[");
    });
}

#[test]
fn what_the_terminal_says_of_itself_is_no_typing() {
    watching(Opening::Again, |watching, outside| {
        outside.person.write_all(b"a\x1b[Ib\x1b[?62;22cc\x1b[200~\x1b[I\x1b[201~").unwrap();
        let (mut typed, mut reported) = (Vec::new(), Vec::new());
        while !typed.ends_with(b"\x1b[201~") {
            watching.until(|watching| watching.stream.outbox.has_unsent());
            watching.until(|watching| !watching.stream.outbox.has_unsent());
            // Three pieces of typing, two reports between them.
            for _ in 0..5 {
                let frame = outside.frame().unwrap();
                match frame.kind {
                    Kind::Input => typed.extend_from_slice(&frame.payload),
                    Kind::Report => reported.push(frame.payload),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(typed, b"abc\x1b[200~\x1b[I\x1b[201~");
        assert_eq!(reported, [&b"\x1b[I"[..], b"\x1b[?62;22c"]);
    });
}

#[test]
fn keys_that_begin_like_an_answer_are_typed() {
    for key in ["\x1b_", "\x1b]", "\x1bP", "\x1b["] {
        watching(Opening::Again, |watching, outside| {
            outside.person.write_all(key.as_bytes()).unwrap();
            watching.until(|watching| watching.stream.outbox.has_unsent());
            watching.until(|watching| !watching.stream.outbox.has_unsent());
            let frame = outside.frame().unwrap();
            assert_eq!((frame.kind, &*frame.payload), (Kind::Input, key.as_bytes()));
        });
    }
}

#[test]
fn going_on_after_a_stop_makes_the_terminal_raw_and_tells_its_size() {
    watching(Opening::Again, |watching, outside| {
        assert!(!outside.is_canonical());
        let mut modes = tcgetattr(&outside.terminal).unwrap();
        modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(&outside.terminal, OptionalActions::Now, &modes).unwrap();
        assert!(outside.is_canonical());
        outside.continued.write_all(b"X").unwrap();
        watching.until(|watching| watching.stream.outbox.has_unsent());
        assert!(!outside.is_canonical());
        watching.until(|watching| !watching.stream.outbox.has_unsent());
        let frame = outside.frame().unwrap();
        assert_eq!(frame.kind, Kind::Resize);
        assert_eq!(frame.payload, br#"{"cols":100,"rows":30}"#);
    });
}

#[test]
fn writing_never_blocks_and_nobody_else_is_told_so() {
    watching(Opening::Again, |_, outside| {
        let flags = |fd| rustix::fs::fcntl_getfl(fd).unwrap();
        let display = Display::of(outside.terminal.as_fd());
        assert!(flags(display.as_fd()).contains(OFlags::NONBLOCK));
        assert!(!flags(outside.terminal.as_fd()).contains(OFlags::NONBLOCK));
    });
}
