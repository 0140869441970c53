//! Keeps what is on a terminal's screen beside its byte stream, so that it can be shown again.

use std::fmt;

use alacritty_terminal::term::TermMode;
use alacritty_terminal::vte::ansi::CursorShape;

mod boundary;
mod brush;
mod engine;
mod frame;
mod grid;
mod handler;
mod html;
mod keyboard;
mod links;
mod mailbox;
mod model;
mod palette;
mod plain;
mod restore;
mod rows;
mod sequence;
mod settle;
mod snapshot;
mod text;
mod text_log;
mod tracked;

use engine::Engine;

pub use boundary::Boundary;
pub use frame::Frame;
pub use grid::{CursorGrid, ScreenGrid};
pub use model::ScreenModel;
pub use restore::RESTORE;
pub use text_log::TextLog;

/// Sizes are those of the rest of the system; a zero or a very large one is accepted and kept within reason.
pub use session_core::TerminalSize as Size;

/// Something that happened on the screen and is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The title changed (OSC 0 or 2, or the stack of titles).
    Title(Option<String>),
    /// BEL; several in a row are told as one.
    Bell,
    /// The program told its working directory, a `file:` URI (OSC 7).
    Directory(Option<String>),
    /// The emulator failed on what it was fed and began again with an empty screen.
    Rebuilt,
}

/// A terminal's screen, kept by `alacritty_terminal`.
///
/// Pure state: no clock, no thread, nothing read or written. The emulator is made when the first
/// bytes arrive.
pub struct Screen {
    size: Size,
    history_lines: usize,
    engine: Option<Box<Engine>>,
}

impl Screen {
    /// An empty screen that keeps up to `history_lines` lines above it.
    pub fn new(size: Size, history_lines: usize) -> Self {
        Self { size, history_lines: history_lines.min(1_000_000), engine: None }
    }

    /// Takes the next bytes of the program's output.
    ///
    /// Never panics: should the emulator, its screen is lost, [`Notice::Rebuilt`] says so, and it
    /// goes on with an empty one. Synchronised updates (mode 2026) are applied as they arrive.
    ///
    /// What a program can pile up has bounds, all of them beyond what programs do on purpose:
    ///
    /// | what | most | beyond that |
    /// |---|---|---|
    /// | a string (OSC, DCS and so on) | 64 KiB | nothing of it is applied |
    /// | a link's address and id (OSC 8) | 2083 bytes, 250 characters | no link; the id is cut |
    /// | all links of the screen and its history | 4 MiB, equal ones counted once | cells get no link until others are gone |
    /// | links where a screen is written out | 4 MiB in one text | the rest of the text is without links |
    /// | combining characters | 32 in a cell | they are dropped |
    /// | repetitions of a character (REP) | as many as the screen has cells | they are left out |
    /// | a title, the working directory | 4096 characters | they are cut |
    /// | titles pushed, keyboard flags pushed | 10, 32 | the oldest are dropped |
    pub fn feed(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (size, history_lines) = (held(self.size), self.history_lines);
        self.engine.get_or_insert_with(|| Box::new(Engine::new(size, history_lines))).feed(bytes);
    }

