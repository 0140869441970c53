//! What a screen promises: an exact copy at any moment, and no harm from any bytes.

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::index::Line;
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::vte::ansi::Processor;
use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Boundary, Notice, RESTORE, Screen, ScreenModel, Size};

const SIZE: Size = Size::nearest(20, 6);

fn screen(bytes: impl AsRef<[u8]>) -> Screen {
    sized(SIZE, bytes)
}

fn sized(size: Size, bytes: impl AsRef<[u8]>) -> Screen {
    let mut screen = Screen::new(size, 50);
    screen.feed(bytes.as_ref());
    screen
}

/// What somebody has who was given a snapshot of `screen`.
fn copy(screen: &Screen) -> Screen {
    sized(screen.size(), [&screen.snapshot(), screen.unfinished()].concat())
}

fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\x1b", "\n\\e")
}

/// What differs, with a little before it.
fn difference(a: &[u8], b: &[u8]) -> Option<String> {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let from = at.saturating_sub(20);
    (a != b).then(|| format!("{} ---{}", readable(&a[from..]), readable(&b[from..])))
}

/// Everything that a snapshot tells is equal, and the rows as text.
fn assert_same(a: &Screen, b: &Screen, when: &str) {
    assert_eq!(a.rows_text(), b.rows_text(), "text {when}");
    assert_eq!(a.grid(), b.grid(), "grid {when}");
    assert_eq!(difference(&a.ansi(None), &b.ansi(None)), None, "attributes {when}");
    assert_eq!(difference(&a.snapshot(), &b.snapshot()), None, "state {when}");
    assert_eq!(a.unfinished(), b.unfinished(), "unfinished {when}");
}

/// A copy made after `before` equals the original, then and after `rest`.
///
/// A character is written to both before they are compared, as the one that REP would repeat is
/// not restored where a full screen lacks it.
fn assert_restores(before: &[u8], rest: &[u8]) {
    let original = screen([before, b"."].concat());
    let mut restored = copy(&screen(before));
    restored.feed(b".");
    assert_same(&original, &restored, "at once");
    let mut original = screen(before);
    let mut restored = copy(&original);
    for screen in [&mut original, &mut restored] {
        screen.feed(rest);
        screen.feed(b".");
    }
    assert_same(&original, &restored, "after the rest");

    // Rows that wrapped are known as such: another width wraps them in the same places.
    let mut original = screen(before);
    let mut restored = screen(original.snapshot_with_history(usize::MAX));
    let history = original.history_text(99);
    assert_eq!(history, restored.history_text(99), "history");
    for size in [Size::nearest(13, 6), Size::nearest(33, 6)] {
        original.resize(size);
        restored.resize(size);
        assert_eq!(original.text(Some(99)), restored.text(Some(99)), "as {size:?}");
    }
}

/// One piece of a program's output.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![4 => 0u16..8, 2 => 0u16..24, 1 => Just(65535u16)];
    let text =
        prop_oneof!["[a-zA-Z ]{1,12}", "[q-x]{1,9}", "[日本語字한글]{1,6}", "[éßñ🙂🚀x]{1,5}"];
    let mark = Just("e\u{301}\u{302}".to_owned());
    let private = prop::sample::select(vec![
        1u16, 3, 5, 6, 7, 12, 25, 45, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1047,
        1048, 1049, 1049, 2004, 2026, 2031,
    ]);
    let plain = prop::sample::select(vec![
        "\r",
        "\n",
        "\r\n",
        "\t",
        "\x08",
        "\x0e",
        "\x0f",
        "\x1b7",
        "\x1b8",
        "\x1bD",
        "\x1bE",
        "\x1bM",
        "\x1bH",
        "\x1b=",
        "\x1b>",
        "\x1b#8",
        "\x1b(0",
        "\x1b(B",
        "\x1b)0",
        "\x1b)B",
        "\x1b[s",
        "\x1b[u",
        "\x1b[!p",
        "\x1b[r",
        "\x1b[2g",
        "\x1b[3g",
        "\x1b[?5W",
        "\x1bc",
        "\x1b]2;one\x07",
        "\x1b]0;two; three\x1b\\",
        "\x1b[22t",
        "\x1b[23t",
        "\x1b]7;file:///a\x07",
        "\x1b]8;;http://a/b;c\x1b\\",
        "\x1b]8;id=x;http://d\x07",
        "\x1b]8;;\x07",
        "\x1b[4h",
        "\x1b[4l",
        "\x1b[20h",
        "\x1b[>1u",
        "\x1b[>5u",
        "\x1b[<u",
        "\x1b[=3;1u",
        "\x1b[=8;2u",
        "\x1b[>4;2m",
        "\x1b[>4m",
        "\x1b[3 q",
        "\x1b[6 q",
        "\x1b[0 q",
        "\x1b]4;1;#102030\x07",
        "\x1b]11;rgb:10/20/30\x07",
        "\x1b]104;1\x07",
        "\x1b]50;CursorShape=1\x07",
    ]);
    let sgr = prop::sample::select(vec![
        "",
        "0",
        "1",
        "2",
        "3",
        "4",
        "4:2",
        "4:3",
        "4:4",
        "4:5",
        "7",
        "8",
        "9",
        "22",
        "23",
        "24",
        "27",
        "28",
        "29",
        "31",
        "39",
        "42",
        "49",
        "95",
        "103",
        "38;5;8",
        "48;5;200",
        "38;2;1;2;3",
        "48;2;9;8;7",
        "58:5:3",
        "58:2::4:5:6",
        "59",
        "1;3;35;44",
    ]);
    let csi = prop::sample::select(b"@ABCDEFGHIJKLMPSTXZ`adefg".to_vec());
    prop_oneof![
        6 => text.prop_map(String::into_bytes),
        1 => mark.prop_map(String::into_bytes),
        3 => plain.prop_map(|bytes| bytes.as_bytes().to_vec()),
        3 => sgr.prop_map(|codes| format!("\x1b[{codes}m").into_bytes()),
        4 => (number.clone(), number.clone(), csi).prop_map(|(a, b, action)| {
            format!("\x1b[{a};{b}{}", char::from(action)).into_bytes()
        }),
        1 => (1u16..7, 1u16..9).prop_map(|(a, b)| format!("\x1b[{a};{b}r").into_bytes()),
        2 => (private, prop::bool::weighted(0.6))
            .prop_map(|(mode, on)| format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' }).into_bytes()),
    ]
}

