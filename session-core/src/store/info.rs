//! What a store says of itself.

use std::path::PathBuf;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The backend: `memory`, `sqlite` or `jsonl`.
    pub kind: &'static str,
    /// Where it is, for a backend on a disk.
    pub location: Option<PathBuf>,
    /// The version of its format.
    pub schema_version: i64,
    /// Changes when its content is replaced: cursors of another generation are stale.
    pub generation: u64,
    /// How far back an append looks for records that are there already.
    pub deduplication: Deduplication,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Whether it can be backed up and replaced by a backup.
    pub has_backups: bool,
}

/// How far back an append looks for records that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deduplication {
    /// Over the whole history.
    History,
    /// Over the last so many bytes of it at least.
    Recent {
        /// How many.
        bytes: u64,
    },
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of any process, and power loss.
    #[default]
    Full,
    /// The death of any process. Power loss may take the last writes, and nothing before them. A flush makes
    /// everything that was acknowledged as durable as with `Full`.
    Normal,
}

impl StoreInfo {
    /// What a backend of this kind says of itself: it looks for records over the whole history, its writes are
    /// fully durable, and it has backups.
    #[must_use]
    pub const fn new(
        kind: &'static str,
        location: Option<PathBuf>,
        schema_version: i64,
        generation: u64,
    ) -> Self {
        Self {
            kind,
            location,
            schema_version,
            generation,
            deduplication: Deduplication::History,
            durability: Durability::Full,
            has_backups: true,
        }
    }
}
