//! One question to a session and what came of it.

use std::collections::BTreeMap;

use crate::RawJson;
use crate::json::{Unknown, canonical_object};

/// The last request, its outcome, and what is remembered between requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub request: Option<String>,
    /// What was answered.
    pub response: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Values of the caller's own, sorted by key.
    pub context: BTreeMap<String, RawJson>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

canonical_object! { Exchange { optional request, optional response, optional error, map context } }
