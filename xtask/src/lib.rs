//! The checks and chores behind `cargo xtask`, as a library so that tests run the same code.
//!
//! Each verb is one module. The rules themselves are functions over text, so that every one of them
//! is shown to fire on an invented input; reading the tree and starting cargo happen at the edge.
//!
//! This package depends on no other member of the workspace: it has to work while they do not compile.

#![expect(clippy::print_stdout, reason = "the chores say which step runs and how long it took")]

pub mod ci;
pub mod layers;
pub mod lint;
pub mod tidy;

pub mod finding;
pub mod source;
pub mod step;
pub mod workspace;
