//! What is shown of a text that was found.

use session_core::search::Snippet;

use crate::query;

/// A snippet with its marks in brackets.
fn shown(text: &str, typed: &str, width: usize) -> String {
    let Snippet { text, marks } = Snippet::around(text, &query(typed), width);
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        shown.extend(marks.iter().filter(|mark| mark.0 == at).map(|_| '['));
        shown.push(character);
        shown.extend(marks.iter().filter(|mark| mark.1 == at + 1).map(|_| ']'));
    }
    shown
}

#[test]
fn a_snippet_shows_the_match_on_one_line() {
    let long = format!("{}needle{}", "left ".repeat(100), " right".repeat(100));
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let families = family.repeat(9) + " x " + &family.repeat(9);
    let far = format!("one {} one two {} two", "0 ".repeat(99), "0 ".repeat(99));
    for (text, typed, width, expected) in [
        ("", "a", 10, "".to_owned()),
        (" \u{1b}\n", "a", 10, "".into()),
        ("a", "a", 0, "[a]".into()),
        ("no such word", "a", 6, "no su…".into()),
        ("the disk\n\n  is\tfull ", "full disk", 20, "the [disk] is [full]".into()),
        ("the disk\n\n  is\tfull ", "\"disk is\"", 20, "the [disk is] full".into()),
        ("a\u{1b}[1m\u{202e}b\u{200b} \u{feff} c", "1m c", 20, "a[[1m]b [c]".into()),
        (&long, "needle", 20, "… left [needle] right…".into()),
        (&long, "needle", 7, "…[needl]…".into()),
        (&long, "needle", 3, "…[n]…".into()),
        (&long[500..], "needle", 14, "[needle] right …".into()),
        (&long[..506], "needle", 14, "…t left [needle]".into()),
        (&families, "x", 7, format!("…{family} [x] {family}…")),
        ("日本語の検索", "検索", 5, "…語の[検索]".into()),
        (&far, "one two", 12, "… [one] [two] 0…".into()),
        ("a\u{200b}b c", "a b", 5, "[ab] c".into()),
        ("a b c d", "c \"a b c\"", 6, "[a b c]…".into()),
        ("ca\u{301}fe\u{301} noir", "cafe", 6, "[ca\u{301}fe\u{301}] …".into()),
    ] {
        assert_eq!(shown(text, typed, width), expected, "{typed:?} in {text:?}");
    }
}

#[test]
fn a_mark_is_right_at_the_edges_of_a_snippet() {
    // A word that is cut is not the word, and a phrase that goes on outside is still marked.
    let text = format!("{}{}", "x ".repeat(50), "needle needles aa bb cc dd ".repeat(50));
    assert!(!shown(&text, "needle", 15).contains("[needle]s"));
    assert_eq!(shown(&text, "needles \"needles aa bb cc dd needle\"", 12), "… [needles a]…");
    assert_eq!(shown("y a b c d e f g", "y \"a b c d e f\" e", 6), "…[e f] g");
}

/// Nothing is read again and again, whatever the text consists of: this would take hours otherwise.
#[test]
fn large_texts_are_read_once() {
    for unit in
        ["a", "a ", "a b ", " ", "\u{200b}", "e\u{301}", "\u{301}", "🇩🇪", "日", "\u{1f468}\u{200d}"]
    {
        let text = unit.repeat((1 << 19) / unit.len());
        let text = format!("{text} needle {text}");
        let query = query("needle OR \"a a b\" OR ex*");
        let at = text.find("needle").unwrap();
        let marks = query.marks(&text);
        assert_eq!((marks.len(), &marks[0]), (1, &(at..at + 6)), "{unit:?}");
        let Snippet { text: line, marks } = Snippet::around(&text, &query, 80);
        assert!(line.contains("needle") && line.chars().count() <= 16 * 80 + 130, "{unit:?}");
        assert_eq!(marks.len(), 1, "{unit:?}");
        assert!(query.matches(&text));
    }
}
