//! The screen of a session, kept by a thread that follows behind the byte stream.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use session_core::TerminalSize;

use super::{lock, relay};
use crate::screen::{Frame, Notice, Screen, ScreenModel};

/// Bytes that may wait for the emulator. Beyond it the relay parses them itself, which slows the program down to
/// the emulator's pace: better than unbounded memory.
const BACKLOG_LIMIT: usize = 8 << 20;

/// Parsed between two looks at whether somebody else wants the screen.
const CHUNK: usize = 64 << 10;

/// The emulator beside the stream.
#[derive(Debug)]
pub(super) struct Emulator {
    backlog: Mutex<Backlog>,
    more: Condvar,
    parser: Mutex<Parser>,
    /// How many callers want the parser; the thread lets go of it then, since a mutex is not fair.
    wanted: AtomicUsize,
    /// Whether the emulator answers queries of the program, because no viewer's terminal does.
    answering: AtomicBool,
    /// Whether a viewer is shown rendered frames and wants to know when the screen changes.
    watched: AtomicBool,
    wants_paste_marks: AtomicBool,
    title: Mutex<Option<String>>,
    answers: Mutex<Vec<u8>>,
    /// Wakes the relay.
    waker: UnixStream,
}

#[derive(Debug, Default)]
struct Backlog {
    bytes: Vec<u8>,
    closed: bool,
}

#[derive(Debug)]
struct Parser {
    screen: Box<dyn ScreenModel>,
    todo: Vec<u8>,
    at: usize,
}

impl Emulator {
    /// Starts the thread.
    pub(super) fn start(
        size: TerminalSize,
        history: usize,
        waker: UnixStream,
        name: &str,
    ) -> std::io::Result<Arc<Self>> {
        let emulator = Arc::new(Self {
            backlog: Mutex::default(),
            more: Condvar::new(),
            parser: Mutex::new(Parser {
                screen: Box::new(Screen::new(size, history)),
                todo: Vec::new(),
                at: 0,
            }),
            wanted: AtomicUsize::new(0),
            answering: AtomicBool::new(true),
            watched: AtomicBool::new(false),
            wants_paste_marks: AtomicBool::new(false),
            title: Mutex::default(),
            answers: Mutex::default(),
            waker,
        });
        let follower = Arc::clone(&emulator);
        std::thread::Builder::new()
            .name(format!("screen {name}"))
            .spawn(move || follower.follow())?;
        Ok(emulator)
    }

    /// Takes bytes that the viewers have been sent. Never waits for the thread, unless the backlog is full.
    pub(super) fn push(&self, bytes: &[u8]) {
        let waiting = {
            let mut backlog = lock(&self.backlog);
            backlog.bytes.extend_from_slice(bytes);
            backlog.bytes.len()
        };
        if waiting > BACKLOG_LIMIT {
            drop(self.caught_up());
        } else {
            self.more.notify_one();
        }
    }

    /// Ends the thread once it has parsed what is there.
    pub(super) fn close(&self) {
        lock(&self.backlog).closed = true;
        self.more.notify_one();
    }

    /// Answers of the emulator to queries, to be typed into the program.
    pub(super) fn take_answers(&self) -> Vec<u8> {
        std::mem::take(&mut *lock(&self.answers))
    }

    /// Says who answers queries from this byte of the stream on.
    pub(super) fn set_answering(&self, answering: bool) {
        if self.answering.load(Ordering::Acquire) != answering {
            drop(self.caught_up());
            self.answering.store(answering, Ordering::Release);
        }
    }

