//! The session record: parts that change for different reasons, in one canonical JSON object.

mod conversation;
mod exchange;
mod fault;
mod identity;
mod labels;
mod launch;
mod lease;
mod lifecycle;
mod process;

use std::borrow::Cow;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{Unknown, canonical_input, write_member};
use crate::{SessionId, SessionName, Status, StoreError, Timestamp};

pub use conversation::{Conversation, Totals};
pub use exchange::Exchange;
pub use identity::{Identity, Origin};
pub use labels::{LabelError, LabelKey, Labels};
pub use launch::{ForeignMode, Launch, Mode, PermissionMode, SizeError, TerminalSize};
pub use lease::{Binding, Lease, RoleName};
pub use lifecycle::{Expiry, Lifecycle, Revision};
use process::ProcessInput;
pub use process::{Exit, Health, Host, Process, ProcessState};

/// One session: who it is, how far it has come, how its program was started and what became of it.
///
/// The serde form is the canonical JSON of a session, the same in every store and in the output of the command.
/// Identity and lifecycle are members of the object itself, every other part is an object of its own that is
/// absent when the session has no such part. Members that this version does not know are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who it is.
    pub identity: Identity,
    /// How far it has come.
    pub lifecycle: Lifecycle,
    /// Who works in it; `None` when nobody took it on.
    pub lease: Option<Lease>,
    /// How its program is started; `None` for a session without one.
    pub launch: Option<Launch>,
    /// What became of the program.
    pub process: Option<Process>,
    /// With whom and where it converses, and what its history amounts to.
    pub conversation: Option<Conversation>,
    /// The last question to it and what came of it.
    pub exchange: Option<Exchange>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// Who looks at sessions: what is overdue or lost depends on when and where from one looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// The observer's present.
    pub now: Timestamp,
    /// The instance that hosts programs at present, if there is one.
    pub live_host: Option<String>,
}

impl Session {
    /// A pending session without a name, a program or a deadline.
    #[must_use]
    pub fn new(id: SessionId, created_at: Timestamp) -> Self {
        Self {
            identity: Identity::new(id),
            lifecycle: Lifecycle::new(created_at),
            lease: None,
            launch: None,
            process: None,
            conversation: None,
            exchange: None,
            unknown: Unknown::default(),
        }
    }

