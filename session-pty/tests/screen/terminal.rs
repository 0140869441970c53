//! Terminals to compare: our screen, and the engine below it without ours, which stands for what somebody looks at.

use std::sync::{Arc, Mutex};

use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::vte::ansi::{Processor, StdSyncHandler};
use session_pty::screen::{Screen, Size};

/// Something that shows bytes and answers to them.
pub(crate) trait Terminal {
    fn feed(&mut self, bytes: &[u8]);
    fn resize(&mut self, size: Size);
    fn answers(&mut self) -> Vec<u8>;
    fn title(&self) -> Option<String>;
    /// Everything that can be seen, with `history` lines above the screen.
    fn picture(&self, history: usize) -> String;
    fn size(&self) -> Size;
    fn is_alternate(&self) -> bool;
}

impl Terminal for Screen {
    fn feed(&mut self, bytes: &[u8]) {
        Self::feed(self, bytes);
    }

    fn resize(&mut self, size: Size) {
        Self::resize(self, size);
    }

    fn answers(&mut self) -> Vec<u8> {
        self.take_answers()
    }

    fn title(&self) -> Option<String> {
        Self::title(self).map(str::to_owned)
    }

    fn picture(&self, history: usize) -> String {
        let (grid, directory) = (self.grid(), self.directory());
        format!("{grid:?} {directory:?}\n{}", self.ansi(Some(history)).escape_ascii())
    }

    fn size(&self) -> Size {
        Self::size(self)
    }

    fn is_alternate(&self) -> bool {
        self.alternate()
    }
}

/// A terminal that is not ours, with a scrollback of its own.
pub(crate) struct Outer {
    term: Term<Mail>,
    parser: Processor<StdSyncHandler>,
    mail: Mail,
}

#[derive(Clone, Default)]
struct Mail(Arc<Mutex<(Vec<u8>, Option<String>)>>);

impl EventListener for Mail {
    fn send_event(&self, event: Event) {
        let mut mail = self.0.lock().unwrap();
        match event {
            Event::PtyWrite(text) => mail.0.extend_from_slice(text.as_bytes()),
            Event::Title(title) => mail.1 = Some(title),
            Event::ResetTitle => mail.1 = None,
            _ => {}
        }
    }
}

impl Outer {
    pub(crate) fn new(size: Size) -> Self {
        let mail = Mail::default();
        let config =
            Config { scrolling_history: 100_000, kitty_keyboard: true, ..Config::default() };
        let term = Term::new(config, &dimensions(size), mail.clone());
        Self { term, parser: Processor::new(), mail }
    }

    pub(crate) fn with(size: Size, bytes: impl AsRef<[u8]>) -> Self {
        let mut outer = Self::new(size);
        outer.feed(bytes.as_ref());
        outer
    }

    /// All rows, those above the screen too, each with whether it goes on in the next one.
    pub(crate) fn rows(&self) -> Vec<String> {
        let grid = self.term.grid();
        (grid.topmost_line().0..=grid.bottommost_line().0)
            .map(|line| row(&grid[Line(line)][..]))
            .collect()
    }

    /// How many of them are above the screen.
    pub(crate) fn history(&self) -> usize {
        self.term.grid().history_size()
    }
}

impl Terminal for Outer {
    fn feed(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.term, bytes);
    }

    fn resize(&mut self, size: Size) {
        self.term.resize(dimensions(size));
    }

    fn answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.mail.0.lock().unwrap().0)
    }

    fn title(&self) -> Option<String> {
        self.mail.0.lock().unwrap().1.clone().filter(|title| !title.is_empty())
    }

    fn picture(&self, history: usize) -> String {
        let rows = self.rows();
        let from = self.history().saturating_sub(history);
        let cursor = &self.term.grid().cursor;
        format!(
            "{}\n{:?} {} {:?} {:?}",
            rows[from..].join("\n"),
            cursor.point,
            cursor.input_needs_wrap,
            self.term.mode(),
            self.term.cursor_style()
        )
    }

    fn size(&self) -> Size {
        let (columns, rows) = (self.term.columns(), self.term.screen_lines());
        Size::nearest(columns.try_into().unwrap(), rows.try_into().unwrap())
    }

    fn is_alternate(&self) -> bool {
        use alacritty_terminal::term::TermMode;
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }
}

fn dimensions(size: Size) -> TermSize {
    TermSize::new(size.cols().into(), size.rows().into())
}

/// A row's text, then its attributes where they change.
fn row(cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut looks = String::new();
    let mut before = String::new();
    for column in 0..cells.len() {
        let cell = &cells[column];
        if !cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER) {
            text.push(if cell.c == '\t' { ' ' } else { cell.c });
            text.extend(cell.zerowidth().unwrap_or_default());
        }
        let link = cell.hyperlink().map(|link| {
            // Without an id of its own a link has the engine's counter.
            let id = Some(link.id().to_owned()).filter(|id| !id.ends_with("_alacritty"));
            (id.unwrap_or_default(), link.uri().to_owned())
        });
        // The mark of a row that wraps is told apart; elsewhere than at its end it is a mistake.
        let end = if column + 1 == cells.len() { Flags::WRAPLINE } else { Flags::empty() };
        let flags = cell.flags - end;
        let look =
            format!("{:?} {:?} {flags:?} {:?} {link:?}", cell.fg, cell.bg, cell.underline_color());
        if look != before {
            looks.push_str(&format!(" {column}:{look}"));
            before = look;
        }
    }
    let wraps = cells[Column(cells.len() - 1).0].flags.contains(Flags::WRAPLINE);
    format!("{text}|{wraps}{looks}")
}
