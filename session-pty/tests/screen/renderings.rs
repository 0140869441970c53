//! Screens in other forms: frames for viewers of another size, text, HTML, values.

use proptest::prelude::*;
use session_pty::screen::Size;

use crate::pieces::stream;
use crate::stage::{SIZE, cases, screen, sized};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..Default::default() })]

    #[test]
    fn changes_paint_what_a_whole_frame_does(
        first in stream(30), then in stream(20), cols in 0u16..30, rows in 0u16..9,
    ) {
        let view = Size::nearest(cols, rows);
        let mut source = screen(&first.0);
        let old = source.frame(view);
        source.feed(&then.0);
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
fn wide_characters_marks_and_links_survive_in_every_form() {
    let screen = screen(
        "\r\n日本e\u{301}👩\u{200d}🚀|\r\n\x1b]8;id=7;https://a/?q='\"<&\x1b\\\x1b[4:3;58:2::1:2:3mlink\x1b[0m\x1b]8;;\x1b\\\
        \x1b]8;;http://b/\x07b\x1b]8;;\x07 <\u{1b}[9m&\x1b[m>\x1b[8mhid\x1b[m",
    );
    assert_eq!(screen.text(None), "\n日本e\u{301}👩\u{200d}🚀|\nlinkb <&>hid\n");
    assert_eq!(screen.grid().lines[1], "日本e\u{301}👩\u{200d}🚀|");
    assert_eq!(serde_json::to_value(screen.grid()).unwrap()["lines"][2], "linkb <&>hid");

    let html = screen.html(None);
    // The first line feed inside is not shown, and an empty first row is.
    assert!(html.contains("monospace\">\n\n日本e\u{301}👩\u{200d}🚀|\n"), "{html}");
    assert!(html.contains("<a href=\"https://a/?q=&#39;&quot;&lt;&amp;\"><span style=\"text-decoration: underline wavy #010203;\">link</span></a>"), "{html}");
    assert!(html.contains("<a href=\"http://b/\">b</a> &lt;<span"), "{html}");
    assert!(
        html.contains(
            "line-through;\">&amp;</span>&gt;<span style=\"visibility:hidden;\">hid</span>"
        ),
        "{html}"
    );
    assert!(html.ends_with("</pre>\n") && html.matches('<').count() == html.matches('>').count());

    // What is written with attributes reads the same where it is written out again.
    let text = String::from_utf8(screen.ansi(None)).unwrap().replace('\n', "\r\n");
    assert_eq!(self::screen(&text).ansi(None), screen.ansi(None));
}

#[test]
fn half_a_wide_character_is_a_blank_everywhere() {
    let cut = screen("a日b\x1b[1;3Hx\r\n日本\x1b[2;1H\x1b[P");
    assert_eq!(cut.text(None), "a xb\n 本\n");
    assert!(cut.html(None).contains("a xb\n 本\n"));
    let narrow = sized(Size::nearest(3, 6), cut.frame(Size::nearest(2, 6)).paint(None));
    assert_eq!(narrow.rows_text()[..2], ["a", ""]);
}
