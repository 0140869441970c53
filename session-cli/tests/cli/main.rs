//! The command as people and scripts use it: the real binary, in directories of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod home;

mod completing;
mod damage;
mod doctor;
mod errors;
mod events;
mod export;
mod following;
mod inside;
mod interrupted;
mod keeping;
mod kills;
mod limits;
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
mod trust;
mod typing;
mod typists;
mod unknown;
mod viewers;
mod waiting;
