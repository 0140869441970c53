//! The cases of the store suite, one behaviour each, grouped by the method that they are about.

pub mod create;
pub mod read;

pub mod update;

pub mod list;

pub mod remove;
pub mod sweep;

pub mod handles;
pub mod members;
pub mod reopen;

pub mod contention;

use crate::StoreFixture;

/// A case: it panics when the store of the fixture breaks the promise.
pub type StoreCase = fn(&dyn StoreFixture);

/// Every case with its name, as [`crate::store_conformance`] stamps them.
pub const ALL: &[(&str, StoreCase)] = crate::__store_cases! { __table_of_cases };
