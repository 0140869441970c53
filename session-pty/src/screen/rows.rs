//! Writes the rows of a screen, so that rows that wrapped wrap again, and the cursors on them.

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{CharsetIndex, StandardCharset};

use super::brush::{Brush, Look, glyph, is_blank, used};
use super::tracked::Saved;

/// Blanks in a row that are skipped instead of written.
const SKIPPED: usize = 5;

const CHARSETS: [(CharsetIndex, char); 4] = [
    (CharsetIndex::G0, '('),
    (CharsetIndex::G1, ')'),
    (CharsetIndex::G2, '*'),
    (CharsetIndex::G3, '+'),
];

/// What stands on the row below one that is written.
#[derive(Clone, Copy)]
enum NextRow {
    /// Nothing that is to stay.
    ToBeWritten,
    /// All but the first two columns of what is to stand there.
    Written,
}

/// Writes the rows one after the other, so that rows that wrapped wrap again, and the saved cursor
/// if there is one to set.
pub(super) fn screen(brush: &mut Brush, grid: &Grid<Cell>, history: usize, saved: Option<Saved>) {
    brush.plain();
    // Without margins origin mode changes no coordinate, only what is saved.
    let origin = saved.is_some_and(|saved| saved.origin);
    let saved = saved.map(|saved| Saved { origin: false, ..saved });
    if origin {
        brush.raw("\x1b[?6h");
    }
    let columns = grid.columns();
    let bottom = grid.screen_lines() as i32 - 1;
    // A cursor that waits to wrap can only be saved while its row is being written.
    let waiting = saved.filter(|_| grid.saved_cursor.input_needs_wrap);
    if history > 0 && waiting.is_some() {
        // Rows that are still to scroll are not where the cursor is to be saved.
        write_lines(brush, grid, history, None);
        write_lines(brush, grid, 0, waiting);
    } else {
        write_lines(brush, grid, history, waiting);
    }
    if bottom > 0 && wrapped(grid, bottom) {
        // Rows moved down after it had wrapped: so it is made to wrap and moved down.
        let above = bottom as usize - 1;
        brush.plain();
        erase_from(brush, above);
        let row = &grid[Line(bottom)][..];
        if wraps_early(row) {
            write_row(brush, row, columns - 1, false);
            wrap_early(brush, row);
        } else {
            write_row(brush, row, columns, false);
            brush.raw(" ");
        }
        brush.plain();
        brush.go(above, 0);
        brush.raw("\x1b[L");
        if wrapped(grid, bottom - 1) {
            // The row above is to wrap onto a blank, not onto a wide character.
            brush.go(above + 1, 0);
            brush.raw("\x1b[2X");
            brush.go(above, 0);
            write_line(brush, grid, bottom - 1, false, None, NextRow::Written);
            write_row(brush, &grid[Line(bottom)][..], 2, false);
        } else {
            write_line(brush, grid, bottom - 1, false, None, NextRow::Written);
        }
    }
    if let (Some(saved), None) = (saved, waiting) {
        place(brush, grid, &grid.saved_cursor, saved, 0);
        brush.raw("\x1b7");
        unplace(brush, &grid.saved_cursor, saved);
    }
    if origin {
        brush.raw("\x1b[?6l");
    }
}

/// The lines of history, at most `lines`, that take no more than `bytes` when they are written, and what they take.
pub(super) fn history_within(grid: &Grid<Cell>, lines: usize, bytes: usize) -> (usize, usize) {
    let most = lines.min(grid.history_size());
    if bytes == usize::MAX {
        return (most, 0);
    }
    let mut brush = Brush::default();
    let mut left = bytes;
    for count in 0..most {
        brush.clear();
        let line = -(count as i32) - 1;
        let continued = line > grid.topmost_line().0 && wrapped(grid, line - 1);
        write_line(&mut brush, grid, line, continued, None, NextRow::ToBeWritten);
        brush.plain();
        brush.raw("\r\n");
        match left.checked_sub(brush.out.len()) {
            Some(less) => left = less,
            None => return (count, bytes - left),
        }
    }
    (most, bytes - left)
}

