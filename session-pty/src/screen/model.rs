//! The seam around an emulator: what a live session needs of whatever keeps its screen.

use std::fmt::Debug;

use super::{Frame, Notice, Screen, Size};

/// Something that keeps a terminal's screen beside its byte stream. A session knows no more of its emulator.
pub trait ScreenModel: Debug + Send {
    /// Takes the next bytes of the program's output. Never panics.
    fn feed(&mut self, bytes: &[u8]);

    /// Changes the size, as the program's terminal does.
    fn resize(&mut self, size: Size);

    /// The size that was asked for.
    fn size(&self) -> Size;

    /// Takes what a terminal would have answered to the program.
    fn take_answers(&mut self) -> Vec<u8>;

    /// Takes what happened since the last call.
    fn take_notices(&mut self) -> Vec<Notice>;

    /// Whether the program asked for pastes to be marked.
    fn bracketed_paste(&self) -> bool;

    /// Bytes that make any terminal of this size show this screen, in this state, with up to so many lines of history
    /// scrolled out before it.
    fn snapshot(&self, history: usize) -> Vec<u8>;

    /// As a snapshot, for a terminal that somebody looks at: with at most so many lines of history that take at most
    /// so many bytes, and not left in the middle of a synchronized update.
    fn replay(&self, lines: usize, bytes: usize) -> Vec<u8>;

    /// What to send after a snapshot or a replay, before the bytes not yet fed: the beginning of a sequence or character.
    fn unfinished(&self) -> &[u8];

    /// What a viewer of another size is shown.
    fn frame(&self, view: Size) -> Frame;
}

impl ScreenModel for Screen {
    fn feed(&mut self, bytes: &[u8]) {
        Self::feed(self, bytes);
    }

    fn resize(&mut self, size: Size) {
        Self::resize(self, size);
    }

    fn size(&self) -> Size {
        Self::size(self)
    }

    fn take_answers(&mut self) -> Vec<u8> {
        Self::take_answers(self)
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        Self::take_notices(self)
    }

    fn bracketed_paste(&self) -> bool {
        Self::bracketed_paste(self)
    }

    fn snapshot(&self, history: usize) -> Vec<u8> {
        self.snapshot_with_history(history)
    }

    fn replay(&self, lines: usize, bytes: usize) -> Vec<u8> {
        Self::replay(self, lines, bytes)
    }

    fn unfinished(&self) -> &[u8] {
        Self::unfinished(self)
    }

    fn frame(&self, view: Size) -> Frame {
        Self::frame(self, view)
    }
}