    /// The id, which is what everything else refers to.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.identity.id
    }

    /// The name, unless it has none.
    #[must_use]
    pub const fn name(&self) -> Option<&SessionName> {
        self.identity.name.as_ref()
    }

    /// The status as recorded.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.lifecycle.status
    }

    /// Changes the status by the table of [`Status::to`].
    ///
    /// # Errors
    /// `Transition` for every change that the table does not list; then nothing is changed.
    pub fn set_status(&mut self, to: Status) -> Result<(), StoreError> {
        let id = self.id();
        self.lifecycle.status =
            self.status().to(to).map_err(|source| StoreError::Transition { id, source })?;
        Ok(())
    }

    /// Whether a program of this session is recorded as starting or running.
    #[must_use]
    pub fn has_live_process(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.state.is_live())
    }

    /// Whether there is nothing to show of it yet: it has no program, no title and no records, and nobody took it on.
    /// Listings hide these.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let has_records = self.conversation.as_ref().is_some_and(|part| part.totals.records > 0);
        self.process.is_none()
            && self.launch.is_none()
            && self.lease.is_none()
            && self.identity.title.is_none()
            && !has_records
    }

    /// Whether it was removed to the trash.
    #[must_use]
    pub const fn is_trashed(&self) -> bool {
        self.lifecycle.trashed_at.is_some()
    }

    /// Whether storing it claims its name: its work is open or its lease stands, and it is not in the trash.
    ///
    /// Its own deadline does not count. Were a session past its deadline stored beside the holder of its name, a
    /// clock that goes back, or a longer deadline, would make two holders of it.
    #[must_use]
    pub fn claims_name(&self) -> bool {
        self.name().is_some()
            && !self.is_trashed()
            && (self.status().is_open() || self.has_standing_lease())
    }

    /// Whether it holds its name at `now`: it claims it, and its deadline has not passed.
    #[must_use]
    pub fn holds_name(&self, now: Timestamp) -> bool {
        self.claims_name() && !self.is_overdue(now)
    }

    /// Whether somebody works in it under a role that was not given back.
    #[must_use]
    pub fn has_standing_lease(&self) -> bool {
        self.lease.as_ref().is_some_and(Lease::stands) && !self.status().is_final()
    }

    /// What its history amounts to.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.conversation.as_ref().map(|part| part.totals.clone()).unwrap_or_default()
    }

    /// Whether its deadline has passed while nothing keeps it alive. A running program does.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        !self.status().is_final()
            && !self.has_live_process()
            && self.lifecycle.deadline().is_some_and(|deadline| now > deadline)
    }

    /// Whether its program was hosted by an instance that is not the one alive now, so that nobody can say how
    /// it ended.
    #[must_use]
    pub fn is_lost(&self, observer: &Observer) -> bool {
        self.process.as_ref().is_some_and(|process| {
            process.state.is_live()
                && process
                    .host
                    .as_ref()
                    .is_some_and(|host| Some(&host.instance) != observer.live_host.as_ref())
        })
    }

    /// The session as `observer` has to see it: a lost program is shown as lost, a passed deadline as expired,
    /// whether or not somebody has recorded it yet. Reading never writes, so the record may lag behind.
    #[must_use]
    pub fn observed_by(&self, observer: &Observer) -> Cow<'_, Self> {
        let mut seen = Cow::Borrowed(self);
        if self.is_lost(observer) {
            seen.to_mut().record_lost();
        }
        if seen.is_overdue(observer.now) {
            seen.to_mut().record_expired();
        }
        seen
    }

    /// Whether it has all of these labels, each with this very value.
    pub(crate) fn has_labels(&self, wanted: &[(LabelKey, String)]) -> bool {
        wanted.iter().all(|(key, value)| self.identity.labels.get(key) == Some(value))
    }

    /// Marks the program as lost and the work as failed. The end's time stays unknown.
    fn record_lost(&mut self) {
        if let Some(process) = &mut self.process {
            process.state = ProcessState::Lost;
        }
        if let Ok(failed) = self.lifecycle.status.to(Status::Failed) {
            self.lifecycle.status = failed;
        }
    }

    /// Marks the session as ended by its deadline, at its deadline.
    pub(crate) fn record_expired(&mut self) {
        if let Ok(expired) = self.lifecycle.status.to(Status::Expired) {
            self.lifecycle.status = expired;
            self.lifecycle.ended_at = self.lifecycle.deadline();
        }
    }
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.identity.write(&mut map)?;
        self.lifecycle.write(&mut map)?;
        write_member! { brief map, "lease", &self.lease }
        write_member! { brief map, "launch", &self.launch }
        write_member! { brief map, "process", &self.process }
        write_member! { brief map, "conversation", &self.conversation }
        write_member! { brief map, "exchange", &self.exchange }
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let input = SessionInput::deserialize(deserializer)?;
        let session = Self {
            identity: Identity {
                id: input.id,
                name: input.name,
                title: input.title,
                labels: input.labels,
                origins: input.origins,
                parent: input.parent,
            },
            lifecycle: Lifecycle {
                status: input.status,
                created_at: input.created_at,
                updated_at: input.updated_at,
                last_active_at: input.last_active_at,
                expiry: match (input.idle_timeout_ms, input.expires_at) {
                    (Some(millis), _) => Expiry::Idle(Duration::from_millis(millis)),
                    (None, Some(at)) => Expiry::At(at),
                    (None, None) => Expiry::Never,
                },
                ended_at: input.ended_at,
                trashed_at: input.trashed_at,
                revision: input.revision,
            },
            lease: input.lease,
            launch: input.launch,
            process: input.process,
            conversation: input.conversation,
            exchange: input.exchange,
            unknown: input.unknown,
        };
        session.broken_rule().map_or(Ok(session), |rule| Err(D::Error::custom(rule)))
    }
}

/// The members of a session as they are read: identity and lifecycle have no objects of their own.
struct SessionInput {
    id: SessionId,
    name: Option<SessionName>,
    title: Option<String>,
    labels: Labels,
    origins: Vec<Origin>,
    parent: Option<SessionId>,
    status: Status,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_active_at: Timestamp,
    expires_at: Option<Timestamp>,
    idle_timeout_ms: Option<u64>,
    ended_at: Option<Timestamp>,
    trashed_at: Option<Timestamp>,
    revision: Revision,
    lease: Option<Lease>,
    launch: Option<Launch>,
    process: Option<Process>,
    conversation: Option<Conversation>,
    exchange: Option<Exchange>,
    unknown: Unknown,
}

canonical_input! {
    SessionInput {
        required id,
        optional name,
        optional title,
        map labels,
        defaulted origins,
        optional parent,
        required status,
        required created_at,
        required updated_at,
        required last_active_at,
        optional expires_at,
        optional idle_timeout_ms,
        optional ended_at,
        optional trashed_at,
        required revision,
        optional lease,
        optional launch,
        optional process,
        optional conversation,
        optional exchange,
    }
}
