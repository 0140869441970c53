//! Waiting for the supervisor that takes the place of a dead one, beside the keyboard and the display.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};

use session_core::RuntimeError;

use crate::stream::{ViewerStream, WayBack};

/// A thread that waits; what it holds becomes readable when it is done.
#[derive(Debug)]
pub(super) struct Returning {
    done: UnixStream,
    stream: Receiver<Result<Option<ViewerStream>, RuntimeError>>,
}

impl Returning {
    pub(super) fn start(way_back: WayBack) -> io::Result<Self> {
        let (done, open_until_done) = UnixStream::pair()?;
        let (sender, stream) = channel();
        std::thread::Builder::new().name("returning".to_owned()).spawn(move || {
            let _viewer_left = sender.send(way_back.take(None));
            drop(open_until_done);
        })?;
        Ok(Self { done, stream })
    }

    /// The stream to go on with; `None` when there is none.
    pub(super) fn finish(self) -> io::Result<Option<ViewerStream>> {
        match self.stream.recv() {
            Ok(taken) => taken.map_err(io::Error::other),
            // It panicked, which the hook has reported.
            Err(_) => Ok(None),
        }
    }
}

impl AsFd for Returning {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.done.as_fd()
    }
}
