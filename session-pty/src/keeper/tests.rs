//! Keepers and supervisors as processes of their own: this test binary, started again.

mod actor;
mod ends;
mod stage;
mod strangers;
mod succession;
mod survival;

/// Plays a keeper or a supervisor in a process that was started for that, and does nothing in any other.
#[test]
fn child() {
    actor::play();
}
