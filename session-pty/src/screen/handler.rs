//! Hands every operation to `Term` and notes on the way what `Term` would not tell again.

use alacritty_terminal::grid::Dimensions as _;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::{TermMode, cell};
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
    KeyboardModesApplyBehavior, LineClearMode, Mode, ModifyOtherKeys, NamedPrivateMode,
    PrivateMode, Rgb, StandardCharset, TabulationClearMode,
};

use super::brush::BLINK;
use super::palette;
use super::restore::OFF;
use super::tracked::{CARRIED, Cursors, TITLES, Tracked, printable};

/// Most combining characters that one cell keeps; the engine would take any number.
const MARKS: usize = 32;

/// Longest link that is kept, as VTE bounds it.
const LINK: usize = 2083;

/// As [`forward`], for what puts the cursor on another row or other rows under the cursor.
macro_rules! forward_moving_rows {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(#[inline]
        fn $name(&mut self, $($argument: $kind),*) {
            Handler::$name(&mut self.term, $($argument),*);
            self.wait_here();
        })*
    };
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(#[inline]
        fn $name(&mut self, $($argument: $kind),*) {
            Handler::$name(&mut self.term, $($argument),*);
        })*
    };
}

// Every method of the trait has an empty default, so one that is missing here would be silent:
// the only ones left out are those that neither `Term` nor an outer terminal's state knows
// (`set_mouse_cursor_icon`, `set_scp`, clipboards, the size in pixels).
impl Handler for Tracked {
    forward! {
        goto(line: i32, column: usize);
        goto_line(line: i32);
        move_forward(columns: usize);
        move_backward(columns: usize);
        identify_terminal(intermediate: Option<char>);
        device_status(kind: usize);
        backspace();
        carriage_return();
        newline();
        bell();
        substitute();
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        report_mode(mode: Mode);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        decaln();
        text_area_size_chars();
    }

    forward_moving_rows! {
        linefeed();
        reverse_index();
        scroll_up(rows: usize);
        scroll_down(rows: usize);
        insert_blank_lines(rows: usize);
        delete_lines(rows: usize);
    }

    #[inline]
    fn input(&mut self, c: char) {
        self.last_printed = Some(c);
        let c = if c == '#' && self.uk[self.shift as usize] { '£' } else { c };
        if c.is_ascii() && !self.mode(TermMode::INSERT) {
            Handler::input(&mut self.term, c);
            return;
        }
        self.input_carefully(c);
    }

    fn terminal_attribute(&mut self, attribute: Attr) {
        let flags = &mut self.term.grid_mut().cursor.template.flags;
        match attribute {
            Attr::BlinkSlow | Attr::BlinkFast => flags.insert(BLINK),
            Attr::CancelBlink => flags.remove(BLINK),
            _ => Handler::terminal_attribute(&mut self.term, attribute),
        }
    }

    fn configure_charset(&mut self, index: CharsetIndex, charset: StandardCharset) {
        self.uk[index as usize] = false;
        Handler::configure_charset(&mut self.term, index, charset);
    }

    fn put_tab(&mut self, count: u16) {
        // Where the cursor waits to wrap the engine would go to the next row; a tab stays in its own.
        if !self.term.grid().cursor.input_needs_wrap {
            Handler::put_tab(&mut self.term, count);
        }
    }

    fn goto_col(&mut self, column: usize) {
        self.step(0, Some(column));
    }

    fn move_up(&mut self, rows: usize) {
        self.step(-(rows as i32), None);
    }

    fn move_down(&mut self, rows: usize) {
        self.step(rows as i32, None);
    }

    fn move_up_and_cr(&mut self, rows: usize) {
        self.step(-(rows as i32), Some(0));
    }

    fn move_down_and_cr(&mut self, rows: usize) {
        self.step(rows as i32, Some(0));
    }

    fn insert_blank(&mut self, count: usize) {
        self.split(self.column());
        self.split(self.columns().saturating_sub(count).max(self.column()));
        Handler::insert_blank(&mut self.term, count);
    }

    fn erase_chars(&mut self, count: usize) {
        self.split(self.column());
        self.split(self.column().saturating_add(count));
        Handler::erase_chars(&mut self.term, count);
    }

    fn delete_chars(&mut self, count: usize) {
        self.split(self.column());
        self.split(self.column().saturating_add(count));
        // Deleting more than there is would make the engine erase to the left of the cursor too.
        let count = count.min(self.columns() - self.column());
        // Nor may the mark of a row that wrapped move to its middle.
        self.unwrap_row();
        Handler::delete_chars(&mut self.term, count);
    }

