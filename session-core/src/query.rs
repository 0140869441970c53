//! What a listing asks for, in which order, and where it goes on.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::fingerprint;
use crate::{LabelKey, Observer, RoleName, Session, SessionId, Status, StoreError};

/// Which sessions to list, as whom, in which order.
///
/// A store applies it to the sessions as the observer sees them ([`Session::observed_by`]), so that an overdue or
/// lost session is listed as what it is, whether or not anybody has recorded it.
#[derive(Clone, Debug)]
pub struct Query {
    /// Who looks.
    pub observer: Observer,
    /// Only these statuses; empty for the default of the scope.
    pub statuses: BTreeSet<Status>,
    /// Only sessions with all of these labels.
    pub labels: Vec<(LabelKey, String)>,
    /// Only sessions whose program starts in exactly this directory.
    pub workdir: Option<String>,
    /// Only children of this session.
    pub parent: Option<SessionId>,
    /// Only sessions of this tool.
    pub tool: Option<String>,
    /// Only sessions with a lease of this role.
    pub role: Option<RoleName>,
    /// Only sessions that are bound to this chat.
    pub chat: Option<String>,
    /// Only sessions that are bound to this agent.
    pub agent: Option<String>,
    /// Only sessions that are bound to this project.
    pub project: Option<String>,
    /// How much of the rest is hidden.
    pub scope: Scope,
    /// The order.
    pub sort: Sort,
    /// At most so many; `None` for all of them.
    pub limit: Option<NonZeroU32>,
    /// Go on after the page that gave this.
    pub cursor: Option<Cursor>,
}

/// How much of what is rarely wanted a listing shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Hides closed, expired, internal and empty sessions. Asking for a status shows that status.
    #[default]
    Current,
    /// Everything outside the trash.
    All,
    /// The trash alone.
    Trash,
}

/// The order of a listing. Ties are broken by id, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Last changed first.
    #[default]
    Updated,
    /// Last created first.
    Created,
    /// By name in byte order; sessions without one come first.
    Name,
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The sessions as recorded.
    pub sessions: Vec<Session>,
    /// Where the next page begins, when there is more.
    pub next: Option<Cursor>,
    /// Records that could not be read and therefore are missing above.
    pub damaged: Vec<Damage>,
}

/// A record that cannot be read. It costs nothing but itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// File and position, or table and row.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

/// A place in a listing: after the session with this sort value and id, for this very query, in this state of the
/// store. Its text form is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The generation of the store, which changes when its content is replaced.
    pub generation: u64,
    /// [`Query::fingerprint`] of the query that gave it.
    pub query: u64,
    /// [`SortValue`] of the last session of the page.
    pub value: SortValue,
    /// The id of the last session of the page.
    pub id: SessionId,
}

/// By what a session is placed in a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// A time in milliseconds; larger ones come first.
    Time(i64),
    /// A name; smaller ones come first.
    Name(String),
}

/// A text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no cursor: pass on the one that the previous page gave, unchanged")]
pub struct CursorError;

/// A word that names no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no order: use updated, created or name")]
pub struct SortError {
    text: String,
}

impl Query {
    /// Everything that is current, last changed first.
    #[must_use]
    pub fn new(observer: Observer) -> Self {
        Self {
            observer,
            statuses: BTreeSet::new(),
            labels: Vec::new(),
            workdir: None,
            parent: None,
            tool: None,
            role: None,
            chat: None,
            agent: None,
            project: None,
            scope: Scope::Current,
            sort: Sort::Updated,
            limit: None,
            cursor: None,
        }
    }

