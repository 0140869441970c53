//! What a query means, whichever way it is typed, and what is no query.

use session_core::search::{Expression, SearchError};

use crate::query;

#[track_caller]
fn refused(text: &str) -> SearchError {
    Expression::parse(text).expect_err(text)
}

#[test]
fn a_query_has_one_normal_form() {
    for (typed, normal) in [
        ("Disk FULL", "disk full"),
        ("disk AND full", "disk full"),
        ("a OR b c OR d", "a OR b c OR d"),
        ("(a OR b) c", "(a OR b) c"),
        ("((a)) (b (c))", "a b c"),
        ("a OR (b OR c)", "a OR b OR c"),
        ("-b a", "a -b"),
        ("a NOT b c", "a c -b"),
        ("a NOT (b c)", "a -(b c)"),
        ("a -(b OR c)", "a -b -c"),
        ("a (-b -c)", "a -b -c"),
        ("a -(-b)", "a b"),
        ("a -(-b -c)", "a (b OR c)"),
        ("NOT NOT a", "a"),
        ("a NOT -b", "a b"),
        ("a -(b -(c d))", "a -(b -(c d))"),
        ("\"Disk full\"", "\"disk full\""),
        ("\"disk\"", "disk"),
        ("\"a OR (b\" c", "\"a or b\" c"),
        ("\"OR\" OR \"AND\" OR \"NOT\"", "or OR and OR not"),
        ("or and not", "or and not"),
        ("-OR a", "a -or"),
        ("a\"b c\"d", "a \"b c\" d"),
        ("conf* \"disk fu\"*", "conf* \"disk fu\"*"),
        ("conf** \"disk fu\" *", "conf* \"disk fu\""),
        ("src/ma*", "\"src ma\"*"),
        ("foo_* a*b", "foo \"a b\""),
        ("cafe\u{301}*", "cafe*"),
        ("foo_bar don't 日本", "\"foo bar\" \"don t\" \"日 本\""),
        ("-foo_bar a", "a -\"foo bar\""),
        ("-\"b c\" a", "a -\"b c\""),
        ("-.git/ a", "a -git"),
        ("C++ <> - -- -> * ' \"\" ()", "c"),
        ("--verbose ->next a-b", "verbose next \"a b\""),
        ("NOT <> b a", "a -b"),
        ("a NOT - b", "a -b"),
        ("-<> a", "a"),
        ("OR a OR OR b OR", "a OR b"),
        ("AND a AND AND b AND NOT", "a b"),
        ("a OR <>", "a"),
        ("main() f(x)", "main f x"),
        ("a NOT(b)OR(c)", "a -b OR c"),
        ("a \"b c", "a \"b c\""),
        ("a\u{3000}b\0c", "a \"b c\""),
    ] {
        let parsed = query(typed);
        assert_eq!(parsed.to_string(), normal, "{typed:?}");
        assert_eq!(query(normal), parsed, "{typed:?}");
    }
}

#[test]
fn what_cannot_be_searched_for_says_why() {
    for nothing in
        ["", " \t", "<>", "\"\"", "()", "(() -)", "-", "*", "OR", "NOT AND", "\u{301}", "🦀"]
    {
        assert_eq!(refused(nothing), SearchError::Nothing { query: nothing.into() });
    }
    for only in ["-a", "NOT a", "-a -b", "-(a b)", "a OR -b", "x (a OR NOT b)", "(-a)", "-\"a b"] {
        assert_eq!(refused(only), SearchError::OnlyExclusions { query: only.into() });
    }
    for (text, parenthesis, at) in [
        ("(a", '(', 0),
        ("a)", ')', 1),
        ("é (a (b)", '(', 3),
        ("(a)) (", ')', 3),
        ("a -)", ')', 3),
        ("(a \")\"", '(', 0),
    ] {
        assert_eq!(refused(text), SearchError::Unbalanced { parenthesis, at }, "{text:?}");
    }
    assert_eq!(
        refused("<\u{1b}\u{202e}>").to_string(),
        concat!(
            r#"nothing to search for in "<\u{1b}\u{202e}>": "#,
            "give a word of letters or digits; AND, OR and NOT are words inside quotes"
        )
    );
    assert_eq!(
        refused(&"-é ".repeat(200)).to_string(),
        format!(
            r#"only exclusions in "{}-...": add a word to find, on each side of an OR"#,
            "-é ".repeat(13)
        )
    );
}

#[test]
fn a_query_is_bounded() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(query(&nested(10)), query("a"));
    assert_eq!(refused(&nested(11)), SearchError::TooDeep { limit: 10 });
    assert_eq!(refused(&"(".repeat(1 << 20)), SearchError::TooDeep { limit: 10 });
    let tower = |depth: usize| format!("a{}{}", " -(a".repeat(depth), ")".repeat(depth));
    assert_eq!(query(&tower(10)).to_string(), tower(10).replace("(a)", "a"));
    assert_eq!(refused(&tower(11)), SearchError::TooDeep { limit: 10 });

    let too_many = SearchError::TooManyWords { limit: 256 };
    for unit in ["a ", "a OR ", "a_", "日"] {
        assert!(Expression::parse(&unit.repeat(256)).is_ok(), "{unit:?}");
        assert_eq!(refused(&unit.repeat(257)), too_many, "{unit:?}");
        assert_eq!(refused(&unit.repeat(1 << 18)), too_many, "{unit:?}");
    }
    assert_eq!(refused(&format!("a {}", "-a ".repeat(256))), too_many);
    for unit in ["NOT ", "OR ", "-", "- ", "\"", "*", "()", "-() ", "\0", "\u{1f468}\u{200d}"] {
        let long = unit.repeat((1 << 20) / unit.len());
        assert!(matches!(refused(&long), SearchError::Nothing { .. }), "{unit:?}");
        assert_eq!(query(&format!("b {long}")), query("b"), "{unit:?}");
    }
}
