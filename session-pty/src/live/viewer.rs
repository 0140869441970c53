//! One viewer's side of the connection: a bounded queue that overflows into an explicit gap.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use session_core::{Exit, TerminalSize};

use super::input::Sorter;
use crate::screen::Frame as View;
use crate::wire::{Decoder, ExitMessage, Feed, Frame, Kind, ViewerSpec, encode, header};

/// A viewer. Its socket never blocks, and what waits for it never grows beyond its bound.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) stream: UnixStream,
    pub(super) spec: ViewerSpec,
    /// The larger, the later it typed; 0 when it never has.
    pub(super) typed: u64,
    pub(super) sorter: Sorter,
    /// What it was last painted, when it is shown a screen of another size; `None` while it gets raw bytes.
    pub(super) painted: Option<View>,
    decoder: Decoder,
    queue: VecDeque<Vec<u8>>,
    /// How much of the first queued frame is sent.
    sent: usize,
    queued: usize,
    limit: usize,
    /// Output bytes that were left out since the last gap was told.
    missed: Option<u64>,
    gone: bool,
}

/// Output frames are cut at this, so that a viewer never waits for the end of a large one.
const CHUNK: usize = 64 << 10;

impl Viewer {
    pub(super) fn new(stream: UnixStream, spec: ViewerSpec, unread: &[u8], limit: usize) -> Self {
        let mut decoder = Decoder::default();
        decoder.push(unread);
        Self {
            stream,
            spec,
            typed: 0,
            sorter: Sorter::default(),
            painted: None,
            decoder,
            queue: VecDeque::new(),
            sent: 0,
            queued: 0,
            limit,
            missed: None,
            gone: false,
        }
    }

    /// Whether it may type and decide the size.
    pub(super) const fn can_lead(&self) -> bool {
        !self.spec.read_only && self.spec.terminal && self.spec.size.is_some()
    }

    /// Whether it must be shown frames of another size instead of raw bytes.
    pub(super) fn needs_frames(&self, size: TerminalSize) -> bool {
        self.spec.feed == Feed::Screen && self.spec.size.is_some_and(|own| own != size)
    }

    /// Whether it sees what the program does, rather than only being told that it ended.
    pub(super) fn watches(&self) -> bool {
        self.spec.feed != Feed::Events
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether a gap is to be told.
    pub(super) const fn has_gap(&self) -> bool {
        self.missed.is_some()
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether it waits for a gap to be told, now that its queue is empty.
    pub(super) fn gap_is_due(&self) -> bool {
        self.has_gap() && self.queue.is_empty()
    }

    /// Raw bytes from the program: sent at once as far as the socket takes them, else queued, else left out.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        if self.gone || !self.watches() || self.painted.is_some() {
            return;
        }
        if let Some(missed) = &mut self.missed {
            *missed += bytes.len() as u64;
            return;
        }
        if self.queue.is_empty() {
            let head = header(Kind::Output, bytes.len());
            match self.stream.write_vectored(&[IoSlice::new(&head), IoSlice::new(bytes)]) {
                Ok(sent) if sent == head.len() + bytes.len() => return,
                Ok(sent) => {
                    self.queue(encode(Kind::Output, bytes));
                    self.sent = sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.queue(encode(Kind::Output, bytes));
                }
                Err(_) => self.gone = true,
            }
            return;
        }
        if self.queued + bytes.len() > self.limit {
            self.overflow(bytes.len() as u64);
        } else {
            self.queue(encode(Kind::Output, bytes));
        }
    }

    /// Drops all queued output but the frame that is half sent, and remembers how much was lost.
    fn overflow(&mut self, more: u64) {
        let mut missed = more;
        let keep_first = self.sent > 0;
        let mut kept = VecDeque::new();
        for (index, frame) in self.queue.drain(..).enumerate() {
            if frame[0] != Kind::Output as u8 || (index == 0 && keep_first) {
                kept.push_back(frame);
            } else {
                missed += (frame.len() - header(Kind::Output, 0).len()) as u64;
            }
        }
        self.queued = kept.iter().map(Vec::len).sum();
        self.queue = kept;
        self.missed = Some(missed);
    }

    /// Tells the gap, with the screen that it led to.
    pub(super) fn tell_gap(&mut self, screen: &[u8]) {
        if let Some(missed) = self.missed.take() {
            self.frame(Kind::Gap, &[&missed.to_le_bytes(), screen].concat());
        }
    }

    /// Everything that was said so far, as the first thing that a viewer gets. It may exceed the bound once.
    pub(super) fn replay(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK) {
            self.frame(Kind::Output, chunk);
        }
    }

    /// Makes what waits pointless and paints the screen anew.
    pub(super) fn screen(&mut self, screen: &[u8]) {
        self.missed = None;
        self.frame(Kind::Screen, screen);
    }

    pub(super) fn resized(&mut self, size: TerminalSize) {
        let size = serde_json::to_vec(&size).unwrap_or_default();
        self.frame(Kind::Resized, &size);
    }

    pub(super) fn exited(&mut self, exit: Exit) {
        let exit = serde_json::to_vec(&ExitMessage::new(exit)).unwrap_or_default();
        self.frame(Kind::Exited, &exit);
    }

    pub(super) fn detached(&mut self) {
        self.frame(Kind::Detached, b"");
    }

    /// Queues a frame and sends what can be sent.
    pub(super) fn frame(&mut self, kind: Kind, payload: &[u8]) {
        self.queue(encode(kind, payload));
        self.send();
    }

    fn queue(&mut self, frame: Vec<u8>) {
        self.queued += frame.len();
        self.queue.push_back(frame);
    }

    /// Sends as much of the queue as the socket takes.
    pub(super) fn send(&mut self) {
        while let Some(frame) = self.queue.front() {
            match self.stream.write(&frame[self.sent..]) {
                Ok(sent) => {
                    self.sent += sent;
                    if self.sent == frame.len() {
                        self.queued -= frame.len();
                        self.sent = 0;
                        self.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    /// Reads what the viewer sent, one read at a time so that none is preferred.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) {
        match self.stream.read(buffer) {
            Ok(0) => self.gone = true,
            Ok(len) => self.decoder.push(&buffer[..len]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.gone = true,
        }
    }

    /// The next frame that the viewer sent. A broken stream ends the viewer.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        match self.decoder.next() {
            Ok(frame) => frame,
            Err(_) => {
                self.gone = true;
                None
            }
        }
    }

    pub(super) fn leave(&mut self) {
        self.gone = true;
    }
}
