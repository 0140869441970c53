//! The command as people and scripts use it: the real binary, in directories of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod home;

mod completing;
mod damage;
mod errors;
mod events;
mod export;
mod inside;
mod interrupted;
mod keeping;
mod live;
mod messages;
mod pipe;
mod recording;
mod records;
mod retold;
mod showing;
mod store;
mod supervisor;
mod terminal;
mod trash;
mod typing;
mod waiting;
