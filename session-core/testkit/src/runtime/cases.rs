//! The cases of the runtime suite, one behaviour each, grouped by the method that they are about.

pub mod spawn;

pub mod resize;
pub mod write;

pub mod replay;
pub mod subscribe;

pub mod stop;
pub mod wait;

pub mod outage;

use super::RuntimeFixture;

/// A case: it panics when the runtime of the fixture breaks the promise.
pub type RuntimeCase = fn(&dyn RuntimeFixture);

/// Every case with its name, as [`crate::runtime_conformance`] stamps them.
pub const ALL: &[(&str, RuntimeCase)] = crate::__runtime_cases! { __table_of_cases };
