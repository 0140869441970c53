//! What names promise: tables of accepted and refused names, and properties that hold of all.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use session_core::{NameError, NameFault, NameRules, SessionName};

const ULID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const BOTH: [NameRules; 2] = [NameRules::SLUG, NameRules::LABEL];

/// Why a row of a table is refused. One pattern stands for the characters and the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Empty,
    Length,
    DoubleHyphen,
    Pattern,
}

fn class(error: &NameError) -> Class {
    match error.fault() {
        NameFault::Empty => Class::Empty,
        NameFault::TooLong { .. } => Class::Length,
        NameFault::DoubleHyphen { .. } => Class::DoubleHyphen,
        NameFault::Character { .. } | NameFault::Edge { .. } => Class::Pattern,
        other => panic!("a preset has no such rule: {other:?}"),
    }
}

#[test]
fn slug_accepts_and_refuses_as_tkt() {
    let accepted = ["a", "1", "oak", "my-session", "foo123", "0-0", "cedar-7f2a"];
    let longest = "a".repeat(32);
    let like_an_id = ULID.to_ascii_lowercase();
    for name in accepted.into_iter().chain([&*longest, &*like_an_id]) {
        assert_eq!(NameRules::SLUG.validate(name), Ok(()), "{name:?}");
    }

    let too_long = "a".repeat(33);
    let wide = "日".repeat(11);
    for (input, expected) in [
        ("", Class::Empty),
        (&*too_long, Class::Length),
        ("-", Class::Pattern),
        ("--", Class::DoubleHyphen),
        ("-foo", Class::Pattern),
        ("foo-", Class::Pattern),
        ("--foo", Class::DoubleHyphen),
        ("foo--bar", Class::DoubleHyphen),
        ("FOO", Class::Pattern),
        ("Foo", Class::Pattern),
        ("foo bar", Class::Pattern),
        ("foo_bar", Class::Pattern),
        ("foo.bar", Class::Pattern),
        ("foo/bar", Class::Pattern),
        ("..", Class::Pattern),
        ("foo\n", Class::Pattern),
        (" foo", Class::Pattern),
        ("é", Class::Pattern),
        (&*wide, Class::Length),
        (ULID, Class::Pattern),
    ] {
        let error = NameRules::SLUG.validate(input).expect_err(input);
        assert_eq!(class(&error), expected, "{input:?}");
    }
}

#[test]
fn label_accepts_and_sanitises_as_ctm() {
    let longest = "a".repeat(100);
    for name in [
        "a",
        "9",
        "A",
        "my-session",
        "my_session",
        "session123",
        "x--y",
        "trail--",
        "a_",
        "CON",
        &*longest,
    ] {
        assert_eq!(NameRules::LABEL.validate(name), Ok(()), "{name:?}");
        assert_eq!(NameRules::LABEL.sanitise(name), name);
    }

    let over = "a".repeat(101);
    let far_over = "a".repeat(150);
    for (input, expected, sanitised) in [
        ("", Class::Empty, "session"),
        (&*over, Class::Length, &*longest),
        (&*far_over, Class::Length, &*longest),
        ("my project", Class::Pattern, "my-project"),
        ("hello/world", Class::Pattern, "hello-world"),
        ("hello.world", Class::Pattern, "hello-world"),
        ("a.b.c", Class::Pattern, "a-b-c"),
        ("my:session", Class::Pattern, "my-session"),
        ("a:b", Class::Pattern, "a-b"),
        (".hidden", Class::Pattern, "hidden"),
        (".git", Class::Pattern, "git"),
        ("-bad", Class::Pattern, "bad"),
        ("--leading-dashes", Class::Pattern, "leading-dashes"),
        ("__leading_underscores", Class::Pattern, "leading_underscores"),
        ("_-_x-_", Class::Pattern, "x-_"),
        ("---", Class::Pattern, "session"),
        ("..", Class::Pattern, "session"),
        ("é", Class::Pattern, "session"),
        ("日本", Class::Pattern, "session"),
        ("🦀", Class::Pattern, "session"),
        ("naïve café", Class::Pattern, "na-ve-caf-"),
        ("node.js app (v2)", Class::Pattern, "node-js-app--v2-"),
        ("-0-", Class::Pattern, "0-"),
        ("a\tb\n", Class::Pattern, "a-b-"),
        ("a\n", Class::Pattern, "a-"),
        ("=x", Class::Pattern, "x"),
    ] {
        let error = NameRules::LABEL.validate(input).expect_err(input);
        assert_eq!(class(&error), expected, "{input:?}");
        assert_eq!(NameRules::LABEL.sanitise(input), sanitised, "{input:?}");
    }
}

