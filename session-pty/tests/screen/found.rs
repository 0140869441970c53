//! What the properties found, by the name of what was wrong.

use session_pty::screen::{Screen, Size};

use crate::copies::{assert_found_the_same, assert_restores};
use crate::stage::{screen, sized};

/// A screen that was resized after it was fed, several times.
fn resized(size: Size, steps: &[(&str, u16, u16)]) -> Screen {
    let mut screen = sized(size, "");
    for (bytes, columns, rows) in steps {
        screen.feed(bytes.as_bytes());
        screen.resize(Size::nearest(*columns, *rows));
    }
    screen
}

#[test]
fn a_full_last_row_below_one_that_wrapped_early_is_restored() {
    // A wide character that did not fit leaves its mark above, and is moved away by inserted lines; the row below
    // ends where it wrapped, and what it wrapped onto has left the screen.
    let before = b"\x1b[4;20f\xe5\xad\x97\x1b[0;0L\x1b[17;0CaA\x1b[1;6raAA\x1b[0;0L";
    assert_restores(before, b"");
}

#[test]
fn a_wide_character_that_fills_a_row_is_not_erased_again() {
    assert_found_the_same(|| sized(Size::nearest(2, 6), "\x1b[48;5;200mA👩 "));
}

#[test]
fn a_cell_that_lost_its_mark_is_blank() {
    let halved = "\x1b[1;5H👩\u{200d}\x1b[1;6H\x1b[X";
    assert_restores(halved.as_bytes(), b"");
    assert_eq!(screen(halved).ansi(None), b"");
}

#[test]
fn resizing_leaves_no_mark_of_where_rows_wrapped() {
    let size = Size::nearest(20, 6);
    assert_found_the_same(|| resized(size, &[(" aAAAa", 2, 1), (" AA AaA", 5, 1)]));
    assert_found_the_same(|| resized(size, &[(" aA", 2, 1), ("", 9, 1), ("qqqqqqqq", 9, 1)]));
}

#[test]
fn a_saved_cursor_that_waits_is_saved_where_it_stands_below_history() {
    let steps = [("qqqqqqqq\x0e\x1b[?1049h", 2, 2), ("\x1b[?1049l", 2, 2)];
    assert_found_the_same(|| resized(Size::nearest(20, 6), &steps));
}

#[test]
fn a_cursor_that_waits_on_a_wide_character_leaves_the_row_above_alone() {
    assert_found_the_same(|| sized(Size::nearest(2, 1), "qqq👩"));
    assert_found_the_same(|| sized(Size::nearest(2, 3), "qqq👩"));
}

#[test]
fn a_row_that_became_wider_has_no_background_of_an_earlier_reset() {
    let coloured = "\x1b[48;5;200m\x1b[2;0L\x1b[65535;0M";
    let wider = || {
        let mut screen = resized(Size::nearest(20, 6), &[(coloured, 21, 2)]);
        screen.feed(b"\x1b[m\x1b[3J\x1b[999;1H\n\n");
        screen
    };
    assert_found_the_same(wider);
    assert_eq!(wider().ansi(None), b"");
    let alternate = format!("\x1b[?1049h{coloured}\x1b[m\x1b[?1049l");
    let mut screen = resized(Size::nearest(20, 6), &[(&alternate, 30, 6)]);
    screen.feed(b"\x1b[?1049h");
    assert_eq!(screen.ansi(None), b"");
}

#[test]
fn each_screen_has_its_own_saved_cursor() {
    let saves =
        "\x1b[2;2H\x1b7\x1b[?1049h\x1b[1;20H\x1b[31m\x1b(0x\x1b7\x1b[0m\x1b[?1049l\x1b[5;5H";
    assert_found_the_same(|| screen(saves));
    let mut screen = screen(saves);
    screen.feed(b"\x1b[?1049h\x1b[H\x1b8q");
    assert_eq!(screen.rows_text()[1], "\u{2500}");
}

/// What another engine and the manuals made of it, and the engine below ours did not.
#[test]
fn where_the_engine_is_alone_it_is_corrected() {
    let rows = |bytes: &str| {
        let mut rows = screen(bytes).rows_text();
        rows.truncate(2);
        rows
    };
    let full = "12345678901234567890";
    // Inserting blanks shifts what is right of the cursor, and touches nothing left of it.
    assert_eq!(rows("\x1b[12G한語\x1b[20G\x1b[6@"), ["           한語", ""]);
    // Erasing above erases the row above if it is the only one.
    assert_eq!(rows("one\r\ntwo\x1b[1J"), ["", ""]);
    // Without a tab stop to the left, the first column is it.
    assert_eq!(rows("\x1b[3gab\x1b[Zc"), ["cb", ""]);
    // A tab does not wrap, a soft reset leaves the cursor waiting.
    assert_eq!(rows(&format!("{full}\tx")), [full, "x"]);
    assert_eq!(screen(format!("{full}\t")).grid().cursor.row, 0);
    assert_eq!(rows(&format!("{full}\x1b[!px")), [full, "x"]);
}

#[test]
fn a_character_inserted_after_wrapping_leaves_no_half_of_another() {
    let inserted = "\x1b[2;19H日\x1b[1;20Hx\x1b[4he";
    assert_found_the_same(|| screen(inserted));
    assert_eq!(screen(inserted).ansi(None), b"                   x\ne\n");
}
