//! Texts and queries of the same few words, so that they have something to do with each other.

use proptest::collection::vec;
use proptest::prelude::*;
use session_core::search::Expression;
use session_testkit::strategies;

use crate::query;

/// Text of few words, and of what may stand between them.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let parts = [
        "a",
        "b",
        "ab",
        "A",
        "B",
        "日",
        "本",
        "カ",
        "é",
        "Ệ",
        "ǟ",
        "Ñ",
        "Ǿ",
        "ΐ",
        "ᾯ",
        "Й",
        "e\u{301}",
        "İ",
        "ς",
        "Σ",
        "ß",
        "1",
        " ",
        " ",
        " ",
        "\n",
        "_",
        "-",
        ".",
        "\"",
        "\0",
        "\u{1b}[",
        "\u{200b}",
        "\u{202e}",
        "\u{200d}",
        "\u{1f468}",
        "🇩",
        "\u{301}",
        "x y z",
        "\t  \r\n",
    ];
    vec(proptest::sample::select(parts.to_vec()), 0..60).prop_map(|parts| parts.concat())
}

/// What somebody may type, well-formed or not.
pub(crate) fn typed() -> impl Strategy<Value = String> {
    let parts = [
        "a", "b", "ab", "A", "日", "日本", "é", "e\u{301}", "σ", "a_b", "1", "a*", "\"a b\"",
        "\"b a\"*", " ", " ", " ", " OR ", " OR ", " AND ", " NOT ", " -", "-", "(", ")", " (",
        ") ", "\"", "*", "<>", "\0", "x", "y",
    ];
    vec(proptest::sample::select(parts.to_vec()), 1..24).prop_map(|parts| parts.concat())
}

/// Well-formed queries, as deep as they come.
fn deep() -> impl Strategy<Value = String> {
    let leaf = prop_oneof!["[abAB1日本]{1,2}\\*?", "\"[ab] [ab]\"\\*?", Just("a_b_a".to_owned())];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join(" "))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} -{b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("(NOT {a} {b})")),
        ]
    })
}

/// Any query; one word in place of what is none.
pub(crate) fn any_query() -> impl Strategy<Value = Expression> {
    prop_oneof![typed(), deep(), strategies::text()]
        .prop_map(|typed| Expression::parse(&typed).unwrap_or_else(|_| query("a")))
}

/// Any text.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![8 => text(), 1 => strategies::text()]
}
