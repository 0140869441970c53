//! Signals to the keeper, as something that can be polled for.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGUSR1};

/// Becomes readable when one comes.
#[derive(Debug)]
pub(super) struct Signals {
    wake: UnixStream,
    bind_again: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
}

/// What signals asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// That clients find a socket.
    pub(super) bind_again: bool,
    /// That everything ends.
    pub(super) end: bool,
}

impl Signals {
    /// From here on signals are handled. One about children only wakes.
    pub(super) fn register() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (bind_again, end) = (Arc::default(), Arc::default());
        // First the flags: whoever is woken has to find them.
        for (signal, flag) in [(SIGUSR1, &bind_again), (SIGTERM, &end), (SIGINT, &end)] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
        }
        for signal in [SIGCHLD, SIGUSR1, SIGTERM, SIGINT] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { wake, bind_again, end })
    }

    /// What was asked for since the last time; not readable any more until the next signal.
    pub(super) fn take(&self) -> Asked {
        let mut bytes = [0; 64];
        while (&self.wake).read(&mut bytes).is_ok_and(|len| len > 0) {}
        Asked {
            bind_again: self.bind_again.swap(false, Ordering::AcqRel),
            end: self.end.swap(false, Ordering::AcqRel),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
