//! A screen as a value that serialises.

use alacritty_terminal::term::TermMode;
use serde::Serialize;

use super::tracked::Tracked;
use super::{Size, shape_name, text};

/// What is on a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScreenGrid {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The cursor.
    pub cursor: CursorGrid,
    /// The title that the program set.
    pub title: Option<String>,
    /// Whether the alternate screen is shown.
    pub alternate: bool,
    /// The visible rows, without blanks at their ends.
    pub lines: Vec<String>,
}

/// Where a cursor is and how it looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CursorGrid {
    /// Its column, from 0.
    pub col: usize,
    /// Its row, from 0.
    pub row: usize,
    /// Whether the program lets it be seen.
    pub visible: bool,
    /// `block`, `underline` or `bar`.
    pub shape: &'static str,
}

pub(super) fn read(state: &Tracked, size: Size) -> ScreenGrid {
    let point = state.term.grid().cursor.point;
    ScreenGrid {
        cols: size.cols(),
        rows: size.rows(),
        cursor: CursorGrid {
            col: point.column.0,
            row: point.line.0.max(0) as usize,
            visible: state.mode(TermMode::SHOW_CURSOR),
            shape: shape_name(state.term.cursor_style().shape),
        },
        title: state.title.clone(),
        alternate: state.alternate(),
        lines: text::visible(state),
    }
}
