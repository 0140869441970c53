//! How a screen falls asleep, leaving a snapshot in the journal, and how it wakes up from one.

use std::sync::TryLockError;
use std::sync::atomic::Ordering;

use super::{Emulator, Parser};
use crate::live::journal::Start;
use crate::live::lock;
use crate::screen::{Screen, ScreenModel};
use crate::supervisor::log_line;

/// Memory that holds output which is needed no more goes back in pieces of at least this size.
const EXCESS: u64 = 1 << 20;

impl Emulator {
    /// The one way in which a screen begins, for the first time, after sleep, and behind another process.
    pub(super) fn rebuild(&self, parser: &mut Parser) -> Box<dyn ScreenModel> {
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
        let woken_soon = self.awake.is_soon_after(self.asleep.load(Ordering::Acquire));
        self.is_busy.store(woken_soon, Ordering::Release);
        self.is_awake.store(true, Ordering::Release);
        self.awake.woken(&self.me);
        Box::new(screen)
    }

    /// Lets the screen go, leaving a snapshot, unless somebody has to do with it just now.
    pub(in crate::live) fn try_to_sleep(&self) -> bool {
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
        self.asleep.store(self.awake.now(), Ordering::Release);
        self.is_awake.store(false, Ordering::Release);
        self.journal.trim();
        lock(&self.work).settled = true;
        self.more.notify_one();
        true
    }

    /// Gives back what the journal holds beyond its bound, when that is worth it.
    pub(super) fn tidy_up(&self, parser: &Parser) {
        if self.is_calm.load(Ordering::Acquire) && self.journal.excess() >= EXCESS {
            if self.journal.excess_is_needed() {
                self.try_to_keep(parser);
            }
            self.journal.trim();
        }
    }

    pub(super) fn try_to_keep(&self, parser: &Parser) {
        if let Err(error) = self.keep(parser) {
            // The one before stays in force; the relay stops reading when it would have to write over it.
            log_line(&format!("{}: no snapshot: {error}", self.name));
        }
    }

    /// Leaves a snapshot of the screen in the journal, with as much history as there is room for.
    pub(super) fn keep(&self, parser: &Parser) -> std::io::Result<()> {
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
pub(super) fn whole(screen: &dyn ScreenModel, history: usize) -> Vec<u8> {
    let mut bytes = screen.snapshot(history);
    bytes.extend_from_slice(screen.unfinished());
    bytes
}
