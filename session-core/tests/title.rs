//! What a conversation is called after its first text.

use proptest::prelude::*;
use session_core::title_of;
use session_testkit::strategies;
use unicode_segmentation::UnicodeSegmentation;

#[test]
fn a_title_is_one_line_of_what_can_be_shown() {
    for (text, title) in [
        ("", None),
        (" \t\r\n\u{3000}", None),
        ("\0\u{1b}\u{7f}\u{9b}\u{200b}\u{feff}\u{202e}\u{2066}", None),
        ("Fix the build", Some("Fix the build")),
        ("\n\n  Fix\tthe \r\n build  \n", Some("Fix the build")),
        ("a \u{200b} b", Some("a b")),
        ("\u{1b}[31mred\u{1b}[0m", Some("[31mred[0m")),
        ("a\u{202e}b\u{2069}c", Some("abc")),
        ("a\u{85}b\u{2028}c", Some("a b c")),
        ("\u{1f468}\u{200d}\u{1f469}", Some("\u{1f468}\u{200d}\u{1f469}")),
        (r"\ud800", Some(r"\ud800")),
    ] {
        assert_eq!(title_of(text).as_deref(), title, "{text:?}");
    }
}

#[test]
fn a_long_title_is_cut_between_graphemes() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    for unit in ["a", "e\u{301}", "日", family] {
        let whole = unit.repeat(60);
        assert_eq!(title_of(&whole), Some(whole.clone()), "{unit:?}");
        let cut = format!("{}…", unit.repeat(59));
        assert_eq!(title_of(&unit.repeat(61)), Some(cut), "{unit:?}");
    }
    let spaced = format!("{} {}", "a".repeat(58), "b".repeat(9));
    assert_eq!(title_of(&spaced), Some(format!("{}…", "a".repeat(58))), "no space is left hanging");
    let trailing = format!("{} \n ", "a".repeat(60));
    assert_eq!(title_of(&trailing), Some("a".repeat(60)), "white space is nothing that is cut");
}

#[test]
fn a_megabyte_of_one_character_is_no_title() {
    let marks = format!("e{}", "\u{301}".repeat(1 << 20));
    let title = title_of(&marks).unwrap();
    assert!(title.chars().count() < 2000 && title.ends_with('…'));
    assert_eq!(title_of(&" ".repeat(1 << 20)), None);
    assert_eq!(title_of(&"x".repeat(1 << 20)), Some(format!("{}…", "x".repeat(59))));
}

proptest! {
    #[test]
    fn any_text_has_a_title_that_can_be_printed(text in strategies::text()) {
        if let Some(title) = title_of(&text) {
            prop_assert!((1..=60).contains(&title.graphemes(true).count()), "{title:?}");
            prop_assert!(!title.contains(char::is_control), "{title:?}");
            prop_assert_eq!(title.trim(), &title);
            prop_assert_eq!(title_of(&title), Some(title.clone()), "a title is its own title");
        }
    }
}