    pub(super) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Release);
    }

    pub(super) fn title(&self) -> Option<String> {
        lock(&self.title).clone()
    }

    /// Whether the program asked for pastes to be marked, as far as its output was parsed.
    pub(super) fn wants_paste_marks(&self) -> bool {
        drop(self.caught_up());
        self.wants_paste_marks.load(Ordering::Acquire)
    }

    /// Changes the size, after everything that was written for the old one.
    pub(super) fn resize(&self, size: TerminalSize) {
        self.caught_up().screen.resize(size);
    }

    /// The screen as of the last byte, with history, and its size.
    pub(super) fn snapshot(&self, history: usize) -> (TerminalSize, Vec<u8>) {
        let parser = self.caught_up();
        (parser.screen.size(), parser.screen.snapshot(history))
    }

    /// What brings a fresh terminal into exactly the state that the stream has reached, the bytes of an
    /// unfinished sequence included.
    pub(super) fn snapshot_for_viewer(&self) -> Vec<u8> {
        let parser = self.caught_up();
        let mut bytes = parser.screen.snapshot(0);
        bytes.extend_from_slice(parser.screen.unfinished());
        bytes
    }

    /// What a viewer of another size is shown, as far as the emulator has come.
    pub(super) fn frame(&self, view: TerminalSize) -> Frame {
        self.wanted_parser().screen.frame(view)
    }

    /// The parser after it has taken in everything that was pushed.
    fn caught_up(&self) -> MutexGuard<'_, Parser> {
        let mut parser = self.wanted_parser();
        loop {
            self.parse(&mut parser, || false);
            let mut backlog = lock(&self.backlog);
            if backlog.bytes.is_empty() {
                return parser;
            }
            parser.refill(&mut backlog);
        }
    }

    fn wanted_parser(&self) -> MutexGuard<'_, Parser> {
        self.wanted.fetch_add(1, Ordering::AcqRel);
        let parser = lock(&self.parser);
        self.wanted.fetch_sub(1, Ordering::AcqRel);
        // Under the lock of the condition, or the thread could miss it between looking and waiting.
        drop(lock(&self.backlog));
        self.more.notify_one();
        parser
    }

    fn follow(&self) {
        loop {
            let idle = |backlog: &mut Backlog| {
                let unwanted = self.wanted.load(Ordering::Acquire) == 0;
                (backlog.bytes.is_empty() && !backlog.closed) || !unwanted
            };
            let backlog = lock(&self.backlog);
            let backlog =
                self.more.wait_while(backlog, idle).unwrap_or_else(PoisonError::into_inner);
            if backlog.bytes.is_empty() && backlog.closed {
                return;
            }
            drop(backlog);
            let mut parser = lock(&self.parser);
            if parser.is_done() {
                parser.refill(&mut lock(&self.backlog));
            }
            while !parser.is_done() {
                self.parse(&mut parser, || self.wanted.load(Ordering::Acquire) > 0);
                if !parser.is_done() {
                    drop(parser);
                    std::thread::yield_now();
                    parser = lock(&self.parser);
                }
            }
        }
    }

    /// Parses what the parser holds, until `let_go` says so.
    fn parse(&self, parser: &mut Parser, let_go: impl Fn() -> bool) {
        while !parser.is_done() && !let_go() {
            let end = (parser.at + CHUNK).min(parser.todo.len());
            let piece = &parser.todo[parser.at..end];
            parser.screen.feed(piece);
            parser.at = end;
            self.note(&mut *parser.screen);
            // Here rather than on the thread alone: whoever else parses changes the screen just as well.
            if self.watched.load(Ordering::Acquire) {
                relay::wake(&self.waker);
            }
        }
    }

    /// Takes out what the screen has to say after a piece.
    fn note(&self, screen: &mut dyn ScreenModel) {
        let answers = screen.take_answers();
        if !answers.is_empty() && self.answering.load(Ordering::Acquire) {
            lock(&self.answers).extend_from_slice(&answers);
            relay::wake(&self.waker);
        }
        for notice in screen.take_notices() {
            if let Notice::Title(title) = notice {
                *lock(&self.title) = title;
            }
        }
        self.wants_paste_marks.store(screen.bracketed_paste(), Ordering::Release);
    }
}

impl Parser {
    fn is_done(&self) -> bool {
        self.at >= self.todo.len()
    }

    /// Takes over the backlog; the emptied buffer goes back, unless a flood has made it large.
    fn refill(&mut self, backlog: &mut Backlog) {
        self.todo.clear();
        self.at = 0;
        if self.todo.capacity() > 4 * CHUNK {
            self.todo = Vec::new();
        }
        std::mem::swap(&mut self.todo, &mut backlog.bytes);
    }
}
