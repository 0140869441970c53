//! Puts right what the engine leaves behind when a screen changes its size.

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};

/// What marks the last cell of a row that goes on in the next one.
pub(super) const WRAPPED: Flags = Flags::WRAPLINE.union(Flags::LEADING_WIDE_CHAR_SPACER);

/// Repairs what resizing leaves: half a wide character at the right edge, marks of rows that wrapped elsewhere, a last
/// row that goes on below the screen, a cursor that waits to wrap in the middle of a row, or one beyond the edge.
pub(super) fn settle(grid: &mut Grid<Cell>, columns: usize, rows: usize) {
    let last = Column(columns - 1);
    for line in 0..rows {
        let cell = &mut grid[Line(line as i32)][last];
        if cell.flags.contains(Flags::WIDE_CHAR) {
            cell.clear_wide();
        }
    }
    trust_nothing(grid);
    for line in grid.topmost_line().0..rows as i32 {
        // Where the edge was before.
        let inner = ..Column(columns - 1);
        if grid[Line(line)][inner].iter().any(|cell| cell.flags.intersects(WRAPPED)) {
            for cell in &mut grid[Line(line)][inner] {
                cell.flags.remove(WRAPPED);
            }
        }
    }
    let bottom = Line(rows as i32 - 1);
    // What the last row wrapped onto has left the screen.
    grid[bottom][last].flags.remove(WRAPPED);
    settle_cursor(&mut grid.cursor, columns, rows);
    settle_cursor(&mut grid.saved_cursor, columns, rows);
}

/// Has every row reset whole when it is next reset. The engine resets the cells that were written, and the rest only
/// if the last one differs: in a row that became wider, others still have the background of an earlier reset.
pub(super) fn trust_nothing(grid: &mut Grid<Cell>) {
    // Rows that were hidden are out of reach, and would come back.
    grid.truncate();
    for line in grid.topmost_line().0..=grid.bottommost_line().0 {
        let _written = &mut grid[Line(line)][..];
    }
}

/// A saved cursor is no more looked after than the one in use.
pub(super) fn settle_cursor(cursor: &mut Cursor<Cell>, columns: usize, rows: usize) {
    let (last, bottom) = (Column(columns - 1), Line(rows as i32 - 1));
    cursor.input_needs_wrap &= cursor.point.column == last;
    cursor.point.column = cursor.point.column.min(last);
    cursor.point.line = cursor.point.line.clamp(Line(0), bottom);
}
