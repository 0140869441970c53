//! The screen of a session, kept by a thread that follows behind the byte stream.
//!
//! It reads the stream from the journal, as far as the viewers have been sent it. Screen and thread are there only
//! while they are needed: both begin with the first output, and a screen that sleeps is a snapshot in the journal.
//! Waking up and taking over what another process has left are the same: the newest snapshot, then what came since.

#[cfg(test)]
mod tests;

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use session_core::TerminalSize;

use super::awake::Awake;
use super::journal::{Journal, Start};
use super::{lock, relay};
use crate::events::{Happening, News};
use crate::screen::{Frame, Notice, Screen, ScreenModel};
use crate::supervisor::log_line;

/// Bytes of history that go before a viewer's first screen.
const SCROLLBACK_BYTES: usize = 1 << 20;

/// A title is told at most so often.
const TITLE_PAUSE: Duration = Duration::from_secs(1);

/// Parsed between two looks at whether somebody else wants the screen.
const CHUNK: u64 = 64 << 10;

/// Memory that holds output which is needed no more goes back in pieces of at least this size.
const EXCESS: u64 = 1 << 20;

/// And it goes back when a piece of output is smaller than this. In a flood the memory is about to be used again, and
/// a snapshot each time would be a good part of all the work.
const CALM: u64 = 1024;

/// The emulator beside the stream.
#[derive(Debug)]
pub(super) struct Emulator {
    me: Weak<Self>,
    journal: Arc<Journal>,
    awake: Arc<Awake>,
    /// Of its thread.
    name: String,
    /// Lines above the screen.
    history: usize,
    parser: Mutex<Parser>,
    work: Mutex<Work>,
    more: Condvar,
    /// Up to here the viewers have been sent the stream; the parser comes after them.
    pushed: AtomicU64,
    /// Up to here it is parsed.
    parsed: AtomicU64,
    /// What came last was no part of a flood.
    is_calm: AtomicBool,
    is_awake: AtomicBool,
    /// When somebody had to do with the screen last, as [`Awake::now`] counts.
    active: AtomicU64,
    /// How many callers want the parser; the thread lets go of it then, since a mutex is not fair.
    wanted: AtomicUsize,
    /// Whether the emulator answers queries of the program, because no viewer's terminal does.
    answering: AtomicBool,
    /// Whether a viewer is shown rendered frames and wants to know when the screen changes.
    watched: AtomicBool,
    wants_paste_marks: AtomicBool,
    title: Mutex<Title>,
    news: News,
    answers: Mutex<Vec<u8>>,
    /// Wakes the relay.
    waker: UnixStream,
}

/// The title of the terminal, and what was told of it.
#[derive(Debug, Default)]
struct Title {
    text: Option<String>,
    /// It has changed since.
    untold: bool,
    told: Option<Instant>,
}

/// What the thread is to do.
#[derive(Debug, Default)]
struct Work {
    /// There is a thread.
    running: bool,
    /// It is to end, since the screen sleeps.
    asleep: bool,
    /// It is to end, and no other is to come.
    closed: bool,
}

#[derive(Debug)]
struct Parser {
    /// None while it sleeps.
    screen: Option<Box<dyn ScreenModel>>,
    /// The next byte of the stream.
    at: u64,
    /// Sizes of the terminal that were taken in.
    resized: u64,
    /// Queries before this byte were answered by whoever had the session before.
    answered: u64,
    buffer: Vec<u8>,
}

