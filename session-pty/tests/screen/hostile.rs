//! Bytes that mean harm, and sizes that nobody has.

use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Notice, Screen, Size};

use crate::pieces::piece;
use crate::stage::{SIZE, cases};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_hurts(pieces in vec(prop_oneof![
        3 => piece(),
        2 => vec(any::<u8>(), 0..40),
        1 => "\x1b\\[[?>!]?[0-9;:]{0,12}[@-~]".prop_map(String::into_bytes),
    ], 0..40), sizes in vec((0u16..4, 0u16..4), 1..8)) {
        let mut screen = Screen::new(SIZE, 5);
        for (index, piece) in pieces.iter().enumerate() {
            screen.feed(piece);
            let (cols, rows) = sizes[index % sizes.len()];
            let wide = u16::from(index % 3 == 0) * 30;
            screen.resize(Size::nearest(cols + wide, rows + wide / 4));
            let _ = (screen.snapshot_with_history(9), screen.html(Some(9)), screen.frame(SIZE));
        }
        prop_assert!(!screen.take_notices().contains(&Notice::Rebuilt));
    }
}

#[test]
fn sizes_that_nobody_has_are_kept_within_reason() {
    for (columns, rows) in [(0, 0), (1, 1), (1, 65_535), (65_535, 1), (65_535, 65_535), (2, 1)] {
        let size = Size::nearest(columns, rows);
        let mut screen = Screen::new(size, 10);
        screen.feed(
            "日本語👩\u{200d}🚀\r\n\x1b[65535;65535Hx\x1b[65535b\x1b[65535@\x1b[65535S".as_bytes(),
        );
        // One column would make the engine loop for ever; the program is told its true size by others.
        for size in [Size::nearest(1, 3), Size::nearest(0, 0), size] {
            screen.resize(size);
            screen.feed("語\r日本\x1b[65535I\x1b[65535Z\t\n".as_bytes());
            assert_eq!(screen.size(), size);
        }
        assert!(
            screen.rows_text().len() <= 1024 && screen.replay(usize::MAX, 1000).len() < 4 << 20
        );
        assert!(!screen.take_notices().contains(&Notice::Rebuilt));
    }
}

#[test]
fn what_can_be_piled_up_is_bounded() {
    let piles = [
        "\x1b[22t\x1b]2;a title\x07",
        "\x1b[>1u",
        "\x1b[>31u\x1b[?1049h\x1b[>15u\x1b[?1049l",
        "\x1b7\x1b[s",
        "\x1b[?1000h\x1b[?9h\x1b[?4242h",
        "\x1b[4;3;2;1;0;1;2;3;4;5;6;7;8;9;0;1;2;3;4;5;6;7;8;9;0;1;2;3;4;5;6;7;8;9m",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\x1b[D\x1b[C",
        "\x1b]4;1;#010203;2;#040506;3;#070809\x07",
        "\x1b]8;id=a;http://a.example/\x07x\x1b]8;;\x07\r",
        "\x1bc",
        "\x1b[65535S\x1b[65535T\x1b[65535L\x1b[65535M",
    ];
    for pile in piles {
        let mut screen = Screen::new(SIZE, 10);
        for _ in 0..100 {
            screen.feed(pile.repeat(100).as_bytes());
        }
        let bytes = screen.snapshot_with_history(usize::MAX).len();
        assert!(bytes < 16 << 10, "{bytes} after {}", pile.escape_debug());
        assert!(screen.take_answers().len() <= 64 << 10 && screen.take_notices().len() <= 64);
    }
}

#[test]
fn huge_counts_do_no_more_than_the_screen_needs() {
    let counted = |bytes: String| {
        let mut screen = Screen::new(SIZE, 10_000);
        screen.feed(bytes.as_bytes());
        screen.history_text(usize::MAX).len()
    };
    // As often as the screen has cells: one screenful goes by, not three thousand lines.
    for count in ["65535", "99999999999999999999", "065535", "65535;1", "65535:1"] {
        assert_eq!(counted(format!("x\x1b[{count}b")), 1, "{count}");
    }
    assert_eq!(counted("x\x1b[119b".to_owned()), 0);
    assert_eq!(counted(format!("x\x1b[65535{}b", ";1".repeat(32))), 0);
    assert_eq!(counted("x\x1b[?65535b\x1b[65535 b".to_owned()), 0);
    assert_eq!(counted("\x1b[65535S".to_owned()), 6);
    // The rest leaves nothing to count: that this ends is the test.
    for action in "@ABCDEFGHIJKLMPSTXZ`abdeg".chars() {
        counted(format!("xy\t\x1b[3;3H\x1b[65535;65535{action}").repeat(3000));
    }
}

#[test]
fn a_cut_repetition_is_bounded_too() {
    let whole = b"x\x1b[65535b.";
    for cut in 1..whole.len() {
        let mut screen = Screen::new(SIZE, 10_000);
        screen.feed(&whole[..cut]);
        screen.feed(&whole[cut..]);
        let rows = "x".repeat(20) + "\n";
        assert_eq!(screen.text(Some(99)), rows.repeat(6) + "x.\n", "cut at {cut}");
    }
}

#[test]
fn a_cell_keeps_only_so_many_marks() {
    // However they come: on a wide character, waiting to wrap, inserted, one at a time.
    for before in ["e", "日", "\x1b[1;20He", "\x1b[1;19H日", "\x1b[4he"] {
        let mut screen = Screen::new(SIZE, 0);
        screen.feed(before.as_bytes());
        for _ in 0..1000 {
            screen.feed("\u{301}\u{200d}\u{fe0f}".as_bytes());
        }
        assert_eq!(screen.rows_text()[0].trim_start().chars().count(), 1 + 32, "{before:?}");
    }
}

#[test]
fn strings_that_never_end_are_not_kept() {
    for begin in [
        "\x1b]2;",
        "\x1b]8;;http://",
        "\x1b]52;c;",
        "\x1bP$q",
        "\x1b_G",
        "\x1b^",
        "\x1bX",
        "\x1b[",
        "\x1b[1;",
    ] {
        let mut screen = Screen::new(SIZE, 0);
        screen.feed(begin.as_bytes());
        for _ in 0..100 {
            screen.feed(&[b'1'; 10_000]);
            assert!(screen.unfinished().len() <= 64 << 10, "{begin:?}");
        }
        screen.feed(b"m\x1b\\\x1b[0m\r\x1b[2Kafter");
        assert_eq!(screen.rows_text()[0], "after", "{begin:?}");
        assert!(screen.title().is_none_or(|title| title.len() <= 4096));
    }
}

#[test]
fn what_is_shown_elsewhere_is_printable_and_short() {
    let text = "a\u{1}b\u{7f}c\u{85}d\u{9b}31me\nf".to_owned() + &"g".repeat(10_000);
    let mut screen = Screen::new(SIZE, 0);
    screen.feed(
        format!(
            "\x1b]2;{text}\x1b\\\x1b]7;file:///{text}\x1b\\\x1b]8;id={text};http://{text}\x1b\\x"
        )
        .as_bytes(),
    );
    let title = screen.title().unwrap();
    assert!(title.starts_with("abcd31mef") && title.chars().count() == 4096, "{title:.40}");
    let directory = screen.directory().unwrap();
    assert!(directory.starts_with("file:///abcd31mef") && directory.chars().count() == 4096);
    // A link that long is none.
    assert!(!screen.html(None).contains("<a "));
    for told in screen.take_notices() {
        assert!(!format!("{told:?}").contains("\\u"), "{told:?}");
    }
}
