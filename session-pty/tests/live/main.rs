//! Running programs and their viewers, as an embedding program sees them.
#![expect(clippy::unwrap_used, reason = "test code")]

mod ends;
mod keys;
mod sizes;
mod stage;
mod viewers;