/// Erases a row and those below it, and goes to its beginning.
///
/// Not all at once: some terminals scroll a screen out that is erased whole, tmux does so even if it is erased from
/// its first cell on, and what was painted would be in the scrollback once more.
fn erase_from(brush: &mut Brush, row: usize) {
    brush.go(row, 1);
    brush.raw("\x1b[J");
    brush.go(row, 0);
    brush.raw("\x1b[K");
}

/// Writes all rows from home on, and the lines of history above them.
fn write_lines(brush: &mut Brush, grid: &Grid<Cell>, history: usize, waiting: Option<Saved>) {
    brush.plain();
    erase_from(brush, 0);
    let bottom = grid.screen_lines() as i32 - 1;
    let mut continued = false;
    for line in -(history as i32)..=bottom {
        let saves = waiting.filter(|_| grid.saved_cursor.point.line == line);
        continued = write_line(brush, grid, line, continued, saves, NextRow::ToBeWritten);
        if line < bottom && !continued {
            // A new row would take the background.
            brush.plain();
            brush.raw("\r\n");
        }
    }
}

/// Writes one row, saving the cursor where it is to wait at the row's end; returns whether the next
/// row is reached by wrapping.
fn write_line(
    brush: &mut Brush,
    grid: &Grid<Cell>,
    line: i32,
    continued: bool,
    saves: Option<Saved>,
    next: NextRow,
) -> bool {
    let row = &grid[Line(line)][..];
    let wraps = line < grid.bottommost_line().0 && wrapped(grid, line);
    let early = wraps && wraps_early(row);
    let end = if saves.is_some() {
        row.len()
    } else if early {
        row.len() - 1
    } else if wraps {
        row.len()
    } else {
        used(row).max(usize::from(continued))
    };
    write_row(brush, row, end, continued);
    if let Some(saved) = saves {
        carry(brush, &grid.saved_cursor, saved);
        brush.raw("\x1b7");
        unplace(brush, &grid.saved_cursor, saved);
        if early {
            brush.raw(format!("\x1b[{}G", row.len()));
        }
    }
    if early && !wraps_onto(row, &grid[Line(line + 1)][..]) {
        wrap_early(brush, row);
        // Writing over a wide character would undo what it left on the row above, erasing does not.
        brush.plain();
        brush.raw(match next {
            // A row that was scrolled in has the background of what wrapped: all of it goes.
            NextRow::ToBeWritten => "\r\x1b[K",
            NextRow::Written => "\r\x1b[2X",
        });
    }
    wraps
}

fn wrapped(grid: &Grid<Cell>, line: i32) -> bool {
    grid[Line(line)][grid.last_column()].flags.contains(Flags::WRAPLINE)
}

/// Whether the last column was left out because a wide character did not fit in it.
fn wraps_early(row: &[Cell]) -> bool {
    let spacer = &row[row.len() - 1];
    spacer.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER) && spacer.c == ' '
}

/// Whether the next row still begins with that character.
fn wraps_onto(row: &[Cell], next: &[Cell]) -> bool {
    matches!(glyph(next, 0), Some((_, _, 2))) && Look::of(&row[row.len() - 1]) == Look::of(&next[0])
}

/// Leaves the last column out by writing a wide character that does not fit.
fn wrap_early(brush: &mut Brush, row: &[Cell]) {
    brush.cell(&row[row.len() - 1], '\u{3000}', &[]);
}

/// Writes a row's cells up to `end` and skips longer blanks, except at the beginning of a row that
/// is only reached by wrapping. Where that scrolled, the new row took the background of what wrapped.
fn write_row(brush: &mut Brush, row: &[Cell], end: usize, continued: bool) {
    let mut column = 0;
    while column < end {
        let mut blanks = row[column..end].iter().take_while(|cell| is_blank(cell)).count();
        if column + blanks == row.len() {
            blanks = blanks.saturating_sub(1);
        }
        if blanks >= SKIPPED && !(continued && column == 0) {
            brush.raw(format!("\x1b[{blanks}C"));
            column += blanks;
            continue;
        }
        if let Some((character, marks, width)) = glyph(row, column) {
            brush.cell(&row[column], character, marks);
            // In a row that is full the cursor waits to wrap, and its last cell would be erased.
            let scrolled = continued && column == 0 && row[0].bg != Cell::default().bg;
            if scrolled && width < row.len() {
                brush.plain();
                brush.raw("\x1b[K");
            }
        }
        column += 1;
    }
}

