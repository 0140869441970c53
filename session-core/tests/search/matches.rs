//! Which texts a query finds, and where in them.

use crate::query;

#[test]
fn matches_are_words() {
    for (typed, text, expected) in [
        ("foo", "call foo_bar()", true),
        ("bar", "call foo_bar()", true),
        ("foo_bar", "foo bar", true),
        ("foo_bar", "foo_baz_bar", false),
        ("foo_bar", "bar foo", false),
        ("fo", "foo", false),
        ("fo*", "foo", true),
        ("oo*", "foo", false),
        ("\"disk fu\"*", "the disk: fully", true),
        ("\"di fu\"*", "the disk: fully", false),
        ("日", "日本語", true),
        ("日本", "日本語", true),
        ("日語", "日本語", false),
        ("本語", "日本語", true),
        ("한국", "한국어", false),
        ("한국*", "한국어", true),
        ("go", "Let's go!", true),
        ("t", "don't", true),
        ("don't", "DON’T", true),
        ("dont", "don't", false),
        ("C++", "in C", true),
        ("straße", "STRAßE", true),
        ("straße", "STRASSE", false),
        ("ẞ", "ß", true),
        ("istanbul", "İSTANBUL", true),
        ("ısı", "ISI", false),
        ("σοφος", "ΣΟΦΟΣ", true),
        ("σοφοσ", "σοφος", true),
        ("cafe", "cafe\u{301}", true),
        ("cafe\u{301}", "CAFE", true),
        ("é", "e\u{301}", true),
        ("é", "E", true),
        ("uber", "Über", true),
        ("ubung*", "Übungen", true),
        ("Ёлка", "елка", true),
        ("ae", "æ", false),
        ("a b", "b a", true),
        ("a b", "a", false),
        ("a OR b", "b", true),
        ("a -b", "a", true),
        ("a -b", "a b", false),
        ("a -b", "b", false),
        ("a -(b c)", "a b", true),
        ("a -(b c)", "a b c", false),
        ("a -(b -c)", "a b c", true),
        ("a -(b -c)", "a b", false),
        ("a -(b -(c -d))", "a b c d", false),
        ("a (b OR c) -d", "c a", true),
        ("a b OR c -d", "a b d", true),
        ("\"a b a\"", "a b b a b a", true),
        ("\"a a b\"", "a a a b", true),
        ("\"a\" \"a b\"", "a a b", true),
        ("a", "", false),
    ] {
        assert_eq!(query(typed).matches(text), expected, "{typed:?} in {text:?}");
    }
}

#[test]
fn marks_are_the_words_that_were_sought() {
    for (typed, text, expected) in [
        ("foo", "Foo foo_foo food", &["Foo", "foo", "foo"][..]),
        ("foo*", "Foo food", &["Foo", "food"]),
        ("foo_bar", "(foo <-> bar) foo", &["foo <-> bar"]),
        ("\"a b\" \"b c\"", "a b c", &["a b c"]),
        ("\"a b\" \"b a\"", "x a b a b x", &["a b a b"]),
        ("\"a b c\" b", "a b, c", &["a b, c"]),
        ("a b", "a b", &["a", "b"]),
        ("日 本", "日本語", &["日本"]),
        ("a -b", "a b", &["a"]),
        ("a -(b -c)", "a b c", &["a"]),
        ("a b", "b", &["b"]),
        ("cafe", "«Cafe\u{301}» Café", &["Cafe\u{301}", "Café"]),
        ("a", "b", &[]),
    ] {
        let marks = query(typed).marks(text);
        let marked: Vec<_> = marks.into_iter().map(|mark| &text[mark]).collect();
        assert_eq!(marked, expected, "{typed:?} in {text:?}");
    }
}

/// As many words as a query has at most, whichever way they are spread over phrases.
#[test]
fn a_phrase_may_take_all_the_words() {
    let words: Vec<String> = (0..256).map(|number| format!("w{number}")).collect();
    let text = format!("w0 {} w255", words.join("-"));
    let whole = query(&format!("\"{}\"", words.join(" ")));
    let marks = whole.marks(&text);
    assert_eq!((marks.len(), &marks[0]), (1, &(3..text.len() - 5)));
    for missing in [0, 62, 63, 64, 65, 127, 128, 191, 192, 255] {
        let without: Vec<_> =
            text.split(['-', ' ']).filter(|word| *word != words[missing]).collect();
        let text = without.join(" ");
        assert!(!whole.matches(&text), "{missing}");
    }
    for length in [1, 2, 63, 64, 65, 128] {
        let phrases: Vec<_> = words.chunks(length).map(|words| words.join("_")).collect();
        let query = query(&phrases.join(" "));
        assert!(query.matches(&phrases.join(" x ")), "{length}");
        assert!(!query.matches(&phrases[1..].join(" x ")), "{length}");
        assert_eq!(query.marks(&phrases.join(" x ")).len(), phrases.len(), "{length}");
    }
}
