//! Workloads that several benches share, the same in every run.
//!
//! The benches are in `benches/`, one for each area: `store`, `relay`, `screen`, `names`. Each puts what is measured
//! and the physical limit of the same work into one group, so that a result reads as a ratio; README.md beside this
//! crate's manifest says how.

mod random;

pub mod output;
pub mod sessions;

pub use random::Random;