#[test]
fn slug_sanitises_to_its_own_rules() {
    for (input, sanitised) in [
        ("", "session"),
        ("--", "session"),
        ("日本", "session"),
        ("FOO", "foo"),
        ("foo--bar", "foo-bar"),
        ("__foo_ .bar__", "foo-bar"),
        ("naïve café", "na-ve-caf"),
        (&*"a".repeat(33), &*"a".repeat(32)),
        (&*format!("{}-b", "a".repeat(31)), &*"a".repeat(31)),
    ] {
        assert_eq!(NameRules::SLUG.sanitise(input), sanitised, "{input:?}");
    }
}

#[test]
fn a_fault_says_what_and_where() {
    let fault = |input| NameRules::SLUG.validate(input).expect_err(input).fault();
    assert_eq!(fault("日日日日日日日日日日日"), NameFault::TooLong { bytes: 33, limit: 32 });
    assert_eq!(fault("foo--bar"), NameFault::DoubleHyphen { at: 3 });
    assert!(matches!(fault("fo\u{e9}"), NameFault::Character { at: 2, character: 'é', .. }));
    assert_eq!(fault("-foo"), NameFault::Edge { at: 0, character: '-' });
    assert_eq!(fault("foo-"), NameFault::Edge { at: 3, character: '-' });
    let label = NameRules::LABEL.validate("_x").expect_err("an underscore begins it");
    assert_eq!(label.fault(), NameFault::Edge { at: 0, character: '_' });
}

#[test]
fn a_session_name_never_looks_like_an_id() {
    let mixed = "01arz3ndektsv4rrffq69g5FAV";
    for id in [ULID, &*ULID.to_ascii_lowercase(), mixed] {
        let error = SessionName::parse(id).expect_err(id);
        assert_eq!(error.fault(), NameFault::LooksLikeId);
        assert_eq!(error.suggestion(), Some(&*format!("name-{id}")));
        assert_eq!(SessionName::sanitised(id).as_str(), format!("name-{id}"));
    }
    // What sanitising leaves behind must not become an id either.
    assert_eq!(SessionName::sanitised(&format!("-{ULID}")).as_str(), format!("name-{ULID}"));
    let hidden = SessionName::parse(&format!(".{ULID}")).expect_err("a dot");
    assert_eq!(hidden.suggestion(), Some(&*format!("name-{ULID}")));

    for near in [
        &ULID[1..],
        &*format!("{ULID}0"),
        "81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "01ARZ3NDEKTSV4RRFFQ69G5FAl",
        "01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "01ARZ3NDEKTSV4RRFFQ69G5FAu",
        "01ARZ3NDEKTSV-RRFFQ69G5FAV",
    ] {
        assert_eq!(SessionName::parse(near).expect(near).as_str(), near);
    }
}

/// Any text at all, text made mostly of what names are made of, and text close to an id.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(any::<char>(), 0..140).prop_map(String::from_iter),
        vec(prop_oneof![8 => "[a-zA-Z0-9_-]", 1 => "[ ./:\\x00-\\x1fé日]"], 0..140)
            .prop_map(|parts| parts.concat()),
        "[-_.]{0,3}[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25,27}",
    ]
}