fn stream(pieces: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..pieces).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_copy_goes_on_as_the_original(before in stream(60), rest in stream(30)) {
        assert_restores(&before, &rest);
    }

    #[test]
    fn any_cut_is_bridged(whole in vec(prop_oneof![
        5 => piece(),
        1 => vec(any::<u8>(), 1..4),
        1 => Just(b"\x1b]2;lo\tng \xe2\x82\xac\x1b\\".to_vec()),
        1 => Just(b"\x1bP1$q\"p\x1b\\\x1b_Gx\x1b\\\x1b[3\n1m".to_vec()),
    ], 0..12)) {
        let whole = whole.concat();
        let expected = screen(&whole);
        for cut in 0..=whole.len() {
            let mut boundary = Boundary::new();
            boundary.feed(&whole[..cut / 2]);
            boundary.feed(&whole[cut / 2..cut]);
            let original = screen(&whole[..cut]);
            prop_assert_eq!(boundary.unfinished(), original.unfinished());
            let mut restored = copy(&original);
            restored.feed(&whole[cut..]);
            prop_assert_eq!(expected.rows_text(), restored.rows_text(), "cut at {}", cut);
            prop_assert_eq!(expected.grid(), restored.grid(), "cut at {}", cut);
        }
    }

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

    #[test]
    fn the_wrapper_forwards(bytes in "(\x1b\\[[0-9]{0,2}(;[0-9])?[@A-HJ-MSTX`a-g]|\x1b[DEHM78]|[a-z]{1,9}|\r\n|\t){0,40}") {
        // Wide characters, saved modes and margins below the screen differ on purpose.
        let mut bare = Term::new(Config::default(), &TermSize::new(20, 6), VoidListener);
        Processor::<alacritty_terminal::vte::ansi::StdSyncHandler>::new().advance(&mut bare, bytes.as_bytes());
        let rows = (0..6).map(|line| {
            let row: String = bare.grid()[Line(line)].into_iter().map(|cell| cell.c).collect();
            row.replace('\t', " ").trim_end().to_owned()
        });
        prop_assert_eq!(screen(&bytes).rows_text(), rows.collect::<Vec<_>>());
    }

    #[test]
    fn changes_paint_what_a_whole_frame_does(
        first in stream(30), then in stream(20), cols in 0u16..30, rows in 0u16..9,
    ) {
        let view = Size::nearest(cols, rows);
        let mut source = screen(&first);
        let old = source.frame(view);
        source.feed(&then);
        let new = source.frame(view);
        let show = |bytes: Vec<u8>| sized(Size::nearest(cols.max(2), rows.max(1)), bytes);
        let changed = show([old.paint(None), new.paint(Some(&old))].concat());
        let whole = show(new.paint(None));
        prop_assert_eq!(changed.rows_text(), whole.rows_text());
        prop_assert_eq!(changed.ansi(None), whole.ansi(None));
        prop_assert_eq!(changed.grid().cursor.visible, whole.grid().cursor.visible);
        if whole.grid().cursor.visible {
            prop_assert_eq!(changed.grid().cursor, whole.grid().cursor);
        }
    }
}

