//! Becoming a process of its own, which owes nothing to whoever started it.

use std::io;
use std::sync::Arc;

use session_core::RuntimeError;

use super::log;
use crate::place::Place;

/// Sent for a write beyond the limit of a file's size; a number that signal-hook does not name.
const SIGXFSZ: i32 = 25;

/// Leaves the caller's session, directory and file creation mask, and keeps errors in the log.
pub(super) fn detach_from_caller(place: &Place) -> Result<(), RuntimeError> {
    let failed = |source: io::Error| RuntimeError::io("starting the supervisor", source);
    // From the moment that the lock is held, others may ask with this signal to bind again; until there is somebody
    // to hear it, it must at least not end the process.
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::default()).map_err(failed)?;
    // A caller's limit on file sizes must become an error of the write, not the end of every session.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(failed)?;
    crate::os::close_inherited();
    // Fails only for a process that leads a group already, which is then detached enough.
    let _leads_already = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    std::env::set_current_dir("/").map_err(failed)?;
    place.prepare_runtime_dir()?;
    log::open(&place.log()).map_err(failed)
}
