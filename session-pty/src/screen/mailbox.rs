//! Collects what the emulator wants to tell: answers for the program, notices for whoever watches.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alacritty_terminal::event::{Event, EventListener};

use super::Notice;

/// Most bytes of answers that wait to be taken.
const ANSWERS: usize = 64 * 1024;

/// Most notices that wait to be taken.
const NOTICES: usize = 64;

/// Shared by the engine, which sends, and the screen, which takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Mailbox(Arc<Mutex<Post>>);

#[derive(Debug, Default)]
struct Post {
    answers: Vec<u8>,
    notices: VecDeque<Notice>,
}

impl Mailbox {
    fn post(&self) -> MutexGuard<'_, Post> {
        // A panic in the engine, which is caught, may come while it sends.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, text: &str) {
        let mut post = self.post();
        if post.answers.len() + text.len() <= ANSWERS {
            post.answers.extend_from_slice(text.as_bytes());
        }
    }

    /// Keeps a notice unless the last one says the same; the oldest go first.
    pub(super) fn notice(&self, notice: Notice) {
        let mut post = self.post();
        if post.notices.back() == Some(&notice) {
            return;
        }
        if post.notices.len() == NOTICES {
            post.notices.pop_front();
        }
        post.notices.push_back(notice);
    }

    pub(super) fn take_answers(&self) -> Vec<u8> {
        mem::take(&mut self.post().answers)
    }

    pub(super) fn take_notices(&self) -> Vec<Notice> {
        mem::take(&mut self.post().notices).into()
    }
}

impl EventListener for Mailbox {
    fn send_event(&self, event: Event) {
        match event {
            Event::PtyWrite(text) => self.answer(&text),
            Event::Bell => self.notice(Notice::Bell),
            // Clipboard contents, titles and pixel sizes are never told.
            _ => {}
        }
    }
}
