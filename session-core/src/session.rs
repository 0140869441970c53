//! The session record: parts that change for different reasons, in one canonical JSON object.

mod conversation;
mod identity;
mod labels;
mod launch;
mod lifecycle;
mod process;

use std::borrow::Cow;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{Fields, Unknown, entry_if};
use crate::{SessionId, SessionName, Status, Timestamp};

pub use conversation::Conversation;
pub use identity::{Identity, Origin};
pub use labels::{LabelError, LabelKey, Labels};
pub use launch::{ForeignMode, Launch, Mode, PermissionMode, SizeError, TerminalSize};
pub use lifecycle::{Expiry, Lifecycle, Revision};
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
    /// How its program is started; `None` for a session without one.
    pub launch: Option<Launch>,
    /// What became of the program.
    pub process: Option<Process>,
    /// With whom and where it converses.
    pub conversation: Option<Conversation>,
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
            launch: None,
            process: None,
            conversation: None,
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

    /// Whether a program of this session is recorded as starting or running.
    #[must_use]
    pub fn has_live_process(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.state.is_live())
    }

    /// Whether there is nothing to show of it yet: it has no program, and nothing was said in it. Listings hide these.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.process.is_none() && self.launch.is_none()
    }

    /// Whether it was removed to the trash.
    #[must_use]
    pub const fn is_trashed(&self) -> bool {
        self.lifecycle.trashed_at.is_some()
    }

    /// Whether it holds its name at `now`: its work is open, its deadline has not passed, it is not in the trash.
    #[must_use]
    pub fn holds_name(&self, now: Timestamp) -> bool {
        self.name().is_some()
            && !self.is_trashed()
            && self.status().is_open()
            && !self.is_overdue(now)
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
        entry_if(&mut map, "launch", self.launch.as_ref())?;
        entry_if(&mut map, "process", self.process.as_ref())?;
        entry_if(&mut map, "conversation", self.conversation.as_ref())?;
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        let session = Self {
            identity: Identity::read(&mut fields)?,
            lifecycle: Lifecycle::read(&mut fields)?,
            launch: fields.take("launch")?,
            process: fields.take("process")?,
            conversation: fields.take("conversation")?,
            unknown: fields.rest(),
        };
        if session.identity.parent == Some(session.id()) {
            return Err(D::Error::custom("a session cannot be its own parent"));
        }
        Ok(session)
    }
}
