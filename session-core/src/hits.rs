//! What a search asks for, what it finds, and where it goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::record::Body;
use crate::search::{Expression, Snippet};
use crate::{
    CursorError, Damage, LabelKey, Record, Role, Seq, Session, SessionId, SessionName, StoreError,
    Timestamp, fingerprint,
};

/// Which records to find. All conditions must hold.
#[derive(Clone, Debug)]
pub struct Search {
    /// What the text of a record must say.
    pub expression: Expression,
    /// Only records of this session.
    pub session: Option<SessionId>,
    /// Only messages of this role.
    pub role: Option<Role>,
    /// Only records from this time on.
    pub since: Option<Timestamp>,
    /// Only records before this time.
    pub until: Option<Timestamp>,
    /// Only sessions whose program starts in, or whose conversation is about, exactly this directory.
    pub workdir: Option<String>,
    /// Only sessions of this tool.
    pub tool: Option<String>,
    /// Only sessions with all of these labels.
    pub labels: Vec<(LabelKey, String)>,
    /// At most so many.
    pub limit: Option<NonZeroU32>,
    /// Go on after the page that gave this.
    pub cursor: Option<SearchCursor>,
}

/// One page of what was found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// What was found.
    pub hits: Vec<Hit>,
    /// Where the next page begins, when there is more.
    pub next: Option<SearchCursor>,
    /// Records that could not be read and therefore may be missing above.
    pub damaged: Vec<Damage>,
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its session.
    pub session: SessionId,
    /// The name of its session.
    pub name: Option<SessionName>,
    /// Its number.
    pub seq: Seq,
    /// Its time.
    pub at: Timestamp,
    /// Who speaks in it, if it is a message.
    pub role: Option<Role>,
    /// What to show of it.
    pub snippet: Snippet,
}

/// By what a hit is placed: larger ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HitPlace {
    /// The time of the record.
    pub at: Timestamp,
    /// Its session.
    pub session: SessionId,
    /// Its number.
    pub seq: Seq,
}

/// A place in an answer: after this hit, of this very search, in this state of the store. Its text form is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchCursor {
    /// The generation of the store, which changes when its content is replaced.
    pub generation: u64,
    /// [`Search::fingerprint`] of the search that gave it.
    pub search: u64,
    /// The last hit of the page.
    pub place: HitPlace,
}

/// Gathers one page of hits from records that come in any order, in memory for that page alone: the reference that
/// every faster way must agree with.
#[derive(Debug)]
pub struct HitCollector<'a> {
    search: &'a Search,
    /// The newest so far, one more than a page so that it is known whether there are more.
    newest: BTreeMap<HitPlace, Hit>,
    damaged: Vec<Damage>,
}

impl Search {
    /// How many graphemes of a record are shown.
    pub const SNIPPET_WIDTH: usize = 120;

    /// Everything that says this.
    #[must_use]
    pub const fn new(expression: Expression) -> Self {
        Self {
            expression,
            session: None,
            role: None,
            since: None,
            until: None,
            workdir: None,
            tool: None,
            labels: Vec::new(),
            limit: None,
            cursor: None,
        }
    }

    /// A number that is the same for the same question: a cursor of one search must not be used with another.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let question = format!(
            "{} {:?} {:?} {:?}",
            self.expression,
            (self.session, &self.role, self.since, self.until),
            (&self.workdir, &self.tool),
            self.labels
        );
        fingerprint::of(&question)
    }

    /// Checks that the cursor, if there is one, was given by this search and in this generation of the store.
    ///
    /// # Errors
    /// [`StoreError::StaleCursor`] otherwise.
    pub fn check_cursor(&self, generation: u64) -> Result<(), StoreError> {
        match &self.cursor {
            Some(cursor)
                if cursor.generation != generation || cursor.search != self.fingerprint() =>
            {
                Err(StoreError::StaleCursor)
            }
            _ => Ok(()),
        }
    }

    /// Whether this record of this session belongs to the answer.
    #[must_use]
    pub fn matches(&self, session: &Session, record: &Record) -> bool {
        self.looks_into(session)
            && self.looks_at(record)
            && self.expression.matches(&record.entry.text())
    }

    /// Whether records of this session can belong to the answer.
    #[must_use]
    pub fn looks_into(&self, session: &Session) -> bool {
        let launch = session.launch.as_ref();
        let workspace = session.conversation.as_ref().and_then(|part| part.workspace.as_ref());
        let is_there = |dir: &String| {
            launch.is_some_and(|launch| launch.workdir == *dir) || workspace == Some(dir)
        };
        !session.is_trashed()
            && self.session.is_none_or(|id| id == session.id())
            && self.workdir.as_ref().is_none_or(is_there)
            && self
                .tool
                .as_ref()
                .is_none_or(|tool| launch.is_some_and(|launch| launch.tool.as_ref() == Some(tool)))
            && session.has_labels(&self.labels)
    }

    /// Whether the record has the right time and role, whatever it says.
    #[must_use]
    pub fn looks_at(&self, record: &Record) -> bool {
        let at = record.entry.at;
        self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && self.role.as_ref().is_none_or(|role| role_of(record) == Some(role))
    }
}

