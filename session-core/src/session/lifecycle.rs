//! How far a session has come: status, times, deadline, revision.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};

use crate::{Status, Timestamp};

/// Status, times and revision of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// What became of the work.
    pub status: Status,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When the record last changed; set by the store.
    pub updated_at: Timestamp,
    /// When somebody or something last worked in it. Reading is not work.
    pub last_active_at: Timestamp,
    /// When it ends by itself.
    pub expiry: Expiry,
    /// When it ended, if that is known.
    pub ended_at: Option<Timestamp>,
    /// When it was removed to the trash.
    pub trashed_at: Option<Timestamp>,
    /// How often the record was written; set by the store.
    pub revision: Revision,
}

/// When a session ends by itself. Evaluated when read; a sweep only records it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Never: the default keeps everything.
    #[default]
    Never,
    /// At a fixed time.
    At(Timestamp),
    /// When nothing happened for so long; kept in milliseconds.
    Idle(Duration),
}

/// The number of a record's version: 1 when created, one more with each update.
///
/// An update names the revision that it changes, so that two writers never undo each other's work unseen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl Expiry {
    /// The same in the unit in which it is kept.
    #[must_use]
    pub fn in_whole_millis(self) -> Self {
        match self {
            Self::Idle(idle) => {
                let millis = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
                Self::Idle(Duration::from_millis(millis))
            }
            Self::Never | Self::At(_) => self,
        }
    }
}

impl Revision {
    /// The largest that a store takes over from another one, so that there is always one after it: the largest number
    /// that every reader of JSON reads as it is (RFC 8259).
    pub const LARGEST: Self = Self((1 << 53) - 1);

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Lifecycle {
    pub(super) const fn new(created_at: Timestamp) -> Self {
        Self {
            status: Status::Pending,
            created_at,
            updated_at: created_at,
            last_active_at: created_at,
            expiry: Expiry::Never,
            ended_at: None,
            trashed_at: None,
            revision: Revision(1),
        }
    }

    /// The last moment at which the session is not overdue, if it has a deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.expiry {
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
            Expiry::Idle(idle) => Some(self.last_active_at.plus(idle)),
        }
    }

    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("updated_at", &self.updated_at)?;
        map.serialize_entry("last_active_at", &self.last_active_at)?;
        map.serialize_entry("expires_at", &self.deadline())?;
        if let Expiry::Idle(idle) = self.expiry {
            let millis = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
            map.serialize_entry("idle_timeout_ms", &millis)?;
        }
        map.serialize_entry("ended_at", &self.ended_at)?;
        if self.trashed_at.is_some() {
            map.serialize_entry("trashed_at", &self.trashed_at)?;
        }
        map.serialize_entry("revision", &self.revision)
    }
}
