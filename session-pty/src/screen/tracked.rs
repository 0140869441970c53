//! A terminal that also remembers what `Term` keeps to itself: margins, tab stops, stacks, titles.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Range;

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Osc52, Term, TermMode};
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, Handler, KeyboardModesApplyBehavior, NamedMode, NamedPrivateMode,
    StandardCharset,
};

use super::keyboard::Keyboard;
use super::links::Links;
use super::mailbox::Mailbox;
use super::settle::{WRAPPED, settle, settle_cursor, trust_nothing};
use super::{Notice, Size};

/// Private modes that nothing here depends on but that an outer terminal acts on: reverse video,
/// X10 mouse, reverse wrap, keypad, backarrow, urxvt and pixel mouse encodings, alternate scroll,
/// meta keys, urgency, grapheme clusters, colour scheme and size reports, win32 input.
pub(super) const CARRIED: [u16; 17] =
    [5, 9, 45, 66, 67, 1007, 1015, 1016, 1034, 1036, 1039, 1042, 1043, 2027, 2031, 2048, 9001];

/// As xterm bounds its stack of titles.
pub(super) const TITLES: usize = 10;

/// What DECSC saves besides what the engine's cursor holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) shift: CharsetIndex,
    pub(super) origin: bool,
    pub(super) uk: [bool; 4],
}

/// What switching the screens does to the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursors {
    /// It is saved with the main screen, and comes back with it (mode 1049).
    Saved,
    /// It stays where it is (modes 47 and 1047).
    Kept,
}

pub(super) struct Tracked {
    pub(super) term: Term<Mailbox>,
    pub(super) mailbox: Mailbox,
    /// The main screen while the alternate one is shown. `Term` would keep it out of reach, so it
    /// is lent a spare one instead.
    pub(super) behind: Option<Grid<Cell>>,
    pub(super) margins: Range<usize>,
    /// Left and right margins, where they are enabled (DECLRMM). An outer terminal obeys them, `Term` does not.
    pub(super) side_margins: Option<Range<usize>>,
    pub(super) tabs: Vec<bool>,
    pub(super) shift: CharsetIndex,
    /// Which of the four character sets are the United Kingdom's: `Term` knows no such set, and has ASCII there.
    pub(super) uk: [bool; 4],
    /// Of the main and the alternate screen.
    pub(super) saved: [Saved; 2],
    /// The saved cursor of the alternate screen while it is not shown. `Term` would keep it out of reach.
    pub(super) saved_behind: Cursor<Cell>,
    /// Of the main and the alternate screen.
    pub(super) keyboard: [Keyboard; 2],
    pub(super) modify_other_keys: u8,
    pub(super) title: Option<String>,
    pub(super) titles: Vec<Option<String>>,
    pub(super) cursor_styled: bool,
    pub(super) carried: BTreeMap<u16, bool>,
    pub(super) colors_touched: BTreeSet<usize>,
    pub(super) synchronized: bool,
    pub(super) last_printed: Option<char>,
    pub(super) links: Links,
}

/// The engine's idea of a size.
#[derive(Clone, Copy)]
struct Dims(Size);

impl Dimensions for Dims {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.0.rows())
    }

    fn columns(&self) -> usize {
        usize::from(self.0.cols())
    }
}