    /// Changes the size. Rows of the main screen wrap anew, margins are reset.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        if let Some(engine) = &mut self.engine {
            engine.resize(held(size));
        }
    }

    /// The size that was asked for.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Takes the replies to queries (device attributes, status, modes, colours, keyboard flags)
    /// that were collected while feeding; whether to type them is the caller's to decide.
    ///
    /// Clipboards (OSC 52), titles and sizes in pixels are never told. At most 64 KiB wait.
    pub fn take_answers(&mut self) -> Vec<u8> {
        self.engine.as_ref().map(|engine| engine.mailbox().take_answers()).unwrap_or_default()
    }

    /// Takes what happened since the last call; at most the last 64 wait.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.engine.as_ref().map(|engine| engine.mailbox().take_notices()).unwrap_or_default()
    }

    /// The title that the program set.
    pub fn title(&self) -> Option<&str> {
        self.engine.as_ref()?.tracked.title.as_deref()
    }

    /// The working directory that the program told (OSC 7), a `file:` URI.
    pub fn directory(&self) -> Option<&str> {
        self.engine.as_ref()?.directory.as_deref()
    }

    /// Plain terminal bytes that make a terminal of this size, in whatever state, show this screen
    /// and behave as one that watched all along.
    ///
    /// To be followed by [`unfinished`](Self::unfinished). What a terminal that watched all along may have and this
    /// one has not:
    ///
    /// | what | why | what somebody sees |
    /// |---|---|---|
    /// | text inside left and right margins (DECSLRM) | the emulator wraps and scrolls whole rows; the margins themselves are restored | the wrong text in rows that scrolled, until the program draws them anew |
    /// | selective erase, protected characters (DECSED, DECSEL, DECSCA) and rectangles (DECCRA, DECFRA and so on) | the emulator ignores them | text that should be gone or elsewhere |
    /// | rows of double width or height (DECDWL, DECDHL) | the emulator ignores them | rows as all others |
    /// | images | the emulator ignores them | nothing where they were |
    /// | character sets other than ASCII, line drawing and the United Kingdom's; G2 and G3 shifted in | the emulator ignores them | the letters that stand for those characters |
    /// | rapid blinking, overline, fonts, raised and lowered text | a cell has one bit for blinking and none for the others | slow blinking; text without them |
    /// | what the alternate screen had when it was left (mode 47 shows it again) | it is not kept, as programs draw it anew | an empty screen |
    /// | colours other than the palette's, the text's and the cursor's; stacks of colours and attributes | not kept | the colours of the terminal |
    /// | the icon's name, the pointer's shape, marks of prompts (OSC 1, 22, 133) | not kept | the terminal's own; no jumping to earlier prompts |
    /// | modes put aside by XTSAVE | not kept | they stay as they are when they are to come back |
    /// | the character that REP would repeat, where a full screen has lost it | nothing but writing it could restore it | another one, or none, if the program repeats before it writes |
    /// | what is beyond the bounds of [`feed`](Self::feed) | memory | as it says there |
    pub fn snapshot(&self) -> Vec<u8> {
        self.snapshot_with_history(0)
    }

    /// Like [`snapshot`](Self::snapshot), with up to `lines` of the kept history scrolled out
    /// first, so that the terminal's own scrollback has it.
    pub fn snapshot_with_history(&self, lines: usize) -> Vec<u8> {
        self.read(|engine| snapshot::write(engine, lines))
    }

    /// What to send to a terminal of this size that somebody looks at, in whatever state it is: like
    /// [`snapshot_with_history`](Self::snapshot_with_history), with two differences.
    ///
    /// - Of the last `lines` lines of history only so many are sent as take `bytes` at most, the youngest. Whatever
    ///   the budget, the screen is sent whole. Rows that wrapped wrap again, the last of the history onto the first
    ///   of the screen too.
    /// - It is shown at once, and shown even if the program is in the middle of a synchronized update (mode 2026): a
    ///   terminal that was left in the middle would show nothing until the program goes on, which may be never.
    ///
    /// The history becomes the terminal's own scrollback by being printed above the screen. What the terminal shows
    /// by then is erased, not scrolled out: whoever wants to keep it scrolls it out first. The terminal's scrollback
    /// is never cleared, since what somebody did before attaching is in it as well. To be sent once to each terminal
    /// with history, later without (`lines` 0), or the history would be there twice.
    pub fn replay(&self, lines: usize, bytes: usize) -> Vec<u8> {
        self.read(|engine| snapshot::replay(engine, lines, bytes))
    }

    /// The bytes of a sequence or character that has begun and is not complete; see [`Boundary`].
    pub fn unfinished(&self) -> &[u8] {
        self.engine.as_ref().map(|engine| engine.boundary.unfinished()).unwrap_or_default()
    }

    /// The visible rows, without blanks at their ends.
    pub fn rows_text(&self) -> Vec<String> {
        self.read(|engine| text::visible(&engine.tracked))
    }

    /// The last lines that scrolled out of the main screen, oldest first, wrapped as they stand.
    pub fn history_text(&self, last: usize) -> Vec<String> {
        self.read(|engine| text::history(&engine.tracked, last))
    }

    /// The visible rows below up to `scrollback` lines of history, each ended by a newline; rows
    /// below the last one with text are left out.
    pub fn text(&self, scrollback: Option<usize>) -> String {
        self.read(|engine| text::plain(&engine.tracked, scrollback))
    }

    /// Like [`text`](Self::text), with attributes as SGR sequences and links as OSC 8.
    pub fn ansi(&self, scrollback: Option<usize>) -> Vec<u8> {
        self.read(|engine| text::ansi(&engine.tracked, scrollback))
    }

    /// Like [`text`](Self::text), as one `<pre>` element with inline styles.
    pub fn html(&self, scrollback: Option<usize>) -> String {
        self.read(|engine| html::write(&engine.tracked, scrollback))
    }

    /// The screen as a value for serialising.
    pub fn grid(&self) -> ScreenGrid {
        self.read(|engine| grid::read(&engine.tracked, self.size))
    }

    /// What a viewer of another size is shown: rows and columns clipped or padded, the rows so
    /// that the cursor's is among them.
    pub fn frame(&self, view: Size) -> Frame {
        self.read(|engine| Frame::of(&engine.tracked, view))
    }

    /// Whether the program wants pastes bracketed (mode 2004).
    pub fn bracketed_paste(&self) -> bool {
        self.mode(TermMode::BRACKETED_PASTE)
    }

    /// Whether cursor keys send `ESC O` (DECCKM).
    pub fn application_cursor(&self) -> bool {
        self.mode(TermMode::APP_CURSOR)
    }

    /// Whether the alternate screen is shown.
    pub fn alternate(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.tracked.alternate())
    }

    /// Whether the program wants to be told of focus (mode 1004).
    pub fn focus_reporting(&self) -> bool {
        self.mode(TermMode::FOCUS_IN_OUT)
    }

    /// Whether the program wants any mouse reports.
    pub fn mouse_reporting(&self) -> bool {
        let any = |engine: &Engine| engine.tracked.term.mode().intersects(TermMode::MOUSE_MODE);
        self.engine.as_deref().is_some_and(any)
    }

    /// Gives back the memory that the emulator holds ready for lines to come.
    pub fn compact(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.tracked.term.grid_mut().truncate();
            if let Some(main) = &mut engine.tracked.behind {
                main.truncate();
            }
        }
    }

    fn mode(&self, mode: TermMode) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.tracked.mode(mode))
    }

    /// Reads the emulator, or a blank one where there is none yet.
    fn read<T>(&self, read: impl FnOnce(&Engine) -> T) -> T {
        match &self.engine {
            Some(engine) => read(engine),
            None => read(&Engine::new(held(self.size), 0)),
        }
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("size", &self.size)
            .field("history_lines", &self.history_lines)
            .field("awake", &self.engine.is_some())
            .finish_non_exhaustive()
    }
}

/// The name of a cursor's shape.
fn shape_name(shape: CursorShape) -> &'static str {
    match shape {
        CursorShape::Underline => "underline",
        CursorShape::Beam => "bar",
        CursorShape::Block | CursorShape::HollowBlock | CursorShape::Hidden => "block",
    }
}

/// The size that the emulator works on: one column would make it loop for ever on a wide character, and the
/// largest sizes that a terminal can claim would take gigabytes.
fn held(size: Size) -> Size {
    Size::nearest(size.cols().clamp(2, 1024), size.rows().clamp(1, 1024))
}
