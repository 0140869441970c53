//! Scenes that other programs get wrong when somebody comes back to them.

use session_pty::screen::RESTORE;

use crate::copies::assert_restores;
use crate::stage::{assert_same, copy, readable, screen};

#[test]
fn scenes_come_back() {
    let scenes: [(&str, &str, &str); 15] = [
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
        ("pounds", "\x1b(A#\x1b7\x1b)A\x1b(B#\x0e#", "#\x1b8#\x0e#\x1b(0#"),
        ("blinking", "\x1b[5mslow\x1b[6;1m  \x1b[25mnot\x1b[5m", "still\x1b[mnot"),
        (
            "alternate screen that saves no cursor",
            "\x1b[2;3H\x1b7\x1b[4;5H\x1b[31m\x1b[?47hx",
            "\x1b[?47lhere\x1b8there\x1b[?1047hy\x1b[?1049lback",
        ),
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
fn restore_calms_everything_down() {
    let wild = "\x1b[>1u\x1b[?1049h\x1b[>5u\x1b[=3;1u\x1b[2;3r\x1b[?6h\x1b[?1h\x1b=\x1b[?1003h\x1b[?1006h\
        \x1b[?1015h\x1b[?1004h\x1b[?2004h\x1b[?2026h\x1b[?2031h\x1b[?5h\x1b[4h\x1b[20h\x1b[?7l\x1b[?25l\
        \x1b)0\x0e\x1b[1;4:3;31m\x1b]8;;http://x\x07\x1b[>4;2m\x1b[5 q\x1b]2;unfinis";
    let mut screen = screen(wild);
    screen.feed(RESTORE);
    let mut calm = self::screen("");
    // Where the cursors stood that were saved matters to nobody.
    let saves = b"\x1b[?1049h\x1b[H\x1b7\x1b[?1049l \x1b[H\x1b7\x1b[K\x1b]2;\x07";
    calm.feed(saves);
    screen.feed(saves);
    assert_same(&calm, &screen, "after RESTORE");
    let mut shell = self::screen("$ cat\r\nfoo");
    shell.feed(RESTORE);
    assert_eq!((shell.grid().cursor.row, shell.grid().cursor.col), (1, 3));
}

#[test]
fn attributes_and_sets_that_the_engine_lacks_are_there() {
    let blinking = screen("\x1b[5ma\x1b[6mb\x1b[25mc\x1b[5md\x1b[me");
    assert_eq!(readable(&blinking.ansi(None)), "\n\\e[0;5mab\n\\e[0mc\n\\e[0;5md\n\\e[0me\\n");
    let pounds = screen("\x1b(A#\x1b[2b\x0e#\x1b)A#\x0f\x1b(B#\x1b(A#\x1b[!p#");
    assert_eq!(pounds.rows_text()[0], "£££#£#£#");
    assert_eq!(screen("\x1b(A\x1b7\x1b(B##\x1b8#").rows_text()[0], "£#");
    // A set that has a pound sign has no line drawing.
    assert_eq!(screen("\x1b(0q\x1b(Aq").rows_text()[0], "─q");
}

#[test]
fn side_margins_are_handed_on_and_save_no_cursor() {
    let mut screen = screen("\x1b[2;3H\x1b[s\x1b[5;5H\x1b[?69h\x1b[4;9s");
    let kept = readable(&screen.snapshot());
    assert!(kept.contains(&readable(b"\x1b[?69h\x1b[4;9s\x1b[1;1H")), "{kept}");
    assert_same(&screen, &copy(&screen), "with margins");
    screen.feed(b"\x1b[?69l\x1b[u");
    assert_eq!((screen.grid().cursor.row, screen.grid().cursor.col), (1, 2));
    assert!(!readable(&screen.snapshot()).contains("?69h"));
    screen.feed(b"\x1b[5;5H\x1b[4;9s\x1b[H\x1b[u");
    assert_eq!((screen.grid().cursor.row, screen.grid().cursor.col), (4, 4));
    // Whoever leaves is given all of his terminal back.
    assert!(readable(RESTORE).contains("[?69l"));
}

#[test]
fn switching_screens_saves_the_cursor_only_where_it_is_told_to() {
    let mut screen = screen("\x1b[2;3H\x1b7\x1b[4;5H\x1b[?47h\x1b[1;1Hx\x1b[?47l");
    assert_eq!((screen.grid().cursor.row, screen.grid().cursor.col), (0, 1));
    screen.feed(b"\x1b8");
    assert_eq!((screen.grid().cursor.row, screen.grid().cursor.col), (1, 2));
    screen.feed(b"\x1b[4;5H\x1b[?1049h\x1b[1;1Hx\x1b[?1049l");
    assert_eq!((screen.grid().cursor.row, screen.grid().cursor.col), (3, 4));
}

/// Nothing that can be asked or seen here depends on these, but a viewer's terminal does.
#[test]
fn what_only_an_outer_terminal_acts_on_is_handed_on() {
    for mode in [5, 9, 45, 66, 67, 1015, 1016, 1034, 1036, 1039, 2027, 2031, 2048, 9001] {
        let set = format!("\x1b[?{mode}h");
        let written = |bytes: &str| readable(&screen(bytes).snapshot());
        let (before, after) = (written("x"), written(&format!("x{set}")));
        assert!(
            after.contains(&readable(set.as_bytes()))
                && !before.contains(&readable(set.as_bytes()))
        );
        assert_eq!(written(&format!("x{set}\x1bcx")), before, "mode {mode} after a reset");
    }
    for sequence in [
        "\x1b)0",
        "\x1b*0",
        "\x1b+0",
        "\x1b[>4;1m",
        "\x1b]4;9;rgb:01/02/03\x1b\\",
        "\x1b]11;rgb:01/02/03\x1b\\",
    ] {
        let kept = readable(&screen(format!("x{sequence}")).snapshot());
        assert!(kept.contains(&readable(sequence.as_bytes())), "{kept}");
    }
}
