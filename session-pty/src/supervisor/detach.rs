//! Becoming a process of its own, which owes nothing to whoever started it.

use std::io;
use std::sync::Arc;

use session_core::RuntimeError;
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
    SIGUSR2, SIGWINCH,
};

use super::log;
use crate::place::Place;

/// Signals that a caller may have ignored, which would go on through this process to every program. One that is
/// handled has its default action again in a program.
///
/// Two are handled for this process's own sake. From the moment that the lock is held, others may ask with SIGUSR1 to
/// bind again: until there is somebody to hear it, it must at least not end the process. And a caller's limit on
/// file sizes must become an error of the write, not the end of every session.
const HANDLED: [i32; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGWINCH, SIGXFSZ,
];

/// A number that signal-hook does not name.
const SIGXFSZ: i32 = 25;

/// Leaves the caller's session, directory and file creation mask, and keeps errors in the log.
pub(crate) fn detach_from_caller(place: &Place) -> Result<(), RuntimeError> {
    let failed = |source: io::Error| RuntimeError::io("starting the supervisor", source);
    for signal in HANDLED {
        signal_hook::flag::register(signal, Arc::default()).map_err(failed)?;
    }
    crate::os::close_inherited();
    // Fails only for a process that leads a group already, which is then detached enough.
    let _leads_already = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    std::env::set_current_dir("/").map_err(failed)?;
    place.prepare_runtime_dir()?;
    log::open(&place.log()).map_err(failed)
}
