//! Which words a text has.

use session_core::search::tokens;

use crate::{query, words};

#[test]
fn words_are_runs_of_letters_and_digits() {
    for (text, expected) in [
        ("", &[][..]),
        (" <>\0\t'\"-_./\u{1b}\u{85}🦀\u{200d}\u{301}", &[]),
        ("Hello, WORLD", &["hello", "world"]),
        ("don't", &["don", "t"]),
        ("C++ c# .NET", &["c", "c", "net"]),
        ("foo_bar src/main.rs --no-op", &["foo", "bar", "src", "main", "rs", "no", "op"]),
        ("<div class=\"x\">", &["div", "class", "x"]),
        ("a\0b\u{7f}c", &["a", "b", "c"]),
        ("v1.2 ½ Ⅷ", &["v1", "2", "½", "ⅷ"]),
        ("STRASSE Straße ẞ", &["strasse", "straße", "ß"]),
        ("İstanbul ISIK ışık", &["istanbul", "isik", "ısık"]),
        ("ΣΟΦΟΣ σοφος σοφός", &["σοφοσ", "σοφοσ", "σοφοσ"]),
        ("Cafe\u{301} cafe\u{301}s café", &["cafe", "cafes", "cafe"]),
        ("Ærøskøbing ǽ ǿ Łódź", &["ærøskøbing", "æ", "ø", "łodz"]),
        ("Ấn ǖ ẛ Å Ἄ ᾧ Ϋ", &["an", "u", "ſ", "a", "α", "ω", "υ"]),
        ("Ещё й Ї Ѓ", &["еще", "и", "і", "г"]),
        ("Ａ ガ か\u{3099}", &["ａ", "ガ", "か"]),
        ("日本語 Go言語で", &["日", "本", "語", "go", "言", "語", "で"]),
        (
            "カタカナ ｶﾅ ー 々 \u{20000}",
            &["カ", "タ", "カ", "ナ", "ｶ", "ﾅ", "ー", "々", "\u{20000}"],
        ),
        ("한국어 검색", &["한국어", "검색"]),
        ("Привет, мир", &["привет", "мир"]),
        (r"\ud800\u0041", &["ud800", "u0041"]),
    ] {
        assert_eq!(words(text), expected, "{text:?}");
    }
}

#[test]
fn a_word_keeps_its_marks_in_its_range() {
    let text = "\u{301}Cafe\u{301}\u{301}, 日\u{301}İ";
    let ranges: Vec<_> = tokens(text).map(|token| &text[token.range]).collect();
    assert_eq!(ranges, ["Cafe\u{301}\u{301}", "日\u{301}", "İ"]);
    assert_eq!(words(text), ["cafe", "日", "i"]);
}

#[test]
fn a_long_word_is_compared_by_its_beginning() {
    let blob = "QUJD".repeat(1 << 18);
    let token = tokens(&blob).next().unwrap();
    assert_eq!((token.text.len(), token.range), (256, 0..blob.len()));
    let odd = format!("a{}", "ß".repeat(200));
    assert_eq!(words(&odd), [format!("a{}", "ß".repeat(127))]);
    let odd_capital = format!("A{}", "ẞ".repeat(200));
    assert_eq!(words(&odd_capital), words(&odd));
    // What counts is the word as it is compared, without marks.
    assert_eq!(words(&"é".repeat(300)), ["e".repeat(256)]);
    assert_eq!(words(&"e\u{301}".repeat(300)), ["e".repeat(256)]);

    assert!(query(&blob).matches(&blob));
    assert!(query(&format!("{blob}*")).matches(&blob));
    let marks = query(&blob).marks(&format!("<{blob}>"));
    assert_eq!((marks.len(), &marks[0]), (1, &(1..1 + blob.len())));
}
