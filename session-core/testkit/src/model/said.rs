//! Records of the model, and questions about them: a vocabulary so small that everything is found all the time.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use session_core::record::{Body, Message, Note, Summary};
use session_core::{Entry, Role, Unknown};

use crate::samples::{at, checkpoint, entry_of, record_id, spent, stray};

/// The words that are said. One is the beginning of another.
pub(super) const WORDS: [&str; 3] = ["ash", "ashen", "oak"];

/// The beginnings of words that are searched for, with the words that begin so.
const BEGINNINGS: [(&str, &[usize]); 3] = [("as", &[0, 1]), ("ashe", &[1]), ("o", &[2])];

/// What is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The number in its id. There are few, so that many are there already.
    pub(super) key: u32,
    /// When it happened, in seconds.
    pub(super) at: i64,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A user's message or an assistant's.
    Message {
        user: bool,
        words: Vec<usize>,
    },
    Note(Vec<usize>),
    Spent {
        input: Option<u64>,
        cost: Option<u64>,
    },
    /// A checkpoint of one text that covers the records up to one.
    Checkpoint(Option<u64>),
    /// Illegal: it could not be read back.
    Stray,
}

/// A question about records.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) query: Wording,
    pub(super) session: Option<u32>,
    /// A user's messages, or an assistant's.
    pub(super) user: Option<bool>,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) label: Option<bool>,
    pub(super) limit: u32,
}

/// What a text has to say, by words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wording {
    Word(usize),
    Beginning(usize),
    Phrase(usize, usize),
    Both(usize, usize),
    Either(usize, usize),
    Without(usize, usize),
}

/// A stretch of a history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) backward: bool,
    pub(super) limit: u32,
}

impl Said {
    pub(super) fn entry(&self) -> Entry {
        let entry = match &self.what {
            What::Message { user, words } => {
                entry_of(0, Body::Message(Message::text(role(*user), text(words))))
            }
            What::Note(words) => {
                entry_of(0, Body::Note(Note { text: text(words), unknown: Unknown::default() }))
            }
            What::Spent { input, cost } => spent(0, *input, None, *cost),
            What::Checkpoint(covers) => checkpoint(0, Summary::Text(WORDS[2].to_owned()), *covers),
            What::Stray => stray(0),
        };
        Entry { id: record_id(&format!("r-{}", self.key)), at: at(self.at), ..entry }
    }

    /// The words that a search looks at. What is only repeated by a checkpoint is none of them.
    pub(super) fn words(&self) -> &[usize] {
        match &self.what {
            What::Message { words, .. } | What::Note(words) => words,
            What::Spent { .. } | What::Checkpoint(_) | What::Stray => &[],
        }
    }

    /// The last record that it stands for; 0 for none.
    pub(super) fn covers(&self) -> u64 {
        match self.what {
            What::Checkpoint(covers) => covers.unwrap_or(0),
            _ => 0,
        }
    }

    pub(super) fn speaker(&self) -> Option<bool> {
        match self.what {
            What::Message { user, .. } => Some(user),
            _ => None,
        }
    }
}

impl Wording {
    pub(super) fn query(self) -> String {
        match self {
            Self::Word(word) => WORDS[word].to_owned(),
            Self::Beginning(index) => format!("{}*", BEGINNINGS[index].0),
            Self::Phrase(one, two) => format!("\"{} {}\"", WORDS[one], WORDS[two]),
            Self::Both(one, two) => format!("{} {}", WORDS[one], WORDS[two]),
            Self::Either(one, two) => format!("{} OR {}", WORDS[one], WORDS[two]),
            Self::Without(one, two) => format!("{} -{}", WORDS[one], WORDS[two]),
        }
    }

    pub(super) fn is_said(self, words: &[usize]) -> bool {
        let has = |word| words.contains(&word);
        match self {
            Self::Word(word) => has(word),
            Self::Beginning(index) => BEGINNINGS[index].1.iter().any(|word| has(*word)),
            Self::Phrase(one, two) => words.windows(2).any(|pair| pair == [one, two]),
            Self::Both(one, two) => has(one) && has(two),
            Self::Either(one, two) => has(one) || has(two),
            Self::Without(one, two) => has(one) && !has(two),
        }
    }
}

/// A text of these words.
pub(super) fn text(words: &[usize]) -> String {
    words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ")
}

pub(super) const fn role(user: bool) -> Role {
    if user { Role::User } else { Role::Assistant }
}

pub(super) fn batch() -> impl Strategy<Value = Vec<Said>> {
    let words = || vec(0..WORDS.len(), 0..5);
    let what = prop_oneof![
        24 => (any::<bool>(), words()).prop_map(|(user, words)| What::Message { user, words }),
        6 => words().prop_map(What::Note),
        3 => (any::<Option<bool>>(), any::<Option<bool>>())
            .prop_map(|(input, cost)| What::Spent { input: input.map(u64::from), cost: cost.map(u64::from) }),
        6 => weighted(0.8, 1..5_u64).prop_map(What::Checkpoint),
        1 => Just(What::Stray),
    ];
    let said = (0..10_u32, 0..6_i64, what).prop_map(|(key, at, what)| Said { key, at, what });
    vec(said, 0..5)
}

pub(super) fn stretch() -> impl Strategy<Value = Stretch> {
    let edge = || prop_oneof![4 => 1..9_u64, 1 => Just(u64::MAX)];
    (prop_oneof![Just(1), edge()], prop_oneof![Just(u64::MAX), edge()], any::<bool>(), 1..4_u32)
        .prop_map(|(from, to, backward, limit)| Stretch { from, to, backward, limit })
}

pub(super) fn asked(sessions: u32) -> impl Strategy<Value = Asked> {
    let word = || 0..WORDS.len();
    let query = prop_oneof![
        2 => word().prop_map(Wording::Word),
        2 => (0..BEGINNINGS.len()).prop_map(Wording::Beginning),
        2 => (word(), word()).prop_map(|(one, two)| Wording::Phrase(one, two)),
        1 => (word(), word()).prop_map(|(one, two)| Wording::Both(one, two)),
        1 => (word(), word()).prop_map(|(one, two)| Wording::Either(one, two)),
        2 => (word(), word()).prop_map(|(one, two)| Wording::Without(one, two)),
    ];
    let time = || weighted(0.15, 0..6_i64);
    let filters =
        (weighted(0.1, 0..sessions), weighted(0.1, any::<bool>()), weighted(0.1, any::<bool>()));
    (query, filters, time(), time(), 1..4_u32).prop_map(
        |(query, (session, user, label), since, until, limit)| Asked {
            query,
            session,
            user,
            since,
            until,
            label,
            limit,
        },
    )
}
