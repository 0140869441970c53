//! What a word is: the tokens of a text, the same for what is searched and for what is typed.

use std::borrow::Cow;
use std::ops::Range;

use super::mark::without_marks;

/// The longest text of a token, in bytes: longer words are told apart by their beginning alone.
pub(super) const LONGEST: usize = 256;

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The word as it is compared: only lower-case letters and digits, at most 256 bytes, never empty.
    pub text: Cow<'a, str>,
    /// Where the whole word stands in the source, in bytes.
    pub range: Range<usize>,
}

/// The words of a text, in order.
///
/// A word is a run of letters and digits (`char::is_alphanumeric`, the Alphabetic and Numeric characters of Unicode),
/// as long as possible. Everything else separates: white space, `_ - . /`, quotes, symbols, emoji, controls, NUL.
///
/// - **Case** is folded by Unicode's full lower-casing, in no language in particular: `ẞ` is `ß`, which is not `ss`;
///   `İ` is `i`, while `ı` stays itself; a final `ς` is `σ`.
/// - **Marks** on letters of the Latin, Greek and Cyrillic scripts do not count, whether they are characters of their
///   own (U+0300 to U+036F) or part of one: `é`, the pair of `e` and U+0301, and `e` are the same. Nothing is
///   normalised beyond that: a full-width `Ａ` is not `A`.
/// - **Chinese and Japanese** are written without spaces: each Han, Hiragana and Katakana character is a word of its
///   own, so that any part of a sentence can be found as a phrase. Korean has spaces: a run of Hangul is one word.
/// - **Long words**, such as base64, are cut to their first 256 bytes at the boundary of a character.
///
/// Since the texts hold neither ASCII punctuation nor white space, joining them by spaces loses nothing to a tokenizer
/// that splits at ASCII characters other than letters and digits, such as `ascii` of SQLite's FTS5; and the tokens of
/// that joined text are the same again.
///
/// ```
/// use session_core::search::tokens;
///
/// let words: Vec<_> = tokens("Don't panic: 日本").map(|token| token.text).collect();
/// assert_eq!(words, ["don", "t", "panic", "日", "本"]);
/// ```
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    Tokens::new(text)
}

/// The iterator behind [`tokens`].
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Goes to the first character of the next word and returns it.
    fn seek(&mut self) -> Option<char> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if byte.is_ascii() {
                if byte.is_ascii_alphanumeric() {
                    return Some(byte.into());
                }
                self.at += 1;
                continue;
            }
            let character = self.text[self.at..].chars().next()?;
            if character.is_alphanumeric() && !is_mark(character) {
                return Some(character);
            }
            self.at += character.len_utf8();
        }
        None
    }

    /// The word that begins here when it is all ASCII, else nothing.
    fn ascii_word(&self) -> Option<Token<'a>> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let length = length.unwrap_or(rest.len());
        if rest.get(length).is_some_and(|next| !next.is_ascii()) {
            return None;
        }
        let text = &self.text[self.at..self.at + length.min(LONGEST)];
        let text = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_ascii_lowercase().into()
        } else {
            text.into()
        };
        Some(Token { text, range: self.at..self.at + length })
    }

    /// The word that begins here with `first`.
    fn word(&self, first: char) -> Token<'a> {
        let rest = &self.text[self.at..];
        let mut length = 0;
        let mut is_folded = true;
        for character in rest.chars() {
            let is_more = is_mark(character)
                || length == 0
                || !is_ideographic(first)
                    && !is_ideographic(character)
                    && character.is_alphanumeric();
            if !is_more {
                break;
            }
            is_folded = is_folded && folded(character).eq([character]);
            length += character.len_utf8();
        }
        let word = &rest[..length];
        let text = if is_folded {
            word[..word.floor_char_boundary(LONGEST)].into()
        } else {
            let mut text = String::new();
            for character in word.chars().flat_map(folded) {
                if text.len() + character.len_utf8() > LONGEST {
                    break;
                }
                text.push(character);
            }
            text.into()
        };
        Token { text, range: self.at..self.at + length }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let first = self.seek()?;
        let token = self.ascii_word().unwrap_or_else(|| self.word(first));
        self.at = token.range.end;
        Some(token)
    }
}

/// One character of a word as it is compared: none for a mark, and one otherwise.
fn folded(character: char) -> impl Iterator<Item = char> {
    // Characters are lowered one by one, so the sigma that ends a word is not recognised as such, but one may have
    // been typed.
    let lower = character.to_lowercase().map(|lower| if lower == 'ς' { 'σ' } else { lower });
    lower.filter(|lower| !is_mark(*lower)).map(without_marks)
}

/// The block of Combining Diacritical Marks. Some of them count as letters, so they are asked for first.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// Whether a letter belongs to a script that is written without spaces and read character by character: Han with its
/// extensions and compatibility forms, Hiragana, and Katakana with the half-width one.
fn is_ideographic(letter: char) -> bool {
    matches!(letter,
        '\u{3005}'..='\u{3007}' // iteration mark, closing mark, zero
        | '\u{3021}'..='\u{3029}' // Hangzhou numerals
        | '\u{3031}'..='\u{3035}' // vertical kana repeat marks
        | '\u{3038}'..='\u{303c}'
        | '\u{3041}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}' // small Katakana
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{1aff0}'..='\u{1b16f}' // old and small kana
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::{folded, is_ideographic, is_mark};

    /// What [`super::tokens`] says of its own output rests on this, and a new Unicode could change it.
    #[test]
    fn folding_keeps_letters_letters_and_is_done_once() {
        for letter in ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() && !is_mark(*c)) {
            let once: Vec<char> = folded(letter).collect();
            assert_eq!(once.len(), 1, "{letter:?}");
            assert!(once[0].is_alphanumeric() && !is_mark(once[0]), "{letter:?}");
            assert!(folded(once[0]).eq(once.iter().copied()), "{letter:?}");
            assert_eq!(is_ideographic(letter), is_ideographic(once[0]), "{letter:?}");
        }
    }
}