    fn clear_line(&mut self, mode: LineClearMode) {
        match mode {
            LineClearMode::Right => self.split(self.column()),
            LineClearMode::Left => self.split(self.column() + 1),
            LineClearMode::All => {}
        }
        Handler::clear_line(&mut self.term, mode);
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        match mode {
            ClearMode::Below => self.split(self.column()),
            ClearMode::Above => {
                self.split(self.column() + 1);
                // The engine forgets the row above if it is the only one.
                if self.term.grid().cursor.point.line == 1 {
                    self.term.grid_mut().reset_region(..Line(1));
                }
            }
            ClearMode::All | ClearMode::Saved => {}
        }
        Handler::clear_screen(&mut self.term, mode);
    }

    fn move_forward_tabs(&mut self, count: u16) {
        let columns = u16::try_from(self.columns()).unwrap_or(u16::MAX);
        Handler::move_forward_tabs(&mut self.term, count.min(columns));
        self.step(0, None);
    }

    fn move_backward_tabs(&mut self, count: u16) {
        // Without a stop to the left the engine would stay where it is, and search as often as it was told to.
        let mut column = self.column();
        for _ in 0..count.min(u16::try_from(column).unwrap_or(u16::MAX)) {
            column = (0..column).rev().find(|&left| self.tabs[left]).unwrap_or(0);
        }
        self.step(0, Some(column));
    }

    fn set_horizontal_tabstop(&mut self) {
        let column = self.column();
        self.tabs[column] = true;
        Handler::set_horizontal_tabstop(&mut self.term);
    }

    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        let column = self.column();
        match mode {
            TabulationClearMode::Current => self.tabs[column] = false,
            TabulationClearMode::All => self.tabs.fill(false),
        }
        Handler::clear_tabs(&mut self.term, mode);
    }

    fn set_tabs(&mut self, interval: u16) {
        // `Term` ignores this one.
        let cursor = self.term.grid().cursor.point.column;
        self.clear_tabs(TabulationClearMode::All);
        for column in (0..self.columns()).step_by(usize::from(interval.max(1))) {
            self.term.grid_mut().cursor.point.column = Column(column);
            self.set_horizontal_tabstop();
        }
        self.term.grid_mut().cursor.point.column = cursor;
    }

    fn save_cursor_position(&mut self) {
        let alternate = usize::from(self.alternate());
        self.saved[alternate] = self.saved_now();
        Handler::save_cursor_position(&mut self.term);
    }

    fn restore_cursor_position(&mut self) {
        Handler::restore_cursor_position(&mut self.term);
        self.apply(self.saved[usize::from(self.alternate())]);
    }

    fn reset_state(&mut self) {
        self.show_alternate(false, Cursors::Kept);
        Handler::reset_state(&mut self.term);
        self.forget();
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        // The engine would take a region that begins below the screen.
        let bottom = bottom.unwrap_or(usize::MAX).min(self.rows());
        if top < bottom {
            self.margins = top - 1..bottom;
            Handler::set_scrolling_region(&mut self.term, top, Some(bottom));
        } else if self.rows() == 1 {
            Handler::goto(&mut self.term, 0, 0);
        }
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        self.change_private_mode(mode, true);
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        self.change_private_mode(mode, false);
    }

    fn report_private_mode(&mut self, mode: PrivateMode) {
        // `Term` makes a cursor style of its own when it is asked about blinking.
        if mode == NamedPrivateMode::BlinkingCursor.into() {
            let state = if self.term.cursor_style().blinking { 1 } else { 2 };
            self.mailbox.answer(&format!("\x1b[?12;{state}$y"));
        } else if mode == NamedPrivateMode::SyncUpdate.into() {
            let state = if self.synchronized { 1 } else { 2 };
            self.mailbox.answer(&format!("\x1b[?2026;{state}$y"));
        } else {
            Handler::report_private_mode(&mut self.term, mode);
        }
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.shift_to(index);
    }

    fn set_cursor_style(&mut self, style: Option<CursorStyle>) {
        self.cursor_styled = style.is_some();
        Handler::set_cursor_style(&mut self.term, style);
    }

    fn set_cursor_shape(&mut self, shape: CursorShape) {
        self.cursor_styled = true;
        Handler::set_cursor_shape(&mut self.term, shape);
    }

    fn set_color(&mut self, index: usize, color: Rgb) {
        self.colors_touched.insert(index);
        Handler::set_color(&mut self.term, index, color);
    }

    fn reset_color(&mut self, index: usize) {
        self.colors_touched.insert(index);
        Handler::reset_color(&mut self.term, index);
    }

    fn dynamic_color_sequence(&mut self, prefix: String, index: usize, terminator: &str) {
        let Rgb { r, g, b } = palette::value(self.term.colors(), index);
        self.mailbox.answer(&format!(
            "\x1b]{prefix};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}{terminator}"
        ));
    }

    fn set_title(&mut self, title: Option<String>) {
        self.change_title(title);
    }

    fn push_title(&mut self) {
        if self.titles.len() == TITLES {
            self.titles.remove(0);
        }
        self.titles.push(self.title.clone());
    }

    fn pop_title(&mut self) {
        if let Some(title) = self.titles.pop() {
            self.change_title(title);
        }
    }

    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        // Without an id of its own a link gets a counter's value, which no copy could repeat.
        let link = link.filter(|link| link.uri.len() <= LINK).map(|link| {
            let id = printable(&link.id.unwrap_or_default(), 250);
            cell::Hyperlink::new(Some(id), printable(&link.uri, LINK))
        });
        let link = link.filter(|link| !link.uri().is_empty());
        if let Some(link) = &link {
            let lines = self.main().total_lines() + self.rows();
            if self.links.wants_search(link, lines * self.columns()) {
                self.search_links();
            }
        }
        let link = link.and_then(|link| self.links.keep(link));
        self.term.grid_mut().cursor.template.set_hyperlink(link);
    }

    fn report_keyboard_mode(&mut self) {
        let flags = self.keys().flags().bits();
        self.mailbox.answer(&format!("\x1b[?{flags}u"));
    }

    fn push_keyboard_mode(&mut self, mode: KeyboardModes) {
        self.keys().push(mode);
        self.show_keyboard();
    }

    fn pop_keyboard_modes(&mut self, to_pop: u16) {
        self.keys().pop(to_pop);
        self.show_keyboard();
    }

    fn set_keyboard_mode(&mut self, mode: KeyboardModes, how: KeyboardModesApplyBehavior) {
        self.keys().set(mode, how);
        self.show_keyboard();
    }

    fn set_modify_other_keys(&mut self, mode: ModifyOtherKeys) {
        self.modify_other_keys = mode as u8;
    }

    fn report_modify_other_keys(&mut self) {
        self.mailbox.answer(&format!("\x1b[>4;{}m", self.modify_other_keys));
    }
}

