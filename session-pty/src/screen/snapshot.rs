//! Writes a screen as terminal bytes that bring any terminal of its size into the same state.

use std::fmt::Write as _;

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::vte::ansi::CursorShape;

use super::brush::Brush;
use super::engine::Engine;
use super::restore::RESET;
use super::rows::{history_within, place, print_last, screen, unplace};
use super::tracked::{Saved, Tracked};

const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";

/// The whole state, with up to `history` lines of the main screen's history above it.
pub(super) fn write(engine: &Engine, history: usize) -> Vec<u8> {
    let mut brush = Brush::default();
    brush.raw(RESET);
    paint(&mut brush, engine, history.min(engine.tracked.main().history_size()));
    if engine.tracked.synchronized {
        brush.raw(BEGIN_UPDATE);
    }
    brush.out
}

/// As [`write`], for a terminal that somebody looks at: with so much of the history as takes at most `bytes`, shown
/// at once, and shown though the program is in the middle of a synchronized update and may never end it.
pub(super) fn replay(engine: &Engine, lines: usize, bytes: usize) -> Vec<u8> {
    let whole = |history| {
        let mut brush = Brush::default();
        brush.raw(RESET);
        brush.raw(BEGIN_UPDATE);
        paint(&mut brush, engine, history);
        brush.raw(END_UPDATE);
        brush.out
    };
    let main = engine.tracked.main();
    let (history, length) = history_within(main, lines, bytes);
    let replay = whole(history);
    if history == 0 || replay.len() <= bytes {
        return replay;
    }
    // What ties the screen to the history above it counts as history.
    let screen = whole(0);
    let most = screen.len().saturating_add(bytes);
    let Some(excess) = replay.len().checked_sub(most + 1) else { return replay };
    // Not line by line: each try writes everything.
    let (history, _) = history_within(main, history, length.saturating_sub(excess + 1));
    let fewer = whole(history);
    if fewer.len() <= most { fewer } else { screen }
}

/// Everything but the beginning and the end.
///
/// The order is forced by what moves the cursor or depends on a mode: tab stops, the main screen,
/// the alternate one, each with its saved cursor, then margins, origin mode and the cursor, then
/// the modes that would change how all this is written.
fn paint(brush: &mut Brush, engine: &Engine, history: usize) {
    let state = &engine.tracked;
    tab_stops(brush, state);
    colors(brush, state);
    titles(brush, state, engine.directory.as_deref());
    brush.raw(state.keyboard[0].restore());
    if !state.alternate() {
        alternate(brush, state);
    }

    if let Some(main) = &state.behind {
        screen(brush, main, history, None);
        // Switching saves the cursor: its place is that of the saved one.
        place(brush, main, &main.cursor, state.saved[0], 0);
        brush.raw("\x1b[?1049h");
        unplace(brush, &main.cursor, state.saved[0]);
        brush.raw(state.keyboard[1].restore());
        screen(brush, state.term.grid(), 0, Some(state.saved[1]));
    } else {
        screen(brush, state.term.grid(), history, Some(state.saved[0]));
    }

    let grid = state.term.grid();
    if let Some(character) = state.last_printed {
        print_last(brush, grid, character);
    }
    if state.margins != (0..state.rows()) {
        brush.raw(format!("\x1b[{};{}r", state.margins.start + 1, state.margins.end));
    }
    if let Some(margins) = &state.side_margins {
        brush.raw("\x1b[?69h");
        if *margins != (0..state.columns()) {
            brush.raw(format!("\x1b[{};{}s", margins.start + 1, margins.end));
        }
    }
    let top = if state.mode(TermMode::ORIGIN) { state.margins.start } else { 0 };
    place(brush, grid, &grid.cursor, state.saved_now(), top);
    modes(brush, state);
}

