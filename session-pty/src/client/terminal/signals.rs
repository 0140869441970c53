//! Signals as bytes that can be polled for.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::{pipe, unregister};

/// What a viewer is told by signals, until it is dropped.
#[derive(Debug)]
pub(super) struct Signals {
    /// The terminal has another size.
    pub(super) resized: UnixStream,
    /// This process was stopped and goes on.
    pub(super) continued: UnixStream,
    /// This process is to end.
    pub(super) ended: UnixStream,
    pub(super) registered: Vec<SigId>,
}

/// The signals that end a process unless somebody watches.
const ENDING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Nobody watches: the signals do what they do by default.
static NOBODY_WATCHES: AtomicBool = AtomicBool::new(true);

/// Whether the default is taken care of. A handler stays when its actions are gone, and would ignore the signal.
static HAS_DEFAULT: Mutex<bool> = Mutex::new(false);

impl Signals {
    pub(super) fn register() -> io::Result<Self> {
        let (resized, resize_sender) = UnixStream::pair()?;
        let (continued, continue_sender) = UnixStream::pair()?;
        let (ended, end_sender) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        continued.set_nonblocking(true)?;
        let mut signals = Self { resized, continued, ended, registered: Vec::new() };
        NOBODY_WATCHES.store(false, Ordering::SeqCst);
        signals.registered.push(pipe::register(SIGWINCH, resize_sender)?);
        signals.registered.push(pipe::register(SIGCONT, continue_sender)?);
        for signal in ENDING {
            signals.registered.push(pipe::register(signal, end_sender.try_clone()?)?);
        }
        let mut has_default = HAS_DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
        if !*has_default {
            for signal in ENDING {
                register_conditional_default(signal, &NOBODY_WATCHES)?;
            }
            *has_default = true;
        }
        drop(has_default);
        Ok(signals)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        NOBODY_WATCHES.store(true, Ordering::SeqCst);
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}

/// Takes in how often a signal came: once is as good as often.
pub(super) fn drain(mut signal: &UnixStream) {
    let mut drained = [0; 64];
    while matches!(signal.read(&mut drained), Ok(len) if len == drained.len()) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use signal_hook::low_level::raise;

    use super::*;

    /// Says that this process is there to be ended.
    const TO_BE_ENDED: &str = "SESSION_TEST_TO_BE_ENDED";

    #[test]
    fn a_signal_ends_the_process_once_nobody_watches_any_more() {
        if std::env::var_os(TO_BE_ENDED).is_some() {
            watch_and_leave();
            raise(SIGTERM).unwrap();
            return;
        }
        let this = "client::terminal::signals::tests::a_signal_ends_the_process_once_nobody_watches_any_more";
        let program = std::env::current_exe().unwrap();
        let ended =
            Command::new(program).args([this, "--exact"]).env(TO_BE_ENDED, "1").output().unwrap();
        assert_eq!(ended.status.signal(), Some(SIGTERM), "{ended:?}");
    }

    fn watch_and_leave() {
        for _ in 0..2 {
            let mut signals = Signals::register().unwrap();
            raise(SIGTERM).unwrap();
            let mut told = [0];
            signals.ended.read_exact(&mut told).unwrap();
        }
    }
}
