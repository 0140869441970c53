//! Running programs and their viewers, as an embedding program sees them.
#![expect(clippy::unwrap_used, reason = "test code")]

mod ends;
mod stage;
mod viewers;
