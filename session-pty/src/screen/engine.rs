//! Feeds bytes to the emulator so that nothing in them can hurt: no panic, no endless string.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use alacritty_terminal::vte::ansi::{CharsetIndex, Processor, Timeout};

use super::boundary::{Boundary, KEPT, Sink, cut_off_character};
use super::mailbox::Mailbox;
use super::plain::{self, Gist};
use super::tracked::{Tracked, printable};
use super::{Notice, Size};

/// vte's parser with a terminal behind it and the stream's boundary beside it.
pub(super) struct Engine {
    pub(super) tracked: Tracked,
    pub(super) boundary: Boundary,
    pub(super) directory: Option<String>,
    processor: Processor<AtOnce>,
    size: Size,
    history_lines: usize,
}

/// Synchronised updates are applied at once: a snapshot between their begin and end would else
/// lack what has arrived, and their timeout would need a clock.
#[derive(Debug, Default)]
struct AtOnce;

impl Timeout for AtOnce {
    fn set_timeout(&mut self, _: Duration) {}

    fn clear_timeout(&mut self) {}

    fn pending_timeout(&self) -> bool {
        false
    }
}

/// Most parameters of a sequence: vte ignores one that has more.
const PARAMETERS: usize = 32;

/// What vte does not tell its handler about, or not in time.
enum Unheard {
    SoftReset,
    /// REP, so many times. vte would hand on each of them, tens of thousands for a few bytes.
    Repeat(usize),
    /// DECSLRM, or SCOSC.
    SideMargins(usize, usize),
    /// The United Kingdom's character set.
    Uk(CharsetIndex),
    Directory(String),
}

/// Finds them, each with the place where it takes effect.
struct Listener {
    offset: usize,
    heard: Vec<(usize, Unheard)>,
}

impl Sink for Listener {
    fn sequence(&mut self, bytes: &[u8], end: usize) {
        if bytes == b"\x1b[!p" {
            self.heard.push((self.offset + end, Unheard::SoftReset));
        } else if let Some(index) = designated_uk(bytes) {
            self.heard.push((self.offset + end, Unheard::Uk(index)));
        } else if let Some(numbers) = numbers(bytes, b'b') {
            self.heard.push((self.offset + end, Unheard::Repeat(numbers[0].max(1))));
        } else if let Some([left, right]) = numbers(bytes, b's') {
            self.heard.push((self.offset + end, Unheard::SideMargins(left, right)));
        } else if let Some(uri) = bytes.strip_prefix(b"\x1b]7;") {
            let uri = uri.strip_suffix(b"\x07").unwrap_or(uri);
            if let Ok(uri) = std::str::from_utf8(uri) {
                self.heard.push((self.offset + end, Unheard::Directory(printable(uri, 4096))));
            }
        }
    }
}

/// The set that a sequence designates as the United Kingdom's.
fn designated_uk(bytes: &[u8]) -> Option<CharsetIndex> {
    match bytes {
        b"\x1b(A" => Some(CharsetIndex::G0),
        b"\x1b)A" => Some(CharsetIndex::G1),
        b"\x1b*A" => Some(CharsetIndex::G2),
        b"\x1b+A" => Some(CharsetIndex::G3),
        _ => None,
    }
}

/// The first two parameters of a control sequence with this final byte and nothing but parameters, as vte reads them.
fn numbers(bytes: &[u8], end: u8) -> Option<[usize; 2]> {
    let parameters = bytes.strip_prefix(b"\x1b[")?.strip_suffix(&[end])?;
    let separators = parameters.iter().filter(|&byte| b";:".contains(byte)).count();
    if separators >= PARAMETERS || !parameters.iter().all(|byte| b"0123456789;:".contains(byte)) {
        return None;
    }
    let number = |parameter: &[u8]| {
        let digits = parameter.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0usize, |number, digit| {
            (number * 10 + usize::from(digit - b'0')).min(usize::from(u16::MAX))
        })
    };
    let mut each = parameters.split(|&byte| byte == b';').map(number);
    Some([each.next().unwrap_or(0), each.next().unwrap_or(0)])
}