impl Emulator {
    /// An emulator that sleeps until it is needed.
    pub(super) fn new(
        journal: Arc<Journal>,
        awake: Arc<Awake>,
        history: usize,
        waker: UnixStream,
        name: &str,
        news: News,
    ) -> Arc<Self> {
        let written = journal.written();
        let answered = journal.answered().min(written);
        let parser = Parser { screen: None, at: 0, resized: 0, answered, buffer: Vec::new() };
        journal.note_answered(answered);
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            journal,
            awake,
            name: format!("screen {name}"),
            history,
            parser: Mutex::new(parser),
            work: Mutex::default(),
            more: Condvar::new(),
            pushed: AtomicU64::new(written),
            parsed: AtomicU64::new(0),
            is_calm: AtomicBool::new(true),
            is_awake: AtomicBool::new(false),
            active: AtomicU64::new(0),
            wanted: AtomicUsize::new(0),
            answering: AtomicBool::new(true),
            watched: AtomicBool::new(false),
            wants_paste_marks: AtomicBool::new(false),
            title: Mutex::default(),
            news,
            answers: Mutex::default(),
            waker,
        })
    }

    /// Takes the stream up to here, which the viewers have been sent. Never waits for the thread.
    pub(super) fn push(&self, until: u64) {
        self.active.store(self.awake.now(), Ordering::Release);
        let length = until - self.pushed.load(Ordering::Acquire);
        self.is_calm.store(length < CALM, Ordering::Release);
        self.have_parsed(until);
    }

    /// Takes in what another process has left, so that the title is known before anybody asks for the screen. It may
    /// sleep again at once.
    pub(super) fn take_over(&self) {
        let pushed = self.pushed.load(Ordering::Acquire);
        if pushed > 0 {
            self.have_parsed(pushed);
        }
    }

    fn have_parsed(&self, until: u64) {
        let mut work = lock(&self.work);
        self.pushed.store(until, Ordering::Release);
        work.asleep = false;
        if !work.running && !work.closed {
            // Without a thread whoever wants the screen parses, the relay at the latest when the journal is full.
            work.running = self.start_thread();
        }
        drop(work);
        self.more.notify_one();
    }

    fn start_thread(&self) -> bool {
        let Some(follower) = self.me.upgrade() else { return false };
        let thread = std::thread::Builder::new().name(self.name.clone());
        thread.spawn(move || follower.follow()).is_ok()
    }

    /// Makes room in the journal: parses everything and leaves a snapshot. For a relay that is far ahead; it slows
    /// the program down to the emulator's pace.
    ///
    /// # Errors
    /// When there is no memory for the snapshot.
    pub(super) fn make_room(&self) -> std::io::Result<()> {
        self.keep(&self.caught_up())
    }

    /// Ends the thread once it has parsed what is there.
    pub(super) fn close(&self) {
        lock(&self.work).closed = true;
        self.more.notify_one();
    }

    /// Answers of the emulator to queries, to be typed into the program.
    pub(super) fn take_answers(&self) -> Vec<u8> {
        std::mem::take(&mut *lock(&self.answers))
    }

    /// Says who answers queries from this byte of the stream on.
    pub(super) fn set_answering(&self, answering: bool) {
        if self.answering.load(Ordering::Acquire) != answering {
            self.catch_up();
            self.answering.store(answering, Ordering::Release);
            self.note_answered(self.parsed.load(Ordering::Acquire));
        }
    }

    pub(super) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Release);
    }

    pub(super) fn title(&self) -> Option<String> {
        lock(&self.title).text.clone()
    }

    /// Whether the program asked for pastes to be marked.
    pub(super) fn wants_paste_marks(&self) -> bool {
        self.catch_up();
        self.wants_paste_marks.load(Ordering::Acquire)
    }

    /// Changes the size, after everything that was written for the old one. For the relay alone.
    pub(super) fn resize(&self, size: TerminalSize) {
        if !self.journal.has_room_for_resize()
            && let Err(error) = self.make_room()
        {
            // The oldest size that a later recovery would need is forgotten: it wraps some lines elsewhere.
            log_line(&format!("{}: no snapshot before a new size: {error}", self.name));
        }
        self.journal.note_resize(size);
        if self.is_awake.load(Ordering::Acquire) {
            drop(self.caught_up());
        }
    }

    /// The screen as of the last byte, with history, and its size.
    pub(super) fn snapshot(&self, history: usize) -> (TerminalSize, Vec<u8>) {
        let parser = self.caught_up();
        let screen = parser.screen.as_deref();
        screen.map_or_else(
            || (self.journal.last_size(), Vec::new()),
            |screen| (screen.size(), screen.snapshot(history)),
        )
    }

    /// What brings a fresh terminal into exactly the state that the stream has reached, the bytes of an
    /// unfinished sequence included.
    ///
    /// So many lines of history go before it, into the terminal's own, as far as they fit into a mebibyte.
    pub(super) fn snapshot_for_viewer(&self, scrollback: usize) -> Vec<u8> {
        let parser = self.caught_up();
        let Some(screen) = parser.screen.as_deref() else { return Vec::new() };
        let mut bytes = screen.replay(scrollback, SCROLLBACK_BYTES);
        bytes.extend_from_slice(screen.unfinished());
        bytes
    }

    /// What a viewer of another size is shown, as far as the emulator has come.
    pub(super) fn frame(&self, view: TerminalSize) -> Frame {
        let mut parser = if self.is_awake() { self.wanted_parser() } else { self.caught_up() };
        self.wake_up(&mut parser).frame(view)
    }

    /// Whether there is a screen at the moment.
    pub(super) fn is_awake(&self) -> bool {
        self.is_awake.load(Ordering::Acquire)
    }

    /// When somebody had to do with the screen last, as [`Awake::now`] counts.
    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Acquire)
    }

    /// Parses what is left, without waking a screen that has nothing left.
    fn catch_up(&self) {
        if self.is_behind() {
            drop(self.caught_up());
        }
    }

    fn is_behind(&self) -> bool {
        self.parsed.load(Ordering::Acquire) < self.pushed.load(Ordering::Acquire)
    }

    /// The parser after it has taken in everything that was pushed.
    fn caught_up(&self) -> MutexGuard<'_, Parser> {
        let mut parser = self.wanted_parser();
        self.parse(&mut parser, || false);
        parser
    }

    fn wanted_parser(&self) -> MutexGuard<'_, Parser> {
        self.active.store(self.awake.now(), Ordering::Release);
        self.wanted.fetch_add(1, Ordering::AcqRel);
        let parser = lock(&self.parser);
        self.wanted.fetch_sub(1, Ordering::AcqRel);
        // Under the lock of the condition, or the thread could miss it between looking and waiting.
        drop(lock(&self.work));
        self.more.notify_one();
        parser
    }

    fn follow(&self) {
        while self.has_more() {
            let mut parser = lock(&self.parser);
            // Looked at once more: somebody else may have parsed it in the meantime, and put the screen to sleep.
            while self.is_behind()
                && !self.parse(&mut parser, || self.wanted.load(Ordering::Acquire) > 0)
            {
                drop(parser);
                std::thread::yield_now();
                parser = lock(&self.parser);
            }
        }
    }

    /// Waits until there is something to parse; false when the thread is to end instead.
    fn has_more(&self) -> bool {
        let idle = |work: &mut Work| {
            let wanted = self.wanted.load(Ordering::Acquire) > 0;
            wanted || !(self.is_behind() || work.closed || work.asleep)
        };
        let work = lock(&self.work);
        let mut work = self.more.wait_while(work, idle).unwrap_or_else(PoisonError::into_inner);
        let more = self.is_behind();
        work.running = more;
        more
    }

    /// Parses what was pushed, until `let_go` says so. Returns whether nothing is left.
    fn parse(&self, parser: &mut Parser, let_go: impl Fn() -> bool) -> bool {
        self.wake_up(parser);
        loop {
            let pushed = self.pushed.load(Ordering::Acquire);
            let resize = self.journal.resize(parser.resized);
            if let Some(resize) = resize.filter(|resize| resize.position <= parser.at) {
                self.wake_up(parser).resize(resize.size);
                parser.resized = resize.taken_in;
            } else if parser.at >= pushed {
                self.tidy_up(parser);
                return true;
            } else if let_go() {
                return false;
            } else {
                let next = resize.map_or(pushed, |resize| resize.position.min(pushed));
                self.take_in(parser, next.min(parser.at + CHUNK));
                if self.journal.wants_snapshot(parser.at) {
                    self.try_to_keep(parser);
                }
            }
            // Here rather than on the thread alone: whoever else parses changes the screen just as well.
            if self.watched.load(Ordering::Acquire) {
                relay::wake(&self.waker);
            }
        }
    }

    /// Feeds the screen up to `end`.
    fn take_in(&self, parser: &mut Parser, mut end: u64) {
        if parser.at < parser.answered {
            end = end.min(parser.answered);
        }
        parser.buffer.resize((end - parser.at) as usize, 0);
        let mut buffer = std::mem::take(&mut parser.buffer);
        match self.journal.read(parser.at, &mut buffer) {
            Ok(()) => self.wake_up(parser).feed(&buffer),
            Err(error) => log_line(&format!("{}: reading the journal: {error}", self.name)),
        }
        parser.buffer = buffer;
        parser.at = end;
        let answers = end > parser.answered && self.answering.load(Ordering::Acquire);
        self.note(self.wake_up(parser), answers);
        self.note_answered(end);
        self.parsed.store(end, Ordering::Release);
    }

    /// Takes out what the screen has to say after a piece.
    fn note(&self, screen: &mut dyn ScreenModel, answers_count: bool) {
        let answers = screen.take_answers();
        if !answers.is_empty() && answers_count {
            lock(&self.answers).extend_from_slice(&answers);
            relay::wake(&self.waker);
        }
        let mut title = lock(&self.title);
        for notice in screen.take_notices() {
            if let Notice::Title(text) = notice {
                title.untold |= text != title.text;
                title.text = text;
            }
        }
        // Some programs change it ten times a second, which would drown what happened to others.
        let rested = title.told.is_none_or(|told| told.elapsed() >= TITLE_PAUSE);
        if title.untold && rested {
            self.news.tell(Happening::title(title.text.as_deref()));
            (title.untold, title.told) = (false, Some(Instant::now()));
        }
        drop(title);
        self.wants_paste_marks.store(screen.bracketed_paste(), Ordering::Release);
    }

    /// Says in the journal up to where queries are answered, so that nobody answers them once more.
    fn note_answered(&self, position: u64) {
        let here = self.answering.load(Ordering::Acquire);
        self.journal.note_answered(if here { position } else { u64::MAX });
    }

    /// The screen, rebuilt from the journal if it slept.
    fn wake_up<'a>(&self, parser: &'a mut Parser) -> &'a mut dyn ScreenModel {
        let screen = match parser.screen.take() {
            Some(screen) => screen,
            None => self.rebuild(parser),
        };
        &mut **parser.screen.insert(screen)
    }

    /// The one way in which a screen begins, for the first time, after sleep, and behind another process.
    fn rebuild(&self, parser: &mut Parser) -> Box<dyn ScreenModel> {
        let start = self.journal.start().unwrap_or_else(|error| {
            log_line(&format!("{}: the snapshot cannot be read: {error}", self.name));
            self.journal.blank(self.pushed.load(Ordering::Acquire))
        });
        let mut screen = Screen::new(start.size, self.history);
        screen.feed(&start.screen);
        // What is painted asks nothing.
        self.note(&mut screen, false);
        (parser.at, parser.resized) = (start.position, start.resized);
        self.parsed.store(start.position, Ordering::Release);
        self.is_awake.store(true, Ordering::Release);
        self.awake.woken(&self.me);
        Box::new(screen)
    }

    /// Lets the screen go, leaving a snapshot, unless somebody has to do with it just now.
    pub(super) fn try_to_sleep(&self) -> bool {
        let mut parser = match self.parser.try_lock() {
            Ok(parser) => parser,
            Err(TryLockError::Poisoned(parser)) => parser.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let busy = parser.at < self.pushed.load(Ordering::Acquire)
            || self.wanted.load(Ordering::Acquire) > 0;
        if parser.screen.is_none() || busy || self.keep(&parser).is_err() {
            return false;
        }
        parser.screen = None;
        parser.buffer = Vec::new();
        self.is_awake.store(false, Ordering::Release);
        self.journal.trim();
        lock(&self.work).asleep = true;
        self.more.notify_one();
        true
    }

    /// Gives back what the journal holds beyond its bound, when that is worth it.
    fn tidy_up(&self, parser: &Parser) {
        if self.is_calm.load(Ordering::Acquire) && self.journal.excess() >= EXCESS {
            if self.journal.excess_is_needed() {
                self.try_to_keep(parser);
            }
            self.journal.trim();
        }
    }

    fn try_to_keep(&self, parser: &Parser) {
        if let Err(error) = self.keep(parser) {
            // The one before stays in force; the relay stops reading when it would have to write over it.
            log_line(&format!("{}: no snapshot: {error}", self.name));
        }
    }

    /// Leaves a snapshot of the screen in the journal, with as much history as there is room for.
    fn keep(&self, parser: &Parser) -> std::io::Result<()> {
        let Some(screen) = parser.screen.as_deref() else { return Ok(()) };
        if self.journal.has_snapshot(parser.at, parser.resized) {
            return Ok(());
        }
        let mut history = self.history;
        let mut bytes = whole(screen, history);
        while bytes.len() as u64 > self.journal.snapshot_room() && history > 0 {
            history /= 2;
            bytes = whole(screen, history);
        }
        if bytes.len() as u64 > self.journal.snapshot_room() {
            log_line(&format!("{}: the screen is too large to be kept", self.name));
            bytes = Vec::new();
        }
        let (position, resized, size) = (parser.at, parser.resized, screen.size());
        self.journal.keep_snapshot(&Start { position, resized, size, screen: bytes })
    }
}

/// The screen as terminal bytes, with the beginning of what is unfinished behind it.
fn whole(screen: &dyn ScreenModel, history: usize) -> Vec<u8> {
    let mut bytes = screen.snapshot(history);
    bytes.extend_from_slice(screen.unfinished());
    bytes
}
