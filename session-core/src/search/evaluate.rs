//! Whether and where a query matches one text.

use std::ops::Range;

use super::automaton::Bits;
use super::{Expression, Node};

impl Expression {
    /// Whether `text` is found: the answer of a full-text index that holds its [`tokens`](super::tokens) as one
    /// document.
    ///
    /// Reads the text once, and no further than it takes to know.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut found = Bits::EMPTY;
        for hit in self.automaton.hits(text) {
            if found.has(hit.phrase) {
                continue;
            }
            found.insert(hit.phrase);
            if holds(self.root(), &mut 0, &found, &Bits::FULL) {
                return true;
            }
            if !holds(self.root(), &mut 0, &Bits::FULL, &found) {
                return false;
            }
        }
        holds(self.root(), &mut 0, &found, &found)
    }

    /// Where the words stand that the query looks for, in bytes of `text`: in order, at the boundaries of characters,
    /// none empty, and no two that overlap or touch.
    ///
    /// Every occurrence of every phrase that is not excluded is marked, from its first to its last word, whether or
    /// not the rest of the query matches this text: the other words may be in another part of what was found.
    #[must_use]
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        self.marks_within(text, 0..text.len())
    }

    /// The marks that reach into a part of `text`. Reads the text up to there, and as far as a mark goes on.
    pub(super) fn marks_within(&self, text: &str, part: Range<usize>) -> Vec<Range<usize>> {
        let mut marks: Vec<Range<usize>> = Vec::new();
        for hit in self.automaton.sought_hits(text, part.end) {
            let mut mark = hit.range;
            if mark.end <= part.start {
                continue;
            }
            // Hits come by where they end, so only the last marks can reach into this one.
            while let Some(last) = marks.pop_if(|last| last.end >= mark.start) {
                mark.start = mark.start.min(last.start);
            }
            marks.push(mark);
        }
        marks
    }
}

/// Whether a part holds, given the phrases that count as found: those that are looked for by `sought`, those under an
/// exclusion by `avoided`.
///
/// Finding more phrases can only make a part hold by the first and fail by the second. So what is found so far, with
/// all of the others for the exclusions, says whether a match is certain already, and the other way round whether it
/// is still possible.
///
/// `at` is the position of the part's first token.
fn holds(node: &Node, at: &mut usize, sought: &Bits, avoided: &Bits) -> bool {
    // No short cuts: `at` has to pass every phrase.
    match node {
        Node::Phrase(phrase) => {
            *at += phrase.tokens().len();
            sought.has(*at - 1)
        }
        Node::Any(nodes) => {
            nodes.iter().fold(false, |any, node| any | holds(node, at, sought, avoided))
        }
        Node::All { of, except } => {
            let all = of.iter().fold(true, |all, node| all & holds(node, at, sought, avoided));
            except.iter().fold(all, |all, node| all & !holds(node, at, avoided, sought))
        }
    }
}