/// Makes the cursor this one: place, pending wrap, character sets, pen, and what DECSC saves
/// besides. `top` is what rows are counted from.
pub(super) fn place(
    brush: &mut Brush,
    grid: &Grid<Cell>,
    cursor: &Cursor<Cell>,
    saved: Saved,
    top: usize,
) {
    brush.plain();
    if saved.origin {
        brush.raw("\x1b[?6h");
    }
    let line = (cursor.point.line.0.max(0) as usize).saturating_sub(top);
    let column = cursor.point.column.0;
    let row = &grid[cursor.point.line][..];
    if cursor.input_needs_wrap && column + 1 == row.len() {
        // Only writing the last column makes a terminal wait to wrap.
        let start = if glyph(row, column).is_none() { column - 1 } else { column };
        brush.go(line, start);
        if let Some((character, marks, width)) = glyph(row, start) {
            if width == 2 && start <= 1 {
                // Writing over it would undo what it may have left on the row above.
                brush.raw("\x1b[2X");
            }
            brush.cell(&row[start], character, marks);
        }
    } else {
        brush.go(line, column);
    }
    carry(brush, cursor, saved);
}

/// The character sets and the pen of a cursor.
fn carry(brush: &mut Brush, cursor: &Cursor<Cell>, saved: Saved) {
    for (index, intermediate) in CHARSETS {
        match designation(cursor, saved, index) {
            'B' => {}
            charset => brush.raw(format!("\x1b{intermediate}{charset}")),
        }
    }
    if saved.shift == CharsetIndex::G1 {
        brush.raw("\x0e");
    }
    brush.set(&Look::of(&cursor.template));
}

/// The final byte of the sequence that designates a character set.
fn designation(cursor: &Cursor<Cell>, saved: Saved, index: CharsetIndex) -> char {
    match cursor.charsets[index] {
        _ if saved.uk[index as usize] => 'A',
        StandardCharset::Ascii => 'B',
        StandardCharset::SpecialCharacterAndLineDrawing => '0',
    }
}

/// Undoes what [`place`] left behind, except for the place.
pub(super) fn unplace(brush: &mut Brush, cursor: &Cursor<Cell>, saved: Saved) {
    if saved.origin {
        brush.raw("\x1b[?6l");
    }
    for (index, intermediate) in CHARSETS {
        if designation(cursor, saved, index) != 'B' {
            brush.raw(format!("\x1b{intermediate}B"));
        }
    }
    if saved.shift == CharsetIndex::G1 {
        brush.raw("\x0f");
    }
    brush.plain();
}

/// Makes `character` the one written last, which REP repeats: by writing a cell again that ends in
/// it, or else on blanks that are erased again. Where a full screen lacks it, it is not restored.
pub(super) fn print_last(brush: &mut Brush, grid: &Grid<Cell>, character: char) {
    let rows = (0..grid.screen_lines()).map(|line| (line, &grid[Line(line as i32)][..]));
    let standing = |(line, row): (usize, &[Cell])| {
        // The last column is left alone: it may have wrapped, and would wait to wrap again. So is
        // a wide character that may have wrapped from there.
        (0..row.len() - 1).find_map(|column| {
            let (shown, marks, width) = glyph(row, column)?;
            let last = marks.last().copied().unwrap_or(shown);
            let settled = column + width < row.len() && (width == 1 || column > 1);
            (last == character && settled).then_some((line, column))
        })
    };
    if let Some((line, column)) = rows.clone().rev().find_map(standing) {
        brush.go(line, column);
        write_row(brush, &grid[Line(line as i32)][..][column..=column + 1], 1, false);
        return;
    }
    let erased = |cell: &Cell| is_blank(&Cell { bg: Cell::default().bg, ..cell.clone() });
    let empty = |(line, row): (usize, &[Cell])| {
        let mut before = row[..row.len() - 1].windows(3);
        before
            .position(|cells| cells.iter().all(|cell| erased(cell) && cell.bg == cells[0].bg))
            .map(|column| (line, column))
    };
    if let Some((line, column)) = rows.rev().find_map(empty) {
        // The space is there for a combining character.
        let cell = &grid[Line(line as i32)][Column(column)];
        brush.go(line, column);
        brush.cell(cell, ' ', &[character]);
        brush.go(line, column);
        brush.raw("\x1b[3X");
    }
}
