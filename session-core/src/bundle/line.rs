//! One line of a bundle, written and read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Record, Session, Tombstone};

/// The version of the lines that this program writes.
pub const VERSION: u32 = 1;

/// One line of a bundle. `Display` is its JSON, without a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first: what the lines are.
    Bundle {
        /// Their version.
        version: u32,
    },
    /// A session; its records follow, in order.
    Session(Box<Session>),
    /// A record of the session before it.
    Record(Box<Record>),
    /// A session that was destroyed.
    Tombstone(Tombstone),
    /// The last: how much stands before it.
    End(Counts),
}

/// How much a bundle holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions.
    pub sessions: u64,
    /// Records of all of them.
    pub records: u64,
    /// Sessions that were destroyed.
    pub tombstones: u64,
}

/// A line that belongs to no bundle of a version that this program knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is not JSON, or not what its type asks for.
    #[error("that is no line of a bundle")]
    Json(#[from] serde_json::Error),
    /// Its type is none that this program knows.
    #[error("a line of a bundle cannot be a {kind:.40}")]
    Type {
        /// Its type.
        kind: String,
    },
    /// A newer version of the program wrote it.
    #[error("the bundle has version {version}, this program knows versions up to {VERSION}")]
    NewerVersion {
        /// Its version.
        version: u32,
    },
}

impl Line {
    fn parts(&self) -> Output<'_> {
        let mut output = Output::default();
        match self {
            Self::Bundle { version } => (output.kind, output.version) = ("bundle", Some(*version)),
            Self::Session(session) => (output.kind, output.session) = ("session", Some(&**session)),
            Self::Record(record) => (output.kind, output.record) = ("record", Some(&**record)),
            Self::Tombstone(tombstone) => {
                (output.kind, output.tombstone) = ("tombstone", Some(tombstone));
            }
            Self::End(counts) => {
                output.kind = "end";
                output.sessions = Some(counts.sessions);
                output.records = Some(counts.records);
                output.tombstones = Some(counts.tombstones);
            }
        }
        output
    }
}

/// A line as it is written.
#[derive(Default, Serialize)]
struct Output<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a Session>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tombstone: Option<&'a Tombstone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tombstones: Option<u64>,
}

/// A line as it is read.
#[derive(Deserialize)]
struct Input {
    #[serde(rename = "type")]
    kind: String,
    version: Option<u32>,
    session: Option<Box<Session>>,
    record: Option<Box<Record>>,
    tombstone: Option<Tombstone>,
    sessions: Option<u64>,
    records: Option<u64>,
    tombstones: Option<u64>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(&self.parts()).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let input: Input = serde_json::from_str(text)?;
        let missing = |member| LineError::Json(serde::de::Error::missing_field(member));
        match input.kind.as_str() {
            "bundle" => match input.version.ok_or_else(|| missing("version"))? {
                version if version > VERSION => Err(LineError::NewerVersion { version }),
                version => Ok(Self::Bundle { version }),
            },
            "session" => input.session.map(Self::Session).ok_or_else(|| missing("session")),
            "record" => input.record.map(Self::Record).ok_or_else(|| missing("record")),
            "tombstone" => input.tombstone.map(Self::Tombstone).ok_or_else(|| missing("tombstone")),
            "end" => Ok(Self::End(Counts {
                sessions: input.sessions.ok_or_else(|| missing("sessions"))?,
                records: input.records.ok_or_else(|| missing("records"))?,
                tombstones: input.tombstones.ok_or_else(|| missing("tombstones"))?,
            })),
            _ => Err(LineError::Type { kind: input.kind }),
        }
    }
}
