//! What a conversation is called when nobody has named it.

use unicode_segmentation::UnicodeSegmentation;

use crate::search::{ELLIPSIS, line};

/// The greatest length of a title, in graphemes, the ellipsis included.
const LONGEST: usize = 60;

/// More characters than any real title of the greatest length has.
const MOST_CHARACTERS: usize = 1024;

/// The title of a conversation that begins with `text`, or nothing when there is nothing to show of it.
///
/// It is the text on one line, its white space as single spaces and without control characters, bidirectional
/// controls and characters without width (as in the text of a [`Snippet`](crate::search::Snippet)), cut to 60
/// graphemes (user-perceived characters, UAX #29) of which `…` is the last. Only the beginning of the text is read.
///
/// ```
/// use session_core::title_of;
///
/// assert_eq!(title_of("\n  Fix the\tbuild,\n\nplease").as_deref(), Some("Fix the build, please"));
/// assert_eq!(title_of(" \u{1b}\n"), None);
/// ```
#[must_use]
pub fn title_of(text: &str) -> Option<String> {
    let mut characters = line(text.char_indices()).map(|(_, character)| character);
    let mut title: String = characters.by_ref().take(MOST_CHARACTERS).collect();
    let mut is_cut = characters.next().is_some();
    if let Some((end, _)) = title.grapheme_indices(true).nth(LONGEST) {
        is_cut = true;
        title.truncate(end);
    }
    if is_cut {
        if let Some((last, _)) = title.grapheme_indices(true).nth(LONGEST - 1) {
            title.truncate(last);
        }
        title.truncate(title.trim_end().len());
        title.push(ELLIPSIS);
    }
    (!title.is_empty()).then_some(title)
}
