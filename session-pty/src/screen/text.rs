//! A screen's rows as plain text and as text with SGR attributes.

use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::Cell;

use super::brush::{Brush, glyph, used};
use super::tracked::Tracked;

/// One row without the blanks at its end.
pub(super) fn row(cells: &[Cell]) -> String {
    let mut text = String::new();
    for column in 0..cells.len() {
        if let Some((character, marks, _)) = glyph(cells, column) {
            text.push(character);
            text.extend(marks);
        }
    }
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// The rows of a grid from `first` on, counted from the top of the screen.
fn rows(grid: &Grid<Cell>, first: i32) -> impl Iterator<Item = &[Cell]> {
    (first..grid.screen_lines() as i32).map(|line| &grid[Line(line)][..])
}

/// The last rows of the main screen's history, oldest first.
fn history_rows(state: &Tracked, last: usize) -> impl Iterator<Item = &[Cell]> {
    let main = state.main();
    let count = last.min(main.history_size());
    rows(main, -(count as i32)).take(count)
}

/// History and visible rows without the unused ones at the end.
pub(super) fn all(state: &Tracked, scrollback: Option<usize>) -> Vec<&[Cell]> {
    let history = history_rows(state, scrollback.unwrap_or(0));
    let mut all: Vec<&[Cell]> = history.chain(rows(state.term.grid(), 0)).collect();
    all.truncate(all.iter().rposition(|row| used(row) > 0).map_or(0, |last| last + 1));
    all
}

pub(super) fn visible(state: &Tracked) -> Vec<String> {
    rows(state.term.grid(), 0).map(row).collect()
}

pub(super) fn history(state: &Tracked, last: usize) -> Vec<String> {
    history_rows(state, last).map(row).collect()
}

pub(super) fn plain(state: &Tracked, scrollback: Option<usize>) -> String {
    let mut text = String::new();
    for cells in all(state, scrollback) {
        text.push_str(&row(cells));
        text.push('\n');
    }
    text
}

pub(super) fn ansi(state: &Tracked, scrollback: Option<usize>) -> Vec<u8> {
    let mut brush = Brush::default();
    for cells in all(state, scrollback) {
        brush.row(cells, used(cells));
        brush.plain();
        brush.raw("\n");
    }
    brush.out
}