/// What the alternate screen keeps while it is not shown.
fn alternate(brush: &mut Brush, state: &Tracked) {
    let (cursor, saved) = (&state.saved_behind, state.saved[1]);
    let unsaved = *cursor == Cursor::default() && saved == Saved::default();
    if unsaved && state.keyboard[1].is_default() {
        return;
    }
    brush.raw("\x1b[?1049h");
    brush.raw(state.keyboard[1].restore());
    if !unsaved {
        let blank = Grid::new(state.rows(), state.columns(), 0);
        place(brush, &blank, cursor, saved, 0);
        brush.raw("\x1b7");
        unplace(brush, cursor, saved);
    }
    brush.raw("\x1b[?1049l");
}

fn tab_stops(brush: &mut Brush, state: &Tracked) {
    brush.raw("\x1b[3g");
    for column in (0..state.columns()).filter(|&column| state.tabs[column]) {
        brush.raw(format!("\x1b[{}G\x1bH", column + 1));
    }
}

fn colors(brush: &mut Brush, state: &Tracked) {
    for &index in &state.colors_touched {
        let text = match (index, state.term.colors()[index]) {
            (0..256, Some(c)) => format!("4;{index};rgb:{:02x}/{:02x}/{:02x}", c.r, c.g, c.b),
            (0..256, None) => format!("104;{index}"),
            (_, Some(c)) => format!("{};rgb:{:02x}/{:02x}/{:02x}", index - 246, c.r, c.g, c.b),
            (_, None) => format!("{}", index - 146),
        };
        brush.raw(format!("\x1b]{text}\x1b\\"));
    }
}

/// Titles are only ever added to the outer terminal's stack: how deep it is nobody can ask.
fn titles(brush: &mut Brush, state: &Tracked, directory: Option<&str>) {
    let mut text = String::new();
    for title in &state.titles {
        let _ = write!(text, "\x1b]2;{}\x1b\\\x1b[22;0t", title.as_deref().unwrap_or_default());
    }
    if state.title.is_some() || !state.titles.is_empty() {
        let _ = write!(text, "\x1b]2;{}\x1b\\", state.title.as_deref().unwrap_or_default());
    }
    if let Some(directory) = directory {
        let _ = write!(text, "\x1b]7;{directory}\x1b\\");
    }
    brush.raw(text);
}

/// The modes that differ from what a snapshot begins with.
fn modes(brush: &mut Brush, state: &Tracked) {
    let set = [
        (TermMode::INSERT, "\x1b[4h"),
        (TermMode::LINE_FEED_NEW_LINE, "\x1b[20h"),
        (TermMode::APP_CURSOR, "\x1b[?1h"),
        (TermMode::APP_KEYPAD, "\x1b="),
        (TermMode::MOUSE_REPORT_CLICK, "\x1b[?1000h"),
        (TermMode::MOUSE_DRAG, "\x1b[?1002h"),
        (TermMode::MOUSE_MOTION, "\x1b[?1003h"),
        (TermMode::UTF8_MOUSE, "\x1b[?1005h"),
        (TermMode::SGR_MOUSE, "\x1b[?1006h"),
        (TermMode::FOCUS_IN_OUT, "\x1b[?1004h"),
        (TermMode::BRACKETED_PASTE, "\x1b[?2004h"),
        (TermMode::SHOW_CURSOR, "\x1b[?25h"),
    ];
    for (mode, bytes) in set {
        if state.mode(mode) {
            brush.raw(bytes);
        }
    }
    if !state.mode(TermMode::LINE_WRAP) {
        brush.raw("\x1b[?7l");
    }
    if state.modify_other_keys > 0 {
        brush.raw(format!("\x1b[>4;{}m", state.modify_other_keys));
    }
    for (mode, on) in &state.carried {
        brush.raw(format!("\x1b[?{mode}{}", if *on { 'h' } else { 'l' }));
    }
    if state.cursor_styled {
        let style = state.term.cursor_style();
        let steady = match style.shape {
            CursorShape::Underline => 4,
            CursorShape::Beam => 6,
            CursorShape::Block | CursorShape::HollowBlock | CursorShape::Hidden => 2,
        };
        brush.raw(format!("\x1b[{} q", steady - u8::from(style.blinking)));
    }
}
