//! Usage: what a call of a model took.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::RawJson;
use crate::json::{Unknown, canonical_object};

/// What one call of a model took.
///
/// A call is counted once: its entry has the id of the call, however many messages repeat it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The tokens.
    pub tokens: Tokens,
    /// What it cost, if that is known.
    pub cost_micros: Option<MicroUsd>,
    /// What some tool says it cost, in that tool's own form.
    pub cost: Option<RawJson>,
    /// Who serves the model.
    pub vendor: Option<String>,
    /// Through which of the vendor's endpoints.
    pub endpoint: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// Which part of a tool made the call, such as `agent` or `compaction`.
    pub source: Option<String>,
    /// The turn of the conversation, as the tool counts.
    pub turn: Option<u64>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// Numbers of tokens. What nobody told is `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model, without what came from its cache.
    pub input: Option<u64>,
    /// Written by the model.
    pub output: Option<u64>,
    /// Read from the model's cache.
    pub cache_read: Option<u64>,
    /// Written to the model's cache.
    pub cache_write: Option<u64>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// An amount of money in millionths of a United States dollar.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MicroUsd(pub u64);

impl Tokens {
    /// Adds what another call took. An unknown number adds nothing, and too large a sum stays at the limit.
    pub fn add(&mut self, other: &Self) {
        let sum = |left: &mut Option<u64>, right: Option<u64>| {
            if let Some(right) = right {
                *left = Some(left.unwrap_or(0).saturating_add(right));
            }
        };
        sum(&mut self.input, other.input);
        sum(&mut self.output, other.output);
        sum(&mut self.cache_read, other.cache_read);
        sum(&mut self.cache_write, other.cache_write);
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

canonical_object! {
    Usage {
        sparse tokens,
        brief cost_micros,
        opaque cost,
        brief vendor,
        brief endpoint,
        brief model,
        brief source,
        brief turn,
    }
}

canonical_object! { Tokens { brief input, brief output, brief cache_read, brief cache_write } }