impl Tracked {
    /// Writes a character that may be wide, may combine or may push others to the right.
    fn input_carefully(&mut self, c: char) {
        if self.mode(TermMode::INSERT) {
            // A wide character shifts by two; either of its halves may fall off the edge.
            self.split(self.column());
            self.split(self.columns() - 1);
            self.split(self.columns() - 2);
        }
        if self.joined_cell().zerowidth().is_some_and(|marks| marks.len() >= MARKS) {
            let before = self.term.grid().cursor.clone();
            let extra = self.joined_cell().extra.clone();
            Handler::input(&mut self.term, c);
            if self.term.grid().cursor == before {
                self.joined_cell().extra = extra;
            }
        } else {
            Handler::input(&mut self.term, c);
        }
        if self.mode(TermMode::INSERT) {
            // Where it wrapped first, it was another row that was shifted.
            self.halve_last();
        }
        if !self.mode(TermMode::LINE_WRAP) {
            // A wide character that does not fit is not written, but the cursor waits.
            self.wait_here();
        }
    }

    fn change_private_mode(&mut self, mode: PrivateMode, on: bool) {
        use NamedPrivateMode as Named;
        match mode {
            PrivateMode::Named(Named::SwapScreenAndSetRestoreCursor) => {
                return self.show_alternate(on, Cursors::Saved);
            }
            PrivateMode::Unknown(47 | 1047) => return self.show_alternate(on, Cursors::Kept),
            PrivateMode::Unknown(1048) if on => return self.save_cursor_position(),
            PrivateMode::Unknown(1048) => return self.restore_cursor_position(),
            PrivateMode::Unknown(69) => self.side_margins = on.then(|| 0..self.columns()),
            PrivateMode::Named(Named::SyncUpdate) => self.synchronized = on,
            PrivateMode::Named(Named::BlinkingCursor) => self.cursor_styled = true,
            // The engine's DECCOLM changes no width, but it does reset the margins.
            PrivateMode::Named(Named::ColumnMode) => self.margins = 0..self.rows(),
            _ => {}
        }
        if CARRIED.contains(&mode.raw()) {
            self.carried.insert(mode.raw(), on);
            self.carried.retain(|mode, on| *on || !OFF.contains(mode));
        }
        if on {
            Handler::set_private_mode(&mut self.term, mode);
        } else {
            Handler::unset_private_mode(&mut self.term, mode);
            // Resetting origin mode homes the cursor too (DEC STD 070); `Term` leaves it.
            if mode == Named::Origin.into() {
                Handler::goto(&mut self.term, 0, 0);
            }
        }
    }
}
