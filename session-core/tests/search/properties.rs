//! What holds of every text and every query.

use proptest::prelude::*;
use session_core::search::{Expression, Snippet, tokens};
use session_testkit::strategies;
use unicode_segmentation::UnicodeSegmentation;

use crate::inputs::{any_query, any_text, text, typed};
use crate::reference::{is_normal, naive_marked, naive_matches, naive_words};
use crate::words;

/// Whether a character could drive a terminal or hide in a line.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || "\u{200b}\u{feff}".contains(c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// What no snippet leaves out of the stretch that it shows.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

proptest! {
    #[test]
    fn tokens_are_as_defined(text in text()) {
        let fast: Vec<_> = tokens(&text).map(|t| (t.text.into_owned(), t.range)).collect();
        prop_assert_eq!(fast, naive_words(&text));
    }

    #[test]
    fn tokens_joined_by_spaces_are_the_same_again(text in strategies::text()) {
        let once = words(&text);
        prop_assert!(once.iter().all(|word| !word.is_empty() && word.len() <= 256));
        prop_assert!(once.iter().all(|word| word.chars().all(char::is_alphanumeric)));
        prop_assert_eq!(words(&once.join(" ")), once);
        let mut end = 0;
        for token in tokens(&text) {
            prop_assert!(token.range.start >= end && token.range.end > token.range.start);
            prop_assert!(text.get(token.range.clone()).is_some());
            end = token.range.end;
        }
    }

    #[test]
    fn a_query_is_normal_and_its_text_is_the_same_query(query in any_query()) {
        prop_assert!(is_normal(query.root()), "{:?}", query);
        let again = Expression::parse(&query.to_string());
        prop_assert_eq!(again.as_ref(), Ok(&query), "{}", query);
    }

    #[test]
    fn any_text_is_parsed_or_refused(query in prop_oneof![typed(), strategies::text()]) {
        if let Err(error) = Expression::parse(&query) {
            let message = error.to_string();
            prop_assert!(!message.contains(char::is_control) && message.len() < 700, "{message:?}");
        }
    }

    #[test]
    fn matching_is_as_defined(query in any_query(), text in any_text()) {
        prop_assert_eq!(query.matches(&text), naive_matches(query.root(), &words(&text)), "{}", query);
    }

    #[test]
    fn marks_are_as_defined(query in any_query(), text in any_text()) {
        let marks = query.marks(&text);
        let mut marked = vec![false; text.len()];
        let mut end = None;
        for mark in marks {
            prop_assert!(mark.start < mark.end && end < Some(mark.start), "{mark:?} after {end:?}");
            prop_assert!(text.get(mark.clone()).is_some());
            end = Some(mark.end);
            marked[mark].fill(true);
        }
        prop_assert_eq!(marked, naive_marked(&query, &text), "{}", query);
    }

    #[test]
    fn a_snippet_is_bounded_and_safe(query in any_query(), text in any_text(), width in 0..50_usize) {
        let Snippet { text: line, marks } = Snippet::around(&text, &query, width);
        prop_assert!(line.graphemes(true).count() <= width.max(3), "{line:?}");
        prop_assert!(!line.contains(is_unsafe), "{line:?}");
        prop_assert!(!line.contains("  "), "{line:?}");
        let characters: Vec<char> = line.chars().collect();
        let mut end = None;
        for (from, to) in &marks {
            prop_assert!(from < to && *to <= characters.len() && end < Some(*from), "{marks:?}");
            end = Some(*to);
        }
        prop_assert_eq!(marks.is_empty(), query.marks(&text).is_empty(), "the match is in it");
        // What is marked is what is marked in the text, in its order.
        let all: String = query.marks(&text).into_iter().map(|mark| letters(&text[mark])).collect();
        let here: String =
            marks.iter().map(|(from, to)| letters(&String::from_iter(&characters[*from..*to]))).collect();
        prop_assert!(all.contains(&here), "{here:?} of {all:?}");
    }

    #[test]
    fn a_snippet_of_a_short_text_is_all_of_it(query in any_query(), text in text()) {
        let Snippet { text: line, .. } = Snippet::around(&text, &query, usize::MAX);
        prop_assert_eq!(letters(&line), letters(&text));
        prop_assert!(!line.contains('…'));
    }
}
