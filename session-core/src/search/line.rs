//! Text of anybody's on one line that cannot drive a terminal.

/// The characters of a text that are shown on one line, each with where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Line<I> {
    characters: I,
    /// Whether something has been given, so that white space before the next character is shown.
    has_begun: bool,
    /// The last white space since then.
    space: Option<usize>,
    /// What follows that white space, which was given in its stead.
    held: Option<(usize, char)>,
}

/// The line that `characters` make, each with its offset; they may come in either direction.
///
/// A run of white space, line breaks and tabs included, is one space between other characters and nothing at either
/// end. Left out are control characters (C0, DEL, C1), which begin escape sequences; U+202A to U+202E and U+2066 to
/// U+2069, which turn the direction of what follows; and U+200B and U+FEFF, which have no width. Joiners stay: emoji
/// and scripts are spelled with them.
pub(crate) fn line<I: Iterator<Item = (usize, char)>>(characters: I) -> Line<I> {
    Line { characters, has_begun: false, space: None, held: None }
}

/// As [`line`], for characters that are joined to others: white space at their beginning is shown.
pub(super) fn line_on<I: Iterator<Item = (usize, char)>>(characters: I) -> Line<I> {
    Line { has_begun: true, ..line(characters) }
}

impl<I: Iterator<Item = (usize, char)>> Iterator for Line<I> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<(usize, char)> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        for (at, character) in self.characters.by_ref() {
            if character.is_whitespace() {
                self.space = self.has_begun.then_some(at);
            } else if is_shown(character) {
                self.has_begun = true;
                let Some(space) = self.space.take() else {
                    return Some((at, character));
                };
                self.held = Some((at, character));
                return Some((space, ' '));
            }
        }
        None
    }
}

fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{200b}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
