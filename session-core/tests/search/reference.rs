//! The definitions, without any haste: what the search has to agree with.

use std::ops::Range;

use session_core::search::{Expression, Node, Phrase, Token, tokens};

use crate::words;

/// The definition of a word, without any haste.
pub(crate) fn naive_words(text: &str) -> Vec<(String, Range<usize>)> {
    let is_mark = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let is_alone = |c: char| {
        // The property draws these: enough to tell the scripts apart.
        "日本語々ーカで".contains(c)
    };
    let mut words: Vec<(String, Range<usize>, bool)> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if is_mark(c) {
            if let Some(last) = words.last_mut().filter(|_| open) {
                last.1.end = end;
            }
        } else if c.is_alphanumeric() {
            if !open || is_alone(c) || words.last().is_some_and(|last| last.2) {
                words.push((String::new(), at..at, is_alone(c)));
            }
            let last = words.last_mut().unwrap();
            last.0.extend(c.to_lowercase().filter(|c| !is_mark(*c)).map(unmarked));
            last.1.end = end;
            open = true;
        } else {
            open = false;
        }
    }
    let folded = words.into_iter().map(|(word, range, _)| (word.replace('ς', "σ"), range));
    folded.collect()
}

/// The letter below the marks, of the letters that the property draws.
fn unmarked(letter: char) -> char {
    let drawn =
        [('e', "éệ"), ('a', "ǟ"), ('n', "ñ"), ('ø', "ǿ"), ('ι', "ΐ"), ('ω', "ᾧ"), ('и', "й")];
    let below = drawn.into_iter().find(|(_, above)| above.contains(letter));
    below.map_or(letter, |(below, _)| below)
}

fn occurs(phrase: &Phrase, words: &[String]) -> bool {
    words.windows(phrase.tokens().len()).any(|window| is_at(phrase, window))
}

fn is_at(phrase: &Phrase, window: &[String]) -> bool {
    let (last, rest) = phrase.tokens().split_last().unwrap();
    let (last_here, rest_here) = window.split_last().unwrap();
    rest == rest_here
        && if phrase.is_prefix() { last_here.starts_with(last) } else { last_here == last }
}

/// Whether the words of a text are found.
pub(crate) fn naive_matches(node: &Node, words: &[String]) -> bool {
    match node {
        Node::Phrase(phrase) => occurs(phrase, words),
        Node::Any(nodes) => nodes.iter().any(|node| naive_matches(node, words)),
        Node::All { of, except } => {
            of.iter().all(|node| naive_matches(node, words))
                && !except.iter().any(|node| naive_matches(node, words))
        }
    }
}

fn sought(node: &Node) -> Vec<&Phrase> {
    match node {
        Node::Phrase(phrase) => vec![phrase],
        Node::Any(nodes) | Node::All { of: nodes, .. } => nodes.iter().flat_map(sought).collect(),
    }
}

/// Each byte of the text: whether a phrase that is sought covers it.
pub(crate) fn naive_marked(query: &Expression, text: &str) -> Vec<bool> {
    let found: Vec<Token<'_>> = tokens(text).collect();
    let words = words(text);
    let mut marked = vec![false; text.len()];
    for phrase in sought(query.root()) {
        let length = phrase.tokens().len();
        for (first, window) in words.windows(length).enumerate() {
            if is_at(phrase, window) {
                let bytes = found[first].range.start..found[first + length - 1].range.end;
                marked[bytes].fill(true);
            }
        }
    }
    marked
}

/// Whether a tree keeps to what [`Node`] promises.
pub(crate) fn is_normal(node: &Node) -> bool {
    match node {
        Node::Phrase(phrase) => {
            let words = phrase.tokens();
            !words.is_empty() && words.iter().all(|word| crate::words(word) == [word.as_str()])
        }
        Node::Any(nodes) => {
            nodes.len() > 1
                && nodes.iter().all(|node| !matches!(node, Node::Any(_)) && is_normal(node))
        }
        Node::All { of, except } => {
            !of.is_empty()
                && of.len() + except.len() > 1
                && of.iter().all(|node| !matches!(node, Node::All { .. }) && is_normal(node))
                && except.iter().all(|node| !matches!(node, Node::Any(_)) && is_normal(node))
        }
    }
}
