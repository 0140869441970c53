//! Bytes on their way somewhere.

use std::collections::VecDeque;
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

/// Frames that wait for a connection to take them, each of them whole or not at all.
#[derive(Debug, Default)]
pub(super) struct Frames {
    frames: VecDeque<Vec<u8>>,
    /// How much of the first one was taken.
    sent: usize,
    len: usize,
}

impl Frames {
    pub(super) const fn len(&self) -> usize {
        self.len - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn push(&mut self, frame: Vec<u8>) {
        self.len += frame.len();
        self.frames.push_back(frame);
    }

    /// Writes what is taken.
    pub(super) fn write_to(&mut self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        while let Some(frame) = self.frames.front() {
            match rustix::io::write(fd, &frame[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.sent == frame.len() {
                self.len -= self.sent;
                self.sent = 0;
                self.frames.pop_front();
            }
        }
        Ok(())
    }

    /// Begins the first one anew, for another connection.
    pub(super) const fn rewind(&mut self) {
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_frame_that_was_taken_in_part_goes_whole_over_another_connection() {
        let (sender, _receiver) = UnixStream::pair().unwrap();
        sender.set_nonblocking(true).unwrap();
        let mut frames = Frames::default();
        frames.push(vec![1; 4 << 20]);
        frames.push(vec![2; 3]);
        frames.write_to(sender.as_fd()).unwrap();
        assert!(frames.len() < (4 << 20) + 3 && !frames.is_empty());
        frames.rewind();
        assert_eq!(frames.len(), (4 << 20) + 3);

        let (sender, mut receiver) = UnixStream::pair().unwrap();
        let reader = std::thread::spawn(move || {
            let mut taken = Vec::new();
            receiver.read_to_end(&mut taken).unwrap();
            taken
        });
        frames.write_to(sender.as_fd()).unwrap();
        assert_eq!((frames.is_empty(), frames.len()), (true, 0));
        drop(sender);
        assert_eq!(reader.join().unwrap(), [vec![1; 4 << 20], vec![2; 3]].concat());
    }

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
