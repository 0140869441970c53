//! Bytes on their way somewhere.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// Bytes that wait for a descriptor to take them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    sent: usize,
}

/// What was sent is forgotten beyond this, so that a queue which is never empty does not grow for ever.
const SENT_LIMIT: usize = 256 << 10;

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.sent > SENT_LIMIT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes at most `most` bytes, as far as they are taken.
    pub(super) fn write_to(&mut self, fd: BorrowedFd<'_>, most: usize) -> Result<(), Errno> {
        let end = self.bytes.len().min(self.sent.saturating_add(most));
        match rustix::io::write(fd, &self.bytes[self.sent..end]) {
            Ok(len) => self.sent += len,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error),
        }
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_queue_that_is_never_empty_forgets_what_was_sent() {
        let (sender, mut receiver) = UnixStream::pair().unwrap();
        let mut pending = Pending::default();
        pending.push(b"x");
        let mut buffer = [0; 4 << 10];
        for _ in 0..1000 {
            pending.push(&buffer);
            pending.write_to(sender.as_fd(), buffer.len()).unwrap();
            receiver.read_exact(&mut buffer).unwrap();
        }
        assert_eq!(pending.len(), 1);
        assert!(pending.bytes.len() <= SENT_LIMIT + 2 * buffer.len(), "{}", pending.bytes.len());
    }
}