#[test]
fn scenes_come_back() {
    let scenes: [(&str, &str, &str); 12] = [
        (
            "alternate screen with the main one behind",
            "$ vim\r\n\x1b[31mred\x1b[?1049h\x1b[2;3H\x1b)0\x0elqqk\x1b[3;3Hx  x\x0f",
            "more\x1b[?1049l back\r\nnext",
        ),
        ("region", "\x1b[2;4r\x1b[4;1Hone\ntwo\nthree\x1b[5;5H", "\x1b[4;1H\nfour\n\x1b[1;1Hfive"),
        ("pending wrap", "12345678901234567890", "x"),
        ("pending wrap on a wide character", "123456789012345678日", "x\u{301}"),
        ("a wide character that wrapped", "1234567890123456789日本", "\x1b[1;20Hx"),
        ("tab stops", "\x1b[3g\x1b[5G\x1bH\x1b[9G\x1bH\r", "a\tb\tc\td\x1b[2Zz"),
        ("saved cursor", "\x1b[3;4H\x1b[1;34m\x0e\x1b7\x1b[0m\x0f\x1b[Hhome", "\x1b8there"),
        ("saved cursor that waits to wrap", "12345678901234567890\x1b7next", "\x1b8"),
        ("character set", "\x1b(0lqk\x1b)B", "mqj\x0emqj"),
        ("title", "\x1b]2;first\x07\x1b[22t\x1b]2;second\x07", "\x1b[23t"),
        ("repeat", "\x1b[2;2Hab", "\x1b[3b"),
        ("keyboard", "\x1b[>1u\x1b[?1049h\x1b[>5u\x1b[=7;1u", "\x1b[?1049l\x1b[?u\x1b[<u\x1b[?u"),
    ];
    for (_name, before, rest) in scenes {
        assert_restores(before.as_bytes(), rest.as_bytes());
    }
    let mut region = screen("\x1b[2;4r\x1b[4;1Hone");
    let mut restored = copy(&region);
    region.feed(b"\ntwo\ntop");
    restored.feed(b"\ntwo\ntop");
    assert_eq!(restored.rows_text(), ["", "one", "   two", "      top", "", ""]);
    assert_eq!(copy(&screen("\x1b]2;a title\x07")).title(), Some("a title"));
    assert_eq!(copy(&screen("\x1b]7;file:///tmp\x07")).directory(), Some("file:///tmp"));
}

#[test]
fn a_snapshot_replaces_whatever_was_shown() {
    let dirty = b"old\x1b[?1049h\x1b[2;3r\x1b[?6h\x1b[?1003h\x1b[?1006h\x1b[4h\x1b[?7l\x1b)0\x0e\x1b[7mold\x1b[>1u\x1b[3 q";
    let wanted = screen("new\x1b[32m line\r\n\x1b[?2004hx");
    let viewer = screen([&dirty[..], &wanted.snapshot()].concat());
    assert_same(&wanted, &viewer, "over another screen");
}

#[test]
fn history_is_scrolled_out_first() {
    let lines: String = (0..30).map(|n| format!("line {n}\r\n")).collect();
    let original = screen(lines + "12345678901234567890wrapped\x1b[?1049h\x1b[Halternate");
    let viewer = screen(original.snapshot_with_history(usize::MAX));
    assert_eq!(original.history_text(99).len(), 26);
    assert_eq!(viewer.history_text(99), original.history_text(99));
    assert_same(&original, &viewer, "with history");
    assert_eq!(screen(original.snapshot_with_history(3)).history_text(99).len(), 3);
    assert!(original.text(Some(2)).starts_with("line 24\nline 25\nalternate"));
}

#[test]
fn answers_are_collected_and_secrets_are_not() {
    let mut screen = screen("\x1b[c\x1b[6n\x1b[3;5H\x1b[6n\x1b]11;?\x07\x1b[?u\x1b[?2004$p");
    let answers = "\x1b[?6c\x1b[1;1R\x1b[3;5R\x1b]11;rgb:0000/0000/0000\x07\x1b[?0u\x1b[?2004;2$y";
    assert_eq!(readable(&screen.take_answers()), readable(answers.as_bytes()));
    screen.feed(b"\x1b]2;rm -rf\x07\x1b[21t\x1b[20t\x1b]52;c;?\x07\x1b]52;c;aGk=\x07\x1b]52;c;?\x1b\\\x1bP$q q\x1b\\\x1b[14t");
    assert_eq!(readable(&screen.take_answers()), "");
    screen.feed(&b"\x1b[c".repeat(100_000));
    assert!(screen.take_answers().len() <= 64 * 1024);
}