fn ulid() -> impl Strategy<Value = String> {
    "[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"
}

proptest! {
    #[test]
    fn sanitising_gives_a_name_and_repeats_itself(input in text()) {
        for rules in BOTH {
            let once = rules.sanitise(&input);
            prop_assert_eq!(rules.validate(&once), Ok(()));
            prop_assert_eq!(rules.sanitise(&once), once);
            match rules.validate(&input) {
                Ok(()) => prop_assert_eq!(rules.sanitise(&input), input.as_str()),
                Err(error) => {
                    prop_assert_eq!(error.input(), &*input);
                    prop_assert_eq!(error.suggestion().is_none(), input.is_empty());
                    prop_assert!(error.to_string().chars().all(|c| !c.is_control()));
                    prop_assert!(error.to_string().len() < 600);
                }
            }
        }
        let name = SessionName::sanitised(&input);
        prop_assert_eq!(SessionName::parse(name.as_str()), Ok(name.clone()));
        match SessionName::parse(&input) {
            Ok(parsed) => prop_assert_eq!(parsed, name),
            Err(error) if input.is_empty() => prop_assert_eq!(error.suggestion(), None),
            Err(error) => prop_assert_eq!(error.suggestion(), Some(name.as_str())),
        }
    }

    #[test]
    fn a_slug_is_left_alone(name in "[a-z0-9]{1,8}(-[a-z0-9]{1,7}){0,3}") {
        prop_assert_eq!(NameRules::SLUG.validate(&name), Ok(()));
        prop_assert_eq!(NameRules::SLUG.sanitise(&name), name);
    }

    #[test]
    fn a_label_is_left_alone_and_survives_json(name in "[A-Za-z0-9][A-Za-z0-9_-]{0,24}") {
        prop_assert_eq!(NameRules::LABEL.sanitise(&name), name.as_str());
        let parsed = SessionName::parse(&name);
        prop_assert!(parsed.is_ok());
        let json = serde_json::to_string(&parsed.clone().expect("checked")).expect("a string");
        prop_assert_eq!(&json, &format!("\"{name}\""));
        prop_assert_eq!(serde_json::from_str::<SessionName>(&json).ok(), parsed.clone().ok());
        prop_assert_eq!(name.parse::<SessionName>(), parsed);
    }

    #[test]
    fn an_id_is_no_name_in_json_either(id in ulid()) {
        let fault = SessionName::parse(&id).map_err(|error| error.fault());
        prop_assert_eq!(fault, Err(NameFault::LooksLikeId));
        let refused = serde_json::from_str::<SessionName>(&format!("\"{id}\""));
        prop_assert!(refused.is_err_and(|error| error.to_string().contains("form of an id")));
    }

    #[test]
    fn a_generated_name_has_its_shape(random in any::<u64>()) {
        let slug = NameRules::SLUG.generate(&mut || random, &mut |_| true);
        let (word, digits) = slug.split_once('-').expect("a hyphen");
        prop_assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()));
        prop_assert_eq!(digits.len(), 4);
        prop_assert!(digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));

        let label = NameRules::LABEL.generate(&mut || random, &mut |_| true);
        let (adjective, noun) = label.split_once('-').expect("a hyphen");
        for word in [adjective, noun] {
            prop_assert!((3..=6).contains(&word.len()));
            prop_assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()));
        }
        for name in [slug, label] {
            prop_assert!(SessionName::parse(&name).is_ok());
        }
    }

    #[test]
    fn a_generated_name_is_free(random in vec(any::<u64>(), 1..4), count in 1_usize..40) {
        for rules in BOTH {
            let mut taken = BTreeSet::new();
            let mut source = random.iter().copied().cycle();
            for _ in 0..count {
                let name = rules.generate(
                    &mut || source.next().expect("endless"),
                    &mut |name| !taken.contains(name),
                );
                prop_assert_eq!(rules.validate(&name), Ok(()));
                prop_assert!(taken.insert(name));
            }
        }
    }
}
