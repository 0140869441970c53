//! What a screen promises: an exact copy at any moment, and no harm from any bytes.
#![expect(clippy::unwrap_used, reason = "test code")]

mod answers;
mod copies;
mod engine;
mod examine;
mod found;
mod hostile;
mod mutations;
mod oracle;
mod pieces;
mod recordings;
mod renderings;
mod replay;
mod scenes;
mod stage;
mod terminal;
