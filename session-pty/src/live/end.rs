//! Ending a program that does not end by itself: hang-up, termination, kill.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_core::{Exit, RuntimeError};

use super::leader::Target;
use super::{SessionHandle, Shared, lock};

/// How long a killed process may take to be gone: it may have much memory to give back.
const KILLED_IN: Duration = Duration::from_secs(10);

/// Ends the program and waits until that is recorded.
pub(super) fn stop(handle: &SessionHandle, grace: Duration) -> Result<Exit, RuntimeError> {
    descend(handle, grace, KILLED_IN)
}

/// Runs the ladder. One hang-up is not enough: interactive shells may sit it out.
pub(super) fn descend(
    handle: &SessionHandle,
    grace: Duration,
    killed_in: Duration,
) -> Result<Exit, RuntimeError> {
    for signal in [Signal::HUP, Signal::TERM, Signal::KILL] {
        signal_groups(&handle.shared, signal);
        let patience = if signal == Signal::KILL { grace.max(killed_in) } else { grace };
        let mut exit = handle.wait(Some(patience));
        if exit.is_none() && has_ended(&handle.shared) {
            // The end is told once it is recorded, which may take long on a slow disk or among many.
            exit = handle.wait(None);
        }
        if let Some(exit) = exit {
            sweep(handle.pid(), grace);
            return Ok(exit);
        }
    }
    Err(RuntimeError::Timeout { what: "the end of a killed program" })
}

/// Kills the program at once.
pub(super) fn kill(shared: &Shared) {
    signal_groups(shared, Signal::KILL);
}

/// Whether the program runs no more, recorded or not.
fn has_ended(shared: &Shared) -> bool {
    lock(&shared.leader).as_ref().is_none_or(Target::has_ended)
}

/// Signals the program's own group and the group in the foreground of its terminal, and wakes both if stopped.
fn signal_groups(shared: &Shared, signal: Signal) {
    // Held while signalling: the process cannot be reaped, so its number cannot become somebody else's.
    let leader = lock(&shared.leader);
    let Some(program) = &*leader else { return };
    let foreground = lock(&shared.terminal)
        .as_ref()
        .and_then(|terminal| rustix::termios::tcgetpgrp(terminal.as_fd()).ok());
    program.signal_groups(foreground, signal);
}

/// Ends what is left of the program's terminal session: background jobs have groups of their own.
fn sweep(leader: u32, grace: Duration) {
    for (signal, patience) in [(Signal::HUP, grace), (Signal::KILL, KILLED_IN)] {
        let left: Vec<_> = crate::os::session_members(leader);
        for member in &left {
            member.signal(signal);
        }
        let deadline = Instant::now().checked_add(patience);
        for member in left {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            member.wait(left.unwrap_or(patience));
        }
    }
}
