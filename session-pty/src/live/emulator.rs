//! The screen of a session, kept by a thread that follows behind the byte stream.
//!
//! It reads the stream from the journal, as far as the viewers have been sent it. Screen and thread are there only
//! while they are needed: both begin with the first output, and a screen that sleeps is a snapshot in the journal.
//! Waking up and taking over what another process has left are the same: the newest snapshot, then what came since.

mod sleep;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use session_core::TerminalSize;

use super::awake::Awake;
use super::journal::Journal;
use super::lock;
use super::title::Title;
use super::waker::Waker;
use crate::events::News;
use crate::screen::{Frame, Notice, ScreenModel};
use crate::supervisor::log_line;

/// Bytes of history that go before a viewer's first screen.
const SCROLLBACK_BYTES: usize = 1 << 20;

/// Parsed between two looks at whether somebody else wants the screen.
const CHUNK: u64 = 64 << 10;

/// A flood is parsed in pieces of this size: the most of such a piece is gone from the screen before anybody could see it,
/// and need not be parsed at all where it is plain.
const PIECE: u64 = 2 << 20;

/// A flood is over when nothing came for so long.
const LULL: Duration = Duration::from_millis(5);

/// Memory goes back when a piece of output is smaller than this. In a flood it is about to be used again, and a snapshot
/// each time would be a good part of all the work.
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
    /// When it fell asleep, in the same way; 0 when it never has.
    asleep: AtomicU64,
    /// It woke up too soon after that.
    is_busy: AtomicBool,
    /// How many callers want the parser; the thread lets go of it then, since a mutex is not fair.
    wanted: AtomicUsize,
    /// Whether the emulator answers queries of the program, because no viewer's terminal does.
    answering: AtomicBool,
    /// Whether a viewer is shown rendered frames and wants to know when the screen changes.
    watched: AtomicBool,
    wants_paste_marks: AtomicBool,
    title: Title,
    answers: Mutex<Vec<u8>>,
    /// Wakes the relay.
    waker: Waker,
}

/// What the thread is to do.
#[derive(Debug, Default)]
struct Work {
    /// There is a thread.
    running: bool,
    /// It is to end, since nothing has come for a while or the screen sleeps.
    settled: bool,
    /// It is to end, and no other is to come.
    closed: bool,
    /// It lets a flood gather.
    gathers: bool,
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
        waker: Waker,
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
            asleep: AtomicU64::new(0),
            is_busy: AtomicBool::new(false),
            wanted: AtomicUsize::new(0),
            answering: AtomicBool::new(true),
            watched: AtomicBool::new(false),
            wants_paste_marks: AtomicBool::new(false),
            title: Title::new(news),
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

    /// Has taken in what another process has left, so that the title is known before anybody asks for the screen.
    pub(super) fn take_over(&self) {
        if self.is_behind() {
            self.awake.take_in(Weak::clone(&self.me));
        }
    }

    /// Nothing has come for a while: gives back what only a flood needs, the thread too.
    pub(super) fn settle(&self) {
        self.is_calm.store(true, Ordering::Release);
        lock(&self.work).settled = true;
        self.more.notify_one();
    }

    fn have_parsed(&self, until: u64) {
        let mut work = lock(&self.work);
        self.pushed.store(until, Ordering::Release);
        work.settled = false;
        if !work.running && !work.closed {
            // Without a thread whoever wants the screen parses, the relay at the latest when the journal is full.
            work.running = self.start_thread();
        }
        let gathers = work.gathers && self.backlog() < PIECE;
        drop(work);
        if !gathers {
            self.more.notify_one();
        }
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
        self.title.text()
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

    /// Whether it should stay awake for as long as somebody has to do with it.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
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
            self.take_in_the_rest();
        }
        if !lock(&self.work).closed {
            let mut parser = lock(&self.parser);
            self.tidy_up(&parser);
            parser.buffer = Vec::new();
        }
    }

    /// Parses what was pushed, letting everybody go first who wants the screen.
    pub(super) fn take_in_the_rest(&self) {
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

    /// Waits until there is something to parse; false when the thread is to end instead.
    fn has_more(&self) -> bool {
        let idle = |work: &mut Work| {
            let wanted = self.wanted.load(Ordering::Acquire) > 0;
            wanted || !(self.is_behind() || work.closed || work.settled)
        };
        let work = lock(&self.work);
        let work = self.more.wait_while(work, idle).unwrap_or_else(PoisonError::into_inner);
        let mut work = self.gather(work);
        let more = self.is_behind();
        work.running = more;
        more
    }

    /// Waits while a flood comes, until a piece is there.
    fn gather<'a>(&self, mut work: MutexGuard<'a, Work>) -> MutexGuard<'a, Work> {
        let mut before = None;
        while self.may_gather(&work) {
            let pushed = self.pushed.load(Ordering::Acquire);
            if before.replace(pushed) == Some(pushed) {
                break;
            }
            work.gathers = true;
            let waited = self.more.wait_timeout(work, LULL);
            (work, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        work.gathers = false;
        work
    }

    /// Whether nobody needs what is there, and there may soon be more.
    fn may_gather(&self, work: &Work) -> bool {
        let is_needed = work.closed
            || work.settled
            || self.wanted.load(Ordering::Acquire) > 0
            || self.watched.load(Ordering::Acquire);
        !is_needed && self.is_behind() && self.backlog() < PIECE
    }

    fn backlog(&self) -> u64 {
        self.pushed.load(Ordering::Acquire).saturating_sub(self.parsed.load(Ordering::Acquire))
    }

    /// Parses what was pushed before, until `let_go` says so. Returns whether nothing of that is left.
    fn parse(&self, parser: &mut Parser, let_go: impl Fn() -> bool) -> bool {
        self.wake_up(parser);
        // What comes from here on is not chased: it may gather.
        let pushed = self.pushed.load(Ordering::Acquire);
        loop {
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
                let piece = if next - parser.at >= PIECE { 2 * PIECE } else { CHUNK };
                self.take_in(parser, next.min(parser.at + piece));
                if self.journal.wants_snapshot(parser.at) {
                    self.try_to_keep(parser);
                }
            }
            // Here rather than on the thread alone: whoever else parses changes the screen just as well.
            if self.watched.load(Ordering::Acquire) {
                self.waker.wake();
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
            self.waker.wake();
        }
        let titles = screen.take_notices().into_iter().filter_map(|notice| match notice {
            Notice::Title(text) => Some(text),
            _ => None,
        });
        self.title.parsed(titles, Instant::now());
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
}
