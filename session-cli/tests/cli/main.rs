//! The command as people and scripts use it: the real binary, in directories of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod home;

mod completing;
mod errors;
mod inside;
mod live;
mod pipe;
mod records;
mod showing;
mod supervisor;
mod terminal;
mod typing;
mod waiting;