    /// A number that is the same for the same question, whoever asks and from wherever on: a cursor of one query
    /// must not be used with another.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let Self { statuses, labels, workdir, parent, tool, role, chat, agent, project, .. } = self;
        let filters = (statuses, labels, workdir, parent, tool);
        let question = format!(
            "{filters:?} {:?} {:?} {:?}",
            (role, chat, agent, project),
            self.scope,
            self.sort
        );
        fingerprint::of(&question)
    }

    /// Checks that the cursor, if there is one, was given by this query and in this generation of the store.
    ///
    /// # Errors
    /// [`StoreError::StaleCursor`] otherwise.
    pub fn check_cursor(&self, generation: u64) -> Result<(), StoreError> {
        match &self.cursor {
            Some(cursor)
                if cursor.generation != generation || cursor.query != self.fingerprint() =>
            {
                Err(StoreError::StaleCursor)
            }
            _ => Ok(()),
        }
    }

    /// The page that this query gets of `sessions`, which may be all of a store in any order: the reference that
    /// every faster way must agree with. Only the sessions of the page are cloned.
    #[must_use]
    pub fn page_of<S: Borrow<Session>>(
        &self,
        sessions: impl IntoIterator<Item = S>,
        generation: u64,
    ) -> Page {
        let after = |value: &SortValue, id: SessionId| {
            self.cursor.as_ref().is_none_or(|cursor| {
                self.sort.order((&cursor.value, cursor.id), (value, id)).is_lt()
            })
        };
        let mut found: Vec<_> = sessions
            .into_iter()
            .filter(|session| self.matches(session.borrow()))
            .map(|session| (self.sort.value(session.borrow()), session.borrow().id(), session))
            .filter(|(value, id, _)| after(value, *id))
            .collect();
        found.sort_by(|left, right| self.sort.order((&left.0, left.1), (&right.0, right.1)));
        let limit = self.limit.map_or(usize::MAX, |limit| limit.get() as usize);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(value, id, _)| Cursor {
            generation,
            query: self.fingerprint(),
            value: value.clone(),
            id: *id,
        });
        Page {
            sessions: found.iter().map(|(_, _, session)| session.borrow().clone()).collect(),
            next,
            damaged: Vec::new(),
        }
    }

    /// Whether a session as recorded belongs to the answer.
    #[must_use]
    pub fn matches(&self, session: &Session) -> bool {
        if session.is_trashed() != (self.scope == Scope::Trash) {
            return false;
        }
        let seen = session.observed_by(&self.observer);
        let is_asked_for = self.statuses.contains(&seen.status());
        let in_scope = match self.scope {
            Scope::All | Scope::Trash => self.statuses.is_empty() || is_asked_for,
            Scope::Current if self.statuses.is_empty() => {
                !seen.status().is_final() && !hides(&seen)
            }
            Scope::Current => is_asked_for && !hides(&seen),
        };
        in_scope && self.filters_pass(&seen)
    }

    fn filters_pass(&self, session: &Session) -> bool {
        let launch = session.launch.as_ref();
        let lease = session.lease.as_ref();
        let binding = lease.and_then(|lease| lease.binding.as_ref());
        session.has_labels(&self.labels)
            && is_or_any(&self.parent, session.identity.parent.as_ref())
            && is_or_any(&self.workdir, launch.map(|launch| &launch.workdir))
            && is_or_any(&self.tool, launch.and_then(|launch| launch.tool.as_ref()))
            && is_or_any(&self.role, lease.and_then(|lease| lease.role.as_ref()))
            && is_or_any(&self.chat, binding.map(|binding| &binding.chat))
            && is_or_any(&self.agent, binding.map(|binding| &binding.agent))
            && is_or_any(&self.project, binding.map(|binding| &binding.project))
    }
}

fn hides(session: &Session) -> bool {
    session.is_empty() || session.launch.as_ref().is_some_and(|launch| launch.internal)
}

fn is_or_any<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
    wanted.as_ref().is_none_or(|wanted| Some(wanted) == found)
}

impl Sort {
    /// By what a session is placed.
    #[must_use]
    pub fn value(self, session: &Session) -> SortValue {
        match self {
            Self::Updated => SortValue::Time(session.lifecycle.updated_at.as_millis()),
            Self::Created => SortValue::Time(session.lifecycle.created_at.as_millis()),
            Self::Name => {
                SortValue::Name(session.name().map(ToString::to_string).unwrap_or_default())
            }
        }
    }

    /// Whether `left` comes before `right` in a listing, each given by sort value and id.
    #[must_use]
    pub fn order(
        self,
        left: (&SortValue, SessionId),
        right: (&SortValue, SessionId),
    ) -> std::cmp::Ordering {
        let by_value = match self {
            Self::Updated | Self::Created => right.0.cmp(left.0),
            Self::Name => left.0.cmp(right.0),
        };
        by_value.then_with(|| right.1.cmp(&left.1))
    }
}

impl FromStr for Sort {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "updated" => Ok(Self::Updated),
            "created" => Ok(Self::Created),
            "name" => Ok(Self::Name),
            _ => Err(SortError { text: text.chars().take(40).collect() }),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{}.", self.generation, self.query, self.id)?;
        match &self.value {
            SortValue::Time(millis) => write!(f, "t{millis}"),
            SortValue::Name(name) => write!(f, "n{name}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(CursorError);
        let hex = |part: &str| u64::from_str_radix(part, 16).map_err(|_| CursorError);
        let generation = hex(part()?)?;
        let query = hex(part()?)?;
        let id = SessionId::parse(part()?).map_err(|_| CursorError)?;
        let value = part()?;
        let value = if let Some(millis) = value.strip_prefix('t') {
            SortValue::Time(millis.parse().map_err(|_| CursorError)?)
        } else if let Some(name) = value.strip_prefix('n') {
            SortValue::Name(name.to_owned())
        } else {
            return Err(CursorError);
        };
        Ok(Self { generation, query, value, id })
    }
}