#[test]
fn notices_are_told_once_and_bounded() {
    let mut screen = screen("\x07\x07\x1b]2;t\x07\x1b]2;t\x07\x07\x1b]7;file:///x\x1b\\");
    let told = [
        Notice::Bell,
        Notice::Title(Some("t".to_owned())),
        Notice::Bell,
        Notice::Directory(Some("file:///x".to_owned())),
    ];
    assert_eq!(screen.take_notices(), told);
    screen.feed(&b"\x07\x1b]2;a\x07\x07\x1b]2;b\x07".repeat(1000));
    assert!(screen.take_notices().len() <= 64);
}

#[test]
fn restore_calms_everything_down() {
    let wild = "\x1b[>1u\x1b[?1049h\x1b[>5u\x1b[=3;1u\x1b[2;3r\x1b[?6h\x1b[?1h\x1b=\x1b[?1003h\x1b[?1006h\
        \x1b[?1015h\x1b[?1004h\x1b[?2004h\x1b[?2026h\x1b[?2031h\x1b[?5h\x1b[4h\x1b[20h\x1b[?7l\x1b[?25l\
        \x1b)0\x0e\x1b[1;4:3;31m\x1b]8;;http://x\x07\x1b[>4;2m\x1b[5 q\x1b]2;unfinis";
    let mut screen = screen(wild);
    screen.feed(RESTORE);
    let mut calm = self::screen("");
    calm.feed(b" \x1b[H\x1b7\x1b[K");
    screen.feed(b" \x1b[H\x1b7\x1b[K\x1b]2;\x07");
    assert_same(&calm, &screen, "after RESTORE");
    let mut shell = self::screen("$ cat\r\nfoo");
    shell.feed(RESTORE);
    assert_eq!((shell.grid().cursor.row, shell.grid().cursor.col), (1, 3));
}

#[test]
fn frames_clip_and_pad() {
    let source = screen("ab日cd\r\n\x1b[31mred\x1b[0m\r\nthree\r\nfour");
    let shown = |cols, rows| {
        let view = Size::nearest(cols, rows);
        sized(view, source.frame(view).paint(None)).rows_text()
    };
    assert_eq!(shown(40, 8), ["ab日cd", "red", "three", "four", "", "", "", ""]);
    assert_eq!(shown(3, 2), ["thr", "fou"]);
    assert_eq!(shown(3, 6)[0], "ab");
    assert_eq!(shown(4, 6)[0], "ab日");
    let frame = source.frame(SIZE);
    assert_eq!(frame.paint(Some(&frame)), b"\x1b[?25l\x1b[0m\x1b[4;5H\x1b[?25h");
    assert!(!screen("\x1b[?25l").frame(SIZE).paint(Some(&frame)).ends_with(b"h"));
}

#[test]
fn renderings_carry_attributes_and_escape() {
    let screen = screen(
        "\x1b[1;31m<b>\x1b[0m & \x1b]8;;javascript:x\x07js\x1b]8;;https://a?b&c\x07ok\x1b]8;;\x07",
    );
    assert_eq!(screen.text(None), "<b> & jsok\n");
    assert!(screen.ansi(None).starts_with(b"\x1b[0;1;31m<b>\x1b[0m & "));
    let html = screen.html(None);
    assert!(
        html.contains("<span style=\"color:#cd0000;font-weight:bold;\">&lt;b&gt;</span> &amp; ")
    );
    assert!(html.contains("<a href=\"https://a?b&amp;c\">") && !html.contains("javascript"));
}

#[test]
fn behind_the_seam_it_is_the_same_screen() {
    let mut model: Box<dyn ScreenModel> = Box::new(Screen::new(SIZE, 0));
    model.feed(b"\x1b[?2004hseen\x1b[");
    let mut copy = Screen::new(SIZE, 0);
    copy.feed(&model.snapshot(0));
    copy.feed(model.unfinished());
    copy.feed(b"3D!");
    assert_eq!(copy.rows_text()[0], "s!en");
    assert!(model.bracketed_paste() && copy.bracketed_paste());
}

#[test]
fn a_full_last_row_below_one_that_wrapped_early_is_restored() {
    // A wide character that did not fit leaves its mark above, and is moved away by inserted lines; the row below
    // ends where it wrapped, and what it wrapped onto has left the screen.
    let before = b"\x1b[4;20f\xe5\xad\x97\x1b[0;0L\x1b[17;0CaA\x1b[1;6raAA\x1b[0;0L";
    assert_restores(before, b"");
}
