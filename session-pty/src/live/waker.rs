//! Waking a thread that polls.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor that is readable from the moment somebody wakes whoever polls it until that one has noticed. All
/// copies are the same one.
#[derive(Clone, Debug)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    /// One that nobody has used yet.
    ///
    /// # Errors
    /// When the system refuses another descriptor.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes it from any thread, once however often it is called before that is noticed.
    pub(super) fn wake(&self) {
        // It is refused only where there are wakings without number already.
        let _wakes_anyway = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// It is awake. To be called before looking at what there is to do.
    pub(super) fn notice(&self) {
        let _nothing_is_fine = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
