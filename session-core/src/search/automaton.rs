//! All phrases of a query found in one pass over the tokens of a text.
//!
//! Shift-And (Baeza-Yates and Gonnet, 1992) over tokens instead of characters: each token of each phrase has one bit,
//! a phrase's bits side by side; a bit is set when the last token read is that token and those before it in its
//! phrase were read before. Overlapping occurrences come for free, and nothing is ever read twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{BitAnd, BitOr, Range};

use super::Node;
use super::token::{Token, Tokens};

/// How many tokens all phrases of a query have at most: one bit each.
pub(super) const MOST_WORDS: usize = 256;

/// A set of positions. As positions of a query, the place of a token among all tokens of all its phrases in the order
/// of the tree, the parts of an `All` before its exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits([u64; MOST_WORDS / 64]);

/// The phrases of one query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Automaton {
    /// Words that a token has to equal, with their positions.
    whole: BTreeMap<String, Bits>,
    /// Words that a token has to begin with, with their positions.
    prefixes: BTreeMap<String, Bits>,
    /// How long those are, in bytes: of a token only beginnings of these lengths are looked up.
    prefix_lengths: BTreeSet<usize>,
    /// The first bytes of all these words. Most tokens of a text are done with at this.
    leads: Bits,
    starts: Bits,
    /// The last positions of phrases. Such a position stands for its phrase from here on.
    ends: Bits,
    /// Those of them that are not excluded.
    sought: Bits,
    /// The number of tokens of the phrase that ends at a position.
    lengths: Vec<usize>,
    longest: usize,
}

/// An occurrence of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The last position of the phrase.
    pub(super) phrase: usize,
    /// From the first to the last of its tokens, in bytes of the text.
    pub(super) range: Range<usize>,
}

/// The occurrences in one text, by where they end.
#[derive(Clone, Debug)]
pub(super) struct Hits<'a> {
    automaton: &'a Automaton,
    tokens: Tokens<'a>,
    wanted: Bits,
    /// No occurrence that begins here or later is needed.
    limit: usize,
    state: Bits,
    /// Where the last tokens began: as many as an occurrence that is under way can have.
    begun: VecDeque<usize>,
    /// Phrases that ended at the last token and have not been given yet.
    ended: Bits,
    end: usize,
}

impl Bits {
    pub(super) const EMPTY: Self = Self([0; MOST_WORDS / 64]);
    pub(super) const FULL: Self = Self([u64::MAX; MOST_WORDS / 64]);

    pub(super) fn has(&self, position: usize) -> bool {
        self.0[position / 64] & 1 << (position % 64) != 0
    }

    pub(super) fn insert(&mut self, position: usize) {
        self.0[position / 64] |= 1 << (position % 64);
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn is_empty(&self) -> bool {
        self.0 == Self::EMPTY.0
    }

    /// Every position moved up by one; the last is lost.
    fn shifted(self) -> Self {
        let mut carry = 0;
        Self(self.0.map(|word| {
            let shifted = word << 1 | carry;
            carry = word >> 63;
            shifted
        }))
    }

    fn take_first(&mut self) -> Option<usize> {
        let at = self.0.iter().position(|word| *word != 0)?;
        let bit = self.0[at].trailing_zeros() as usize;
        self.0[at] &= self.0[at] - 1;
        Some(at * 64 + bit)
    }
}

impl BitAnd for Bits {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }
}

impl BitOr for Bits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }
}

impl Automaton {
    pub(super) fn new(root: &Node) -> Self {
        let mut automaton = Self::default();
        automaton.add(root, Sense::Sought);
        automaton
    }

    /// Every occurrence of every phrase.
    pub(super) fn hits<'a>(&'a self, text: &'a str) -> Hits<'a> {
        Hits::new(self, text, self.ends, text.len())
    }

    /// The occurrences of phrases that are not excluded and begin before `limit`, in bytes.
    pub(super) fn sought_hits<'a>(&'a self, text: &'a str, limit: usize) -> Hits<'a> {
        Hits::new(self, text, self.sought, limit)
    }

    /// How many phrases are not excluded.
    pub(super) fn sought(&self) -> usize {
        self.sought.len()
    }

    fn add(&mut self, node: &Node, sense: Sense) {
        match node {
            Node::Any(nodes) => nodes.iter().for_each(|node| self.add(node, sense)),
            Node::All { of, except } => {
                of.iter().for_each(|node| self.add(node, sense));
                except.iter().for_each(|node| self.add(node, Sense::Excluded));
            }
            Node::Phrase(phrase) => {
                let words = phrase.tokens();
                let start = self.lengths.len();
                let end = start + words.len() - 1;
                for (word, position) in words.iter().zip(start..) {
                    let set = if phrase.is_prefix() && position == end {
                        self.prefix_lengths.insert(word.len());
                        &mut self.prefixes
                    } else {
                        &mut self.whole
                    };
                    set.entry(word.clone()).or_default().insert(position);
                    self.leads.insert(lead(word));
                    self.lengths.push(position - start + 1);
                }
                self.starts.insert(start);
                self.ends.insert(end);
                if sense == Sense::Sought {
                    self.sought.insert(end);
                }
                self.longest = self.longest.max(words.len());
            }
        }
    }

    /// The positions whose word `token` is.
    fn positions(&self, token: &str) -> Bits {
        if !self.leads.has(lead(token)) {
            return Bits::EMPTY;
        }
        let whole = self.whole.get(token).copied().unwrap_or_default();
        let beginnings = self.prefix_lengths.range(..=token.len());
        beginnings
            .filter_map(|length| self.prefixes.get(token.get(..*length)?))
            .fold(whole, |all, positions| all | *positions)
    }
}

/// Whether a phrase stands under an exclusion, however deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Sought,
    Excluded,
}

/// The first byte of a word, which is never empty.
fn lead(word: &str) -> usize {
    word.as_bytes().first().copied().unwrap_or_default().into()
}

impl<'a> Hits<'a> {
    fn new(automaton: &'a Automaton, text: &'a str, wanted: Bits, limit: usize) -> Self {
        Self {
            automaton,
            tokens: Tokens::new(text),
            wanted,
            limit,
            state: Bits::EMPTY,
            begun: VecDeque::new(),
            ended: Bits::EMPTY,
            end: 0,
        }
    }

    /// Reads one token; nothing when no further occurrence is needed.
    fn read(&mut self) -> Option<()> {
        let Token { text, range } = self.tokens.next()?;
        let Automaton { starts, longest, .. } = self.automaton;
        self.state = (self.state.shifted() | *starts) & self.automaton.positions(&text);
        if self.state.is_empty() {
            self.begun.clear();
        } else {
            self.begun.push_back(range.start);
            if self.begun.len() > *longest {
                self.begun.pop_front();
            }
        }
        if self.begun.front().is_none_or(|start| *start >= self.limit) && range.start >= self.limit
        {
            return None;
        }
        self.ended = self.state & self.wanted;
        self.end = range.end;
        Some(())
    }
}

impl Iterator for Hits<'_> {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        loop {
            while let Some(phrase) = self.ended.take_first() {
                let length = self.automaton.lengths[phrase];
                let start = self.begun[self.begun.len() - length];
                if start < self.limit {
                    return Some(Hit { phrase, range: start..self.end });
                }
            }
            self.read()?;
        }
    }
}
