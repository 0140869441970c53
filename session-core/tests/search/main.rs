//! What a search promises: tables of words, queries, matches and snippets, and properties that hold of all.

#![expect(clippy::unwrap_used, reason = "functions that tests share fail like tests")]

mod words;

mod queries;

mod matches;
mod snippets;

mod inputs;
mod properties;
mod reference;

use session_core::search::{Expression, tokens};

/// The texts of all tokens.
fn words(text: &str) -> Vec<String> {
    tokens(text).map(|token| token.text.into_owned()).collect()
}

#[track_caller]
fn query(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}
