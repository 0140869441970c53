//! The cases of the store suite, one behaviour each, grouped by the method that they are about.

pub mod create;
pub mod read;

pub mod update;

pub mod list;

pub mod remove;
pub mod sweep;

pub mod lease;
pub mod removal;
pub mod trash;

pub mod append;
pub mod repeats;
pub mod totals;

pub mod context;
pub mod history;
pub mod search;

pub mod adopt;
pub mod backup;
pub mod bundle;
pub mod upkeep;

pub mod handles;
pub mod members;
pub mod reopen;

pub mod contention;
pub mod racing;

pub mod scale;

pub mod retold;

use crate::StoreFixture;

/// A case: it panics when the store of the fixture breaks the promise.
pub type StoreCase = fn(&dyn StoreFixture);

/// Every case with its name, as [`crate::store_conformance`] stamps them.
pub const ALL: &[(&str, StoreCase)] = crate::__store_cases! { __table_of_cases };
