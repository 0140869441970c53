//! The text of screens as another engine sees it, which has no line in common with ours: avt.

use std::fmt::Write as _;

use avt::Terminal;
use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Screen, Size};

use crate::pieces::Output;
use crate::stage::cases;

const SIZE: Size = Size::nearest(20, 6);

pub(crate) fn avt(size: Size) -> Terminal {
    Terminal::with_scrollback(size.cols().into(), size.rows().into(), Some(0)).unwrap()
}

pub(crate) fn feed(terminal: &mut Terminal, bytes: &[u8]) {
    terminal.feed(std::str::from_utf8(bytes).unwrap());
}

/// Rows without blanks at their ends, and the cursor.
pub(crate) fn seen(terminal: &Terminal) -> String {
    let mut text = String::new();
    for line in terminal.screen().visible_lines() {
        let _ = writeln!(text, "{}|", line.text().trim_end());
    }
    let cursor = terminal.cursor();
    // Behind the last column it waits to wrap, or would if rows wrapped.
    let _ = write!(text, "{} {}", cursor.col.min(terminal.size().0 - 1), cursor.row);
    text
}

/// The same of our screen.
pub(crate) fn shown(screen: &Screen) -> String {
    let grid = screen.grid();
    let mut text = String::new();
    for line in &grid.lines {
        let _ = writeln!(text, "{line}|");
    }
    let _ = write!(text, "{} {}", grid.cursor.col, grid.cursor.row);
    text
}

/// Output on which both have to agree. Left out is, with the reason:
///
/// - Margins of one row or upside down: xterm ignores them whole, avt moves the cursor home. Margins that end below
///   the screen: xterm ends them with the screen, avt ignores them.
/// - Inserting and deleting lines while there are margins: outside of them xterm does nothing, avt moves rows.
/// - Editing a row while the cursor waits to wrap: avt's cursor stands behind the last column, so nothing is edited.
/// - A wide character that does not fit below a row's last column: ours blanks that column, avt leaves what is there.
/// - Rows that do not wrap (mode 7): avt saves the mode with the cursor, ours does not.
/// - Line feeds, tabs and tab stops while the cursor waits to wrap: ours goes on waiting, avt forgets.
/// - Saving a cursor that waits to wrap: avt saves it as one that does not.
/// - Origin mode: avt does not count rows from the margin everywhere.
/// - Character sets together with saved cursors: avt does not save them.
/// - New line mode (20): avt applies it to IND too.
/// - REP: avt repeats what stands before the cursor, ours what was written last.
/// - Characters that combine: a cell of avt is one character.
/// - Insert mode: a character that wraps is not inserted by avt, but takes the place of another.
/// - Showing a screen that is shown: avt saves or restores the cursor, ours does nothing.
fn output() -> impl Strategy<Value = Output> {
    let in_margins = pieces(b"@ABCDEFGHIJKPSTXZ`adef", MARGINS, 1);
    let screen = || pieces(b"@ABCDEFGHIJKLMPSTXZ`adef", SAVES, 0);
    let screens = (screen(), prop::option::of((screen(), prop::option::of(screen()))));
    let on_screens = screens.prop_map(|(main, alternate)| {
        let mut text = main;
        if let Some((alternate, main)) = alternate {
            text += &format!("\x1b[3G\x1b[?1049h{alternate}");
            text += &main.map(|main| format!("\x1b[?1049l{main}")).unwrap_or_default();
        }
        text
    });
    prop_oneof![in_margins, on_screens].prop_map(|text| Output(text.into_bytes()))
}

/// What goes with margins.
const MARGINS: &[&str] =
    &["\x0e", "\x0f", "\x1b(0", "\x1b(B", "\x1b)0", "\x1b)B", "\x1b[r", "\x1bc"];

/// What goes without them.
const SAVES: &[&str] = &["\x1b[6G\x1b7", "\x1b8", "\x1b[8G\x1b[s", "\x1b[u"];

fn pieces(
    actions: &[u8],
    others: &[&'static str],
    margins: u32,
) -> impl Strategy<Value = String> + use<> {
    let number = prop_oneof![4 => 0u16..8, 2 => 0u16..24, 1 => Just(9999u16)];
    let text = prop_oneof!["[a-zA-Z ]{1,12}", "[q-x]{1,9}", "[éßñx]{1,5}"];
    let wide = "[日本語字한글🙂🚀x]{1,7}";
    #[rustfmt::skip]
    let plain = [
        "\r", "\x1b[9G\n", "\r\n", "\x1b[4G\t", "\x08", "\x1b[3G\x1bD", "\x1bE", "\x1b[G\x1bM", "\x1b[13G\x1bH", "\x1b#8", "\x1b[!p", "\x1b[3g", "\x1b[0g",
        "\x1b]2;title\x07", "\x1bP1$q\x1b\\", "\x1b[31;44m", "\x1b[?25l", "\x1b[m",
    ];
    let plain = prop::sample::select([&plain, others].concat());
    let csi = prop::sample::select(actions.to_vec());
    let piece = prop_oneof![
        4 => text,
        2 => (1u16..21, wide).prop_map(|(column, text)| format!("\x1b[{column}G\x1b[K{text}")),
        3 => plain.prop_map(str::to_owned),
        4 => (number.clone(), number, csi).prop_map(|(a, b, action)| {
            let edits = b"@PXJK".contains(&action);
            let there = if edits { format!("\x1b[{}G", b % 20 + 1) } else { String::new() };
            format!("{there}\x1b[{a};{b}{}", char::from(action))
        }),
        margins => (1u16..6, 1u16..4).prop_map(|(a, b)| format!("\x1b[{a};{}r", (a + b).min(6))),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..Default::default() })]

    #[test]
    fn another_engine_sees_the_same_text(output in output()) {
        let mut screen = Screen::new(SIZE, 0);
        let mut other = avt(SIZE);
        screen.feed(&output.0);
        feed(&mut other, &output.0);
        assert_eq!(shown(&screen), seen(&other), "\n{}\n---\n{}", shown(&screen), seen(&other));
    }

    #[test]
    fn another_engine_is_restored(before in output(), rest in output()) {
        let mut screen = Screen::new(SIZE, 0);
        let mut watching = avt(SIZE);
        screen.feed(&before.0);
        feed(&mut watching, &before.0);
        let mut restored = avt(SIZE);
        feed(&mut restored, &screen.snapshot());
        assert_eq!(seen(&watching), seen(&restored), "at once\n{}\n---\n{}", seen(&watching), seen(&restored));
        for terminal in [&mut watching, &mut restored] {
            feed(terminal, b".");
            feed(terminal, &rest.0);
        }
        assert_eq!(seen(&watching), seen(&restored), "later\n{}\n---\n{}", seen(&watching), seen(&restored));
    }
}
