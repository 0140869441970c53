//! A screen as a viewer of another size is shown it, painted as changes to what is there.

use alacritty_terminal::index::Line;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};

use super::brush::{Brush, used};
use super::tracked::Tracked;
use super::{Size, held};

/// A screen's cells, clipped to a viewer's size, and its cursor. What a larger viewer has beside them is blank and not
/// kept: whatever size is claimed, a frame is no larger than the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    columns: usize,
    height: usize,
    rows: Vec<Vec<Cell>>,
    /// Row and column, where it is visible and inside.
    cursor: Option<(usize, usize)>,
}

impl Frame {
    pub(super) fn of(state: &Tracked, view: Size) -> Self {
        let view = held(view);
        let (columns, height) = (usize::from(view.cols()), usize::from(view.rows()));
        let grid = state.term.grid();
        let point = grid.cursor.point;
        let (line, column) = (point.line.0.max(0) as usize, point.column.0);
        // The cursor's row is where somebody types.
        let first = (line + 1).saturating_sub(height.max(1));
        let rows = (first..state.rows().min(first + height))
            .map(|line| clip(&grid[Line(line as i32)][..], columns))
            .collect();
        let inside = column < columns && line - first < height;
        let cursor =
            (inside && state.mode(TermMode::SHOW_CURSOR)).then_some((line - first, column));
        Self { columns, height, rows, cursor }
    }

    /// Bytes that turn what `previous` painted into this frame, or any screen of its size if there
    /// is none or it had another size. The terminal must be without margins and origin mode.
    ///
    /// Every row is addressed by its position. Afterwards attributes are reset and the cursor is
    /// where and as visible as it should be.
    pub fn paint(&self, previous: Option<&Self>) -> Vec<u8> {
        let previous =
            previous.filter(|frame| (frame.columns, frame.height) == (self.columns, self.height));
        let mut brush = Brush::default();
        brush.raw("\x1b[?25l\x1b[0m");
        for index in 0..self.height {
            let row = self.row(index);
            if previous.is_some_and(|frame| frame.row(index) == row) {
                continue;
            }
            brush.go(index, 0);
            let end = used(row);
            brush.row(row, end);
            brush.plain();
            // In a full row the cursor waits to wrap, where some terminals would erase the last
            // character.
            if end < self.columns {
                brush.raw("\x1b[K");
            }
        }
        if let Some((row, column)) = self.cursor {
            brush.go(row, column);
            brush.raw("\x1b[?25h");
        }
        brush.out
    }

    /// A row's cells, none below the screen.
    fn row(&self, index: usize) -> &[Cell] {
        self.rows.get(index).map_or(&[], Vec::as_slice)
    }
}

/// A row's first cells.
fn clip(cells: &[Cell], columns: usize) -> Vec<Cell> {
    let mut row: Vec<Cell> = cells.iter().take(columns).cloned().collect();
    if let Some(last) = row.last_mut()
        && columns <= cells.len()
        && last.flags.contains(Flags::WIDE_CHAR)
    {
        last.clear_wide();
    }
    row
}
