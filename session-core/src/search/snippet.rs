//! The stretch of a text that shows why it was found.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::Expression;
use super::automaton::{Hit, MOST_WORDS};
use super::line::{line, line_on};

/// What stands where something was cut off.
pub(crate) const ELLIPSIS: char = '…';

/// The least that is shown: a character between two ellipses.
const NARROWEST: usize = 3;

/// One line out of a text, with the words that were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The line, safe to print: no control character, no line break, no change of direction. `…` stands at an end
    /// where the text goes on.
    pub text: String,
    /// The words that were found, each from its first character to behind its last, in characters (Unicode scalar
    /// values) of `text`: in order, none empty, and no two that overlap or touch.
    pub marks: Vec<(usize, usize)>,
}

impl Snippet {
    /// The stretch of `text` where most of the phrases that `expression` looks for are close together, the first such,
    /// with as much around it as there is room for; the beginning of the text when none is in it.
    ///
    /// The line has at most `width` graphemes (user-perceived characters, UAX #29), the ellipses included, and a width
    /// under 3 is taken for 3. It is cut between graphemes, except that one of more characters than any real one is
    /// cut inside: the line has no more than `16 * width + 130` characters. White space becomes one space wherever and
    /// however long it is; control characters (C0, DEL, C1), bidirectional embeddings, overrides and isolates
    /// (U+202A to U+202E, U+2066 to U+2069), U+200B and U+FEFF are left out.
    ///
    /// The text is read up to the first place with every phrase, or else to its end, and then once more up to the end
    /// of the stretch.
    #[must_use]
    pub fn around(text: &str, expression: &Expression, width: usize) -> Self {
        let width = width.max(NARROWEST);
        let focus = focus(text, expression, width);
        let view = View::new(text, &focus, width);
        let shown = view.choose(width);
        let mut snippet = Self::default();
        let characters = &view.characters[shown.characters];
        let (Some((first, _)), Some((last, _))) = (characters.first(), characters.last()) else {
            return snippet;
        };
        let shift = usize::from(shown.is_cut_before);
        snippet.text.extend(shown.is_cut_before.then_some(ELLIPSIS));
        snippet.text.extend(characters.iter().map(|(_, character)| character));
        snippet.text.extend(shown.is_cut_after.then_some(ELLIPSIS));
        for mark in expression.marks_within(text, *first..last + 1) {
            let place = |byte| shift + characters.partition_point(|(at, _)| *at < byte);
            let (from, to) = (place(mark.start), place(mark.end));
            match snippet.marks.last_mut() {
                // What stood between them is not shown.
                Some(last) if last.1 == from => last.1 = to,
                _ => snippet.marks.push((from, to)),
            }
        }
        snippet
    }
}

/// Where the most different phrases occur within `width` bytes, and so within as many graphemes; the first such place.
/// Nowhere is the beginning.
fn focus(text: &str, expression: &Expression, width: usize) -> Range<usize> {
    let mut window: VecDeque<Hit> = VecDeque::new();
    let mut counts = [0_usize; MOST_WORDS];
    let mut different = 0;
    let mut best = (0, 0..0);
    for hit in expression.automaton.sought_hits(text, text.len()) {
        let end = hit.range.end;
        counts[hit.phrase] += 1;
        different += usize::from(counts[hit.phrase] == 1);
        window.push_back(hit);
        while window.len() > 1
            && let Some(first) = window.pop_front_if(|first| end - first.range.start > width)
        {
            counts[first.phrase] -= 1;
            different -= usize::from(counts[first.phrase] == 0);
        }
        if different > best.0 {
            // The first to end need not be the first to begin.
            let starts = window.iter().map(|hit| hit.range.start);
            let start = starts.min_by_key(|start| (end - start > width, *start)).unwrap_or(end);
            best = (different, start..end);
            if different == expression.automaton.sought() {
                break;
            }
        }
    }
    best.1
}

/// More than enough of a text around its focus, as it is shown.
struct View {
    /// Characters, each with its offset in the text in bytes.
    characters: Vec<(usize, char)>,
    /// Where each grapheme begins among them, and the end of the last.
    graphemes: Vec<usize>,
    /// The graphemes of the focus.
    focus: Range<usize>,
    /// Whether there is more of the text on either side.
    goes_on: (bool, bool),
}

/// A part of a view.
struct Shown {
    characters: Range<usize>,
    is_cut_before: bool,
    is_cut_after: bool,
}

impl View {
    fn new(text: &str, focus: &Range<usize>, width: usize) -> Self {
        // Graphemes have few characters, but nothing bounds them. This does.
        let reach = width.saturating_mul(8).saturating_add(64);
        let (before, after) = text.split_at(focus.start);
        let mut before = line_on(before.char_indices().rev());
        let mut characters: Vec<_> = before.by_ref().take(reach).collect();
        characters.reverse();
        let start = characters.len();
        let after = after.char_indices().map(|(at, character)| (focus.start + at, character));
        let mut after = line(after);
        characters.extend(after.by_ref().take(reach));
        let end = characters.partition_point(|(at, _)| *at < focus.end);
        let goes_on = (before.next().is_some(), after.next().is_some());

        let shown = String::from_iter(characters.iter().map(|(_, character)| character));
        let mut graphemes = vec![0];
        graphemes.extend(shown.graphemes(true).scan(0, |at, grapheme| {
            *at += grapheme.chars().count();
            Some(*at)
        }));
        let first = graphemes.partition_point(|at| *at <= start) - 1;
        let behind = graphemes.partition_point(|at| *at < end);
        Self { characters, graphemes, focus: first..behind.max(first), goes_on }
    }

    /// The part to show: the focus in the middle, unless an end of the text is near.
    fn choose(&self, width: usize) -> Shown {
        let (more_before, more_after) = self.goes_on;
        let Range { start, end } = self.focus;
        let last = self.graphemes.len() - 1;
        // The outermost graphemes may be halves where the view does not reach the end of the text.
        let low = usize::from(more_before).min(start);
        let high = if more_after { (last - 1).max(start + 1).min(last) } else { last };

        let spare = width.saturating_sub(end - start);
        let mut from = start - (start - low).min(spare / 2);
        let mut to = high.min(from.saturating_add(width));
        if !more_after {
            from = from.min(to.saturating_sub(width)).max(low);
        }
        let is_cut_before = more_before || from > 0;
        if is_cut_before {
            from = (from + 1).min(start);
            to = to.min(from.saturating_add(width - 1));
        }
        let is_cut_after = more_after || to < last;
        if is_cut_after {
            to = to.min(from.saturating_add(width - 1 - usize::from(is_cut_before)));
        }
        let characters = self.graphemes[from]..self.graphemes[to];
        Shown { characters, is_cut_before, is_cut_after }
    }
}
