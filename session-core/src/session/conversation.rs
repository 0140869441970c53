//! With whom and where a session converses, and what its history amounts to.

use crate::json::{Unknown, canonical_object};
use crate::record::{Seq, Tokens};
use crate::{MicroUsd, RawJson};

/// The model behind a conversation, the directory that it is about, and the totals of its history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Who serves the model.
    pub vendor: Option<String>,
    /// Through which of the vendor's endpoints.
    pub endpoint: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// The absolute directory that it is about.
    pub workspace: Option<String>,
    /// Whether the history has every event that there was, and not only those that somebody recorded.
    pub events_complete: bool,
    /// What some tool says it cost, in that tool's own form.
    pub cost: Option<RawJson>,
    /// Kept by the store as records are appended; an update leaves it as it is.
    pub totals: Totals,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// What the records of a history amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many records there are; the last one has this sequence number.
    pub records: u64,
    /// How many of them are messages.
    pub messages: u64,
    /// The sequence number of the last checkpoint.
    pub last_checkpoint: Option<Seq>,
    /// The sum of all usage records.
    pub tokens: Tokens,
    /// The sum of all costs that are known.
    pub cost_micros: Option<MicroUsd>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

canonical_object! {
    Conversation {
        optional vendor,
        optional endpoint,
        optional model,
        optional workspace,
        sparse events_complete,
        opaque cost,
        sparse totals,
    }
}

canonical_object! {
    Totals {
        defaulted records,
        defaulted messages,
        brief last_checkpoint,
        sparse tokens,
        brief cost_micros,
    }
}
