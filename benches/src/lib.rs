//! Workloads that several benches share, the same in every run.
//!
//! The benches are in `benches/`, one for each area: `store`, `history`, `relay`, `screen`, `names`. Each puts what is measured
//! and the physical limit of the same work into one group, so that a result reads as a ratio; README.md beside this
//! crate's manifest says how.

mod random;

pub mod files;
pub mod output;
pub mod records;
pub mod sessions;
pub mod terminal;

pub use random::Random;

/// Whether `cargo bench -- --test` only asks if every bench runs, for which small sizes do.
#[must_use]
pub fn is_trial() -> bool {
    std::env::args().any(|argument| argument == "--test")
}