impl Tracked {
    pub(super) fn new(size: Size, history_lines: usize, mailbox: Mailbox) -> Self {
        let config = Config {
            scrolling_history: history_lines,
            kitty_keyboard: true,
            osc52: Osc52::Disabled,
            ..Config::default()
        };
        Self {
            term: Term::new(config, &Dims(size), mailbox.clone()),
            mailbox,
            behind: None,
            margins: 0..usize::from(size.rows()),
            side_margins: None,
            tabs: default_tabs(usize::from(size.cols())),
            shift: CharsetIndex::G0,
            uk: [false; 4],
            saved: Default::default(),
            saved_behind: Cursor::default(),
            keyboard: Default::default(),
            modify_other_keys: 0,
            title: None,
            titles: Vec::new(),
            cursor_styled: false,
            carried: BTreeMap::new(),
            colors_touched: BTreeSet::new(),
            synchronized: false,
            last_printed: None,
            links: Links::default(),
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.term.columns()
    }

    pub(super) fn rows(&self) -> usize {
        self.term.screen_lines()
    }

    pub(super) fn mode(&self, mode: TermMode) -> bool {
        self.term.mode().contains(mode)
    }

    pub(super) fn alternate(&self) -> bool {
        self.behind.is_some()
    }

    /// The main screen with its history, shown or not.
    pub(super) fn main(&self) -> &Grid<Cell> {
        self.behind.as_ref().unwrap_or_else(|| self.term.grid())
    }

    pub(super) fn resize(&mut self, size: Size) {
        let (columns, rows) = (usize::from(size.cols()), usize::from(size.rows()));
        if (columns, rows) == (self.columns(), self.rows()) {
            return;
        }
        self.term.resize(Dims(size));
        if let Some(main) = &mut self.behind {
            main.resize(true, rows, columns);
            settle(main, columns, rows);
            // Behind the alternate screen the two are one.
            main.saved_cursor = main.cursor.clone();
        }
        settle(self.term.grid_mut(), columns, rows);
        settle_cursor(&mut self.saved_behind, columns, rows);
        // As `Term` does with its own.
        self.margins = 0..rows;
        self.side_margins = self.side_margins.take().map(|_| 0..columns);
        let known = self.tabs.len();
        self.tabs.resize(columns, false);
        for column in known..columns {
            self.tabs[column] = column % 8 == 0;
        }
    }

    /// DECSLRM, if that is what `CSI s` means now: without DECLRMM it saves the cursor. Columns count from 1.
    pub(super) fn set_side_margins(&mut self, left: usize, right: usize) -> bool {
        let columns = self.columns();
        let Some(margins) = &mut self.side_margins else { return false };
        let right = if right == 0 { columns } else { right.min(columns) };
        if left.max(1) < right {
            *margins = left.max(1) - 1..right;
            self.goto(0, 0);
        }
        true
    }

    /// DECSTR, which vte does not know (xterm control sequences, "Soft terminal reset").
    pub(super) fn soft_reset(&mut self) {
        let (cursor, waits) = {
            let cursor = &self.term.grid().cursor;
            (cursor.point, cursor.input_needs_wrap)
        };
        self.set_private_mode(NamedPrivateMode::ShowCursor.into());
        self.set_private_mode(NamedPrivateMode::LineWrap.into());
        self.unset_private_mode(NamedPrivateMode::CursorKeys.into());
        self.unset_mode(NamedMode::Insert.into());
        self.unset_keypad_application_mode();
        self.set_origin(false);
        self.set_scrolling_region(1, None);
        self.side_margins = None;
        self.terminal_attribute(Attr::Reset);
        self.shift_to(CharsetIndex::G0);
        self.uk = [false; 4];
        let grid = self.term.grid_mut();
        grid.cursor.charsets = Default::default();
        grid.saved_cursor = Default::default();
        grid.cursor.point = cursor;
        grid.cursor.input_needs_wrap = waits;
        let alternate = usize::from(self.alternate());
        self.saved[alternate] = Saved::default();
    }

    /// Shows the alternate screen, empty, or the main one again.
    pub(super) fn show_alternate(&mut self, alternate: bool, cursors: Cursors) {
        if alternate == self.alternate() {
            return;
        }
        if alternate {
            if cursors == Cursors::Saved {
                self.save_cursor_position();
            }
            let mut spare = Grid::new(self.rows(), self.columns(), 0);
            spare.cursor = self.term.grid().cursor.clone();
            let mut main = mem::replace(self.term.grid_mut(), spare);
            main.cursor = main.saved_cursor.clone();
            self.behind = Some(main);
            self.term.swap_alt();
            // `Term` has cleared it, and believes of a row what it was told before a resize.
            let grid = self.term.grid_mut();
            trust_nothing(grid);
            grid.reset_region(..);
            // Its own, from when it was last shown.
            self.term.grid_mut().saved_cursor = mem::take(&mut self.saved_behind);
        } else if let Some(main) = self.behind.take() {
            self.saved_behind = self.term.grid().saved_cursor.clone();
            // `Term` keeps the grid, and with it what its cells had.
            self.term.grid_mut().reset_region(..);
            let cursor = self.term.grid().cursor.clone();
            self.term.swap_alt();
            *self.term.grid_mut() = main;
            match cursors {
                Cursors::Saved => self.restore_cursor_position(),
                Cursors::Kept => {
                    self.term.grid_mut().cursor = cursor;
                    self.wait_here();
                }
            }
        }
        self.show_keyboard();
    }

    pub(super) fn saved_now(&self) -> Saved {
        Saved { shift: self.shift, origin: self.mode(TermMode::ORIGIN), uk: self.uk }
    }

    pub(super) fn apply(&mut self, saved: Saved) {
        self.shift_to(saved.shift);
        self.uk = saved.uk;
        self.set_origin(saved.origin);
        if saved.origin {
            let (first, last) = (self.margins.start as i32, self.margins.end as i32 - 1);
            let line = &mut self.term.grid_mut().cursor.point.line;
            *line = Line(line.0.clamp(first, last));
        }
        self.wait_here();
    }

    pub(super) fn shift_to(&mut self, shift: CharsetIndex) {
        self.shift = shift;
        Handler::set_active_charset(&mut self.term, shift);
    }

    pub(super) fn designate_uk(&mut self, index: CharsetIndex) {
        self.configure_charset(index, StandardCharset::Ascii);
        self.uk[index as usize] = true;
    }

    /// Switches origin mode and leaves the cursor where it is.
    fn set_origin(&mut self, on: bool) {
        let cursor = self.term.grid().cursor.clone();
        let mode = NamedPrivateMode::Origin.into();
        if on {
            Handler::set_private_mode(&mut self.term, mode);
        } else {
            Handler::unset_private_mode(&mut self.term, mode);
        }
        self.term.grid_mut().cursor = cursor;
    }

    pub(super) fn keys(&mut self) -> &mut Keyboard {
        let alternate = usize::from(self.alternate());
        &mut self.keyboard[alternate]
    }

    /// Gives `Term` the flags in force; its own stacks stay empty.
    pub(super) fn show_keyboard(&mut self) {
        let flags = self.keys().flags();
        Handler::set_keyboard_mode(&mut self.term, flags, KeyboardModesApplyBehavior::Replace);
    }

    pub(super) fn change_title(&mut self, title: Option<String>) {
        let title = title.map(|title| printable(&title, 4096)).filter(|title| !title.is_empty());
        if title != self.title {
            self.title.clone_from(&title);
            self.mailbox.notice(Notice::Title(title));
        }
    }

    /// Moves the cursor by rows, which margins stop, and to a column. `Term` lets margins pass, and
    /// in origin mode adds their offset to moves that are relative already.
    pub(super) fn step(&mut self, rows: i32, column: Option<usize>) {
        let (first, last) = (self.margins.start as i32, self.margins.end as i32 - 1);
        let (bottom, last_column) = (self.rows() as i32 - 1, self.columns() - 1);
        let cursor = &mut self.term.grid_mut().cursor;
        let line = cursor.point.line.0;
        let top = if line >= first { first } else { 0 };
        let bottom = if line <= last { last } else { bottom };
        cursor.point.line = Line((line + rows).clamp(top, bottom));
        if let Some(column) = column {
            cursor.point.column = Column(column.min(last_column));
        }
        cursor.input_needs_wrap = false;
    }

    /// Keeps no half of a wide character on either side of `column` of the cursor's row, as
    /// terminals blank the other half when an operation takes one. The engine would leave it.
    pub(super) fn split(&mut self, column: usize) {
        let line = self.term.grid().cursor.point.line;
        if column == 0 || column >= self.columns() {
            return;
        }
        let row = &mut self.term.grid_mut()[line];
        if row[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER) {
            row[Column(column)].flags.remove(Flags::WIDE_CHAR_SPACER);
            row[Column(column - 1)].clear_wide();
        }
    }

    /// Blanks the half of a wide character that is left in the last column of the cursor's row.
    pub(super) fn halve_last(&mut self) {
        let line = self.term.grid().cursor.point.line;
        let last = self.term.last_column();
        if self.term.grid()[line][last].flags.contains(Flags::WIDE_CHAR) {
            self.term.grid_mut()[line][last].clear_wide();
        }
    }

    /// The cursor's row no longer goes on in the next one.
    pub(super) fn unwrap_row(&mut self) {
        let line = self.term.grid().cursor.point.line;
        let last = self.term.last_column();
        let flags = &mut self.term.grid_mut()[line][last].flags;
        flags.remove(WRAPPED);
    }

    /// A cursor that waits to wrap, on a row that wrapped before, waits to wrap that row anew.
    /// Nothing could bring another terminal's cursor to wait there and leave the row as it is.
    pub(super) fn wait_here(&mut self) {
        if self.term.grid().cursor.input_needs_wrap {
            self.unwrap_row();
        }
    }

    /// The cursor's column.
    pub(super) fn column(&self) -> usize {
        self.term.grid().cursor.point.column.0
    }

    /// The cell that a combining character would join, as the engine finds it.
    pub(super) fn joined_cell(&mut self) -> &mut Cell {
        let cursor = &self.term.grid().cursor;
        let line = cursor.point.line;
        let mut column = cursor.point.column.0;
        if !cursor.input_needs_wrap {
            column = column.saturating_sub(1);
        }
        let row = &mut self.term.grid_mut()[line];
        if row[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column = column.saturating_sub(1);
        }
        &mut row[Column(column)]
    }

    /// Forgets the links that no cell has any more.
    pub(super) fn search_links(&mut self) {
        let grids = self.behind.iter_mut().chain([self.term.grid_mut()]);
        self.links.search(grids);
    }

    /// Forgets what RIS resets; `Term` has reset the rest.
    pub(super) fn forget(&mut self) {
        self.margins = 0..self.rows();
        self.side_margins = None;
        self.tabs = default_tabs(self.columns());
        self.shift = CharsetIndex::G0;
        self.uk = [false; 4];
        self.saved = Default::default();
        self.saved_behind = Cursor::default();
        self.keyboard = Default::default();
        self.modify_other_keys = 0;
        self.titles.clear();
        self.change_title(None);
        self.cursor_styled = false;
        self.carried.clear();
        self.synchronized = false;
    }
}

/// Characters without controls, at most `limit` of them, without blanks around them.
pub(super) fn printable(text: &str, limit: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(limit).collect();
    text.trim().to_owned()
}

/// A tab stop every eight columns.
fn default_tabs(columns: usize) -> Vec<bool> {
    (0..columns).map(|column| column % 8 == 0).collect()
}