impl Hit {
    /// What is shown of a record that `search` found.
    #[must_use]
    pub fn of(search: &Search, session: &Session, record: &Record) -> Self {
        let text = record.entry.text();
        Self {
            session: session.id(),
            name: session.name().cloned(),
            seq: record.seq,
            at: record.entry.at,
            role: role_of(record).cloned(),
            snippet: Snippet::around(&text, &search.expression, Search::SNIPPET_WIDTH),
        }
    }

    /// By what it is placed.
    #[must_use]
    pub const fn place(&self) -> HitPlace {
        HitPlace { at: self.at, session: self.session, seq: self.seq }
    }
}

impl<'a> HitCollector<'a> {
    /// Nothing gathered yet for this search.
    #[must_use]
    pub const fn new(search: &'a Search) -> Self {
        Self { search, newest: BTreeMap::new(), damaged: Vec::new() }
    }

    /// Takes a record, if it belongs to the page.
    pub fn push(&mut self, session: &Session, record: &Record) {
        let place = HitPlace { at: record.entry.at, session: session.id(), seq: record.seq };
        let is_before_page = self.search.cursor.is_some_and(|cursor| place >= cursor.place);
        let is_full = self.newest.len() > self.limit();
        let is_behind_page = || self.newest.keys().next().is_some_and(|oldest| place < *oldest);
        if is_before_page || is_full && is_behind_page() || !self.search.matches(session, record) {
            return;
        }
        self.newest.insert(place, Hit::of(self.search, session, record));
        if self.newest.len() > self.limit().saturating_add(1) {
            self.newest.pop_first();
        }
    }

    fn limit(&self) -> usize {
        self.search.limit.map_or(usize::MAX, |limit| limit.get() as usize)
    }

    /// Takes note of a record that cannot be read.
    pub fn damaged(&mut self, damage: Damage) {
        self.damaged.push(damage);
    }

    /// The page, of a store in this generation.
    #[must_use]
    pub fn finish(self, generation: u64) -> Hits {
        let limit = self.limit();
        let mut hits: Vec<_> = self.newest.into_values().rev().collect();
        let more = hits.len() > limit;
        hits.truncate(limit);
        let next = hits.last().filter(|_| more).map(|last| SearchCursor {
            generation,
            search: self.search.fingerprint(),
            place: last.place(),
        });
        Hits { hits, next, damaged: self.damaged }
    }
}

fn role_of(record: &Record) -> Option<&Role> {
    match &record.entry.body {
        Body::Message(message) => Some(&message.role),
        _ => None,
    }
}

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HitPlace { at, session, seq } = self.place;
        write!(f, "{:x}.{:x}.{session}.{seq}.{}", self.generation, self.search, at.as_millis())
    }
}

impl FromStr for SearchCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(5, '.');
        let mut part = || parts.next().ok_or(CursorError);
        let hex = |part: &str| u64::from_str_radix(part, 16).map_err(|_| CursorError);
        let generation = hex(part()?)?;
        let search = hex(part()?)?;
        let session = SessionId::parse(part()?).map_err(|_| CursorError)?;
        let seq = part()?.parse().ok().and_then(Seq::new).ok_or(CursorError)?;
        let at = part()?.parse().map(Timestamp::from_millis).map_err(|_| CursorError)?;
        Ok(Self { generation, search, place: HitPlace { at, session, seq } })
    }
}
