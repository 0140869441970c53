//! What a viewer sends, kept until the terminal has taken it: the supervisor may die with what it was sent.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::wire::{Kind, MAX_TYPED, encode};

/// Frames on their way to the supervisor, and those that may have to be sent again.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    messages: VecDeque<Message>,
    /// So many of them went over the present connection.
    sent: usize,
    /// How much of the next one did. A frame that was taken in part has not been acted upon.
    begun: usize,
    /// Bytes in all of them.
    len: usize,
    /// The supervisor tells how much the terminal has taken; what was typed is kept until then.
    counts: bool,
    /// The number of the first byte that is kept, counted as the supervisor does.
    first: u64,
    /// Nothing is sent before the supervisor has told how much of it was taken.
    waits: bool,
}

#[derive(Debug)]
struct Message {
    kind: Kind,
    frame: Vec<u8>,
}

impl Message {
    /// As how much it is counted. The end of input counts as a byte.
    fn weight(&self) -> u64 {
        match self.kind {
            Kind::Input => (self.frame.len() - encode(Kind::Input, b"").len()) as u64,
            Kind::EndOfInput => 1,
            _ => 0,
        }
    }
}

impl Outbox {
    /// The same, for a supervisor that tells how much the terminal has taken.
    pub(crate) const fn counting(mut self, counts: bool) -> Self {
        self.counts = counts;
        self
    }

    /// How much is kept, in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing can be lost any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether there is something to send, and it may be sent.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.has_unsent() && !self.waits
    }

    /// Whether not all of it was sent.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.messages.len()
    }

    /// Adds typed bytes, in pieces that are not too much for a frame.
    pub(crate) fn push_typed(&mut self, bytes: &[u8]) {
        bytes.chunks(MAX_TYPED).for_each(|chunk| self.push(Kind::Input, chunk));
    }

    /// Adds a frame.
    pub(crate) fn push(&mut self, kind: Kind, payload: &[u8]) {
        let frame = encode(kind, payload);
        self.len += frame.len();
        self.messages.push_back(Message { kind, frame });
    }

    /// Drops everything: there is nobody to send it to.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        (self.sent, self.begun, self.len) = (0, 0, 0);
    }

    /// Sends what is taken at once.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(crate) fn send(&mut self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        while let Some(message) = self.messages.get(self.sent).filter(|_| !self.waits) {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(fd, &message.frame[self.begun..], flags) {
                Ok(len) => self.begun += len,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.begun == message.frame.len() {
                self.begun = 0;
                if self.counts && message.weight() > 0 {
                    self.sent += 1;
                } else {
                    self.remove(self.sent);
                }
            }
        }
        Ok(())
    }

    /// The supervisor says how much the terminal has taken.
    ///
    /// # Errors
    /// `InvalidData` when that is no number, or more than it was sent.
    pub(crate) fn note_taken(&mut self, payload: &[u8]) -> io::Result<()> {
        let taken = payload.try_into().map(u64::from_le_bytes);
        let taken = taken.map_err(|_| contradiction())?;
        if !self.counts {
            return Ok(());
        }
        if std::mem::take(&mut self.waits) {
            self.resume(taken);
            return Ok(());
        }
        // To one that types for the first time, it may say that it does not know it.
        if taken == u64::MAX && self.first == 0 {
            return Ok(());
        }
        if taken > self.first + self.weight_sent() {
            return Err(contradiction());
        }
        while self.sent > 0 && self.first + self.messages[0].weight() <= taken {
            self.first += self.messages[0].weight();
            self.remove(0);
            self.sent -= 1;
        }
        Ok(())
    }

    /// Prepares for another connection. What a terminal has said of itself is out of date by then.
    pub(crate) fn rewind(&mut self) {
        self.begun = 0;
        self.waits = self.counts;
        self.messages.retain(|message| message.kind != Kind::Report);
        self.len = self.messages.iter().map(|message| message.frame.len()).sum();
    }

    /// Goes on behind what was taken. Where that is not known, everything that was sent counts as taken: a key that is
    /// lost is better than one that comes twice.
    fn resume(&mut self, taken: u64) {
        let sent = self.weight_sent();
        let known = taken.checked_sub(self.first).filter(|gone| *gone <= sent);
        let mut gone = known.unwrap_or(sent);
        self.first = if taken == u64::MAX { 0 } else { taken };
        self.sent = 0;
        while let Some(message) = self.messages.front_mut().filter(|_| gone > 0) {
            let weight = message.weight();
            if weight <= gone {
                gone -= weight;
                self.remove(0);
            } else {
                let payload =
                    message.frame.split_off(message.frame.len() - (weight - gone) as usize);
                self.len -= gone as usize;
                message.frame = encode(Kind::Input, &payload);
                gone = 0;
            }
        }
    }

    /// How much of what is kept was sent, as it is counted.
    fn weight_sent(&self) -> u64 {
        self.messages.iter().take(self.sent).map(Message::weight).sum()
    }

    fn remove(&mut self, index: usize) {
        if let Some(message) = self.messages.remove(index) {
            self.len -= message.frame.len();
        }
    }
}

fn contradiction() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the supervisor has taken what it was not sent")
}

#[cfg(test)]
mod tests;