impl Engine {
    /// `size` is one the emulator can hold.
    pub(super) fn new(size: Size, history_lines: usize) -> Self {
        Self {
            tracked: Tracked::new(size, history_lines, Mailbox::default()),
            boundary: Boundary::new(),
            directory: None,
            processor: Processor::new(),
            size,
            history_lines,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if let Some(gist) = self.gist(bytes) {
            self.feed_all(&gist.attributes);
            // Wherever it is printed, it is pushed out: only the parser remembers it.
            let printed = gist.printed.map_or_else(String::new, |last| format!("\r{last}"));
            let to_bottom = "\n".repeat(self.tracked.rows());
            self.feed_all(format!("{printed}\r{to_bottom}").as_bytes());
            self.feed_all(&bytes[gist.rest..]);
        } else {
            self.feed_all(bytes);
        }
    }

    /// What of these bytes has to be fed, where the rest would leave nothing.
    fn gist(&self, bytes: &[u8]) -> Option<Gist> {
        let (rows, history) = (self.tracked.rows(), self.history_lines);
        let may_be = bytes.len() > 2 * (rows + history)
            && self.tracked.margins == (0..rows)
            && self.boundary.unfinished().is_empty();
        may_be.then(|| plain::gist(bytes, rows, history)).flatten()
    }

    fn feed_all(&mut self, bytes: &[u8]) {
        // The slices bound what vte gathers of a string that never ends.
        for slice in bytes.chunks(KEPT) {
            // vte 0.15 loses what follows a character that was cut in two, so it gets whole ones.
            let held = self.boundary.partial_character();
            let mut listener = Listener { offset: held, heard: Vec::new() };
            let joined;
            let slice = if held == 0 {
                self.boundary.follow(slice, &mut listener);
                slice
            } else {
                joined = [self.boundary.unfinished(), slice].concat();
                self.boundary.follow(slice, &mut listener);
                &joined
            };
            let whole = slice.len() - self.boundary.partial_character();
            // Before the beginning of a character vte would also wait for the rest of another one.
            let end = if whole < slice.len() { cut_off_character(&slice[..whole]) } else { whole };
            let survived = self.feed_slice(&slice[..end], listener.heard)
                && (end == whole || self.advance("\u{fffd}".as_bytes()));
            if survived && self.boundary.overlong() {
                // vte has no bound of its own: begin again inside a string that means nothing.
                self.restart_parser();
            }
        }
    }

    /// Returns whether the emulator survived.
    fn feed_slice(&mut self, slice: &[u8], unheard: Vec<(usize, Unheard)>) -> bool {
        let mut done = 0;
        for (end, unheard) in unheard {
            // Without its end a sequence has no effect yet: these may have another.
            let is_replaced = matches!(unheard, Unheard::Repeat(_) | Unheard::SideMargins(..));
            let until = end - usize::from(is_replaced);
            if !self.advance(&slice[done..until]) {
                return false;
            }
            done = end;
            match unheard {
                Unheard::SoftReset => self.tracked.soft_reset(),
                Unheard::SideMargins(left, right) => {
                    let rest = if self.tracked.set_side_margins(left, right) {
                        b"\x18"
                    } else {
                        &slice[until..end]
                    };
                    if !self.advance(rest) {
                        return false;
                    }
                }
                Unheard::Uk(index) => self.tracked.designate_uk(index),
                Unheard::Repeat(count) => {
                    let most = self.tracked.rows() * self.tracked.columns();
                    if !self.advance(format!("\x1b[{}b", count.min(most)).as_bytes()) {
                        return false;
                    }
                }
                Unheard::Directory(uri) => {
                    self.directory = Some(uri).filter(|uri| !uri.is_empty());
                    self.mailbox().notice(Notice::Directory(self.directory.clone()));
                }
            }
        }
        self.advance(&slice[done..])
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        let _survived = self.guarded(|engine| engine.tracked.resize(size));
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.tracked.mailbox
    }

    fn advance(&mut self, bytes: &[u8]) -> bool {
        self.guarded(|engine| engine.processor.advance(&mut engine.tracked, bytes))
    }

    /// Runs the emulator; should it panic, its screen is lost and an empty one takes its place.
    fn guarded(&mut self, run: impl FnOnce(&mut Self)) -> bool {
        if catch_unwind(AssertUnwindSafe(|| run(self))).is_ok() {
            return true;
        }
        self.mailbox().notice(Notice::Rebuilt);
        self.tracked = Tracked::new(self.size, self.history_lines, self.mailbox().clone());
        self.restart_parser();
        false
    }

    /// A fresh parser at the stream's place, as the bytes that come next belong to what has begun.
    fn restart_parser(&mut self) {
        self.processor = Processor::new();
        if self.boundary.partial_character() == 0 {
            self.processor.advance(&mut self.tracked, self.boundary.unfinished());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::screen::{Notice, Screen, Size};

    fn screen(bytes: impl AsRef<[u8]>) -> Screen {
        let mut screen = Screen::new(Size::nearest(20, 6), 0);
        screen.feed(bytes.as_ref());
        screen
    }

    #[test]
    fn a_panic_in_the_emulator_is_survived() {
        // vte 0.15 shifts by the number of digits; where overflow is not checked nothing happens.
        let bytes = format!("shown\x1b]4;1;#{}\x07after", "0".repeat(300));
        let mut screen = screen(bytes);
        let rebuilt = screen.take_notices().contains(&Notice::Rebuilt);
        screen.feed(b"\r\nalive");
        assert_eq!(screen.rows_text()[1], "alive");
        assert_eq!(screen.rows_text()[0].is_empty(), rebuilt);
    }

    #[test]
    fn endless_strings_are_swallowed() {
        for (begin, end) in [("\x1b]2;", "\x07"), ("\x1b]52;c;", "\x1b\\"), ("\x1bPq", "\x1b\\")] {
            let mut original = screen(format!("a{begin}"));
            for _ in 0..40 {
                original.feed(&[b'x'; 10_000]);
            }
            assert!(original.unfinished().len() <= 64 * 1024);
            let mut restored = screen([&original.snapshot(), original.unfinished()].concat());
            for screen in [&mut original, &mut restored] {
                screen.feed(format!("xx{end}b").as_bytes());
                assert_eq!(screen.rows_text()[0], "ab");
                assert_eq!(screen.title(), None);
            }
        }
        let marks = screen("e".to_owned() + &"\u{301}".repeat(100_000));
        assert!(marks.rows_text()[0].len() < 100);
    }
}
