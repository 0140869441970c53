//! One viewer's side of the connection: a bounded queue that overflows into an explicit gap.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use session_core::{Exit, TerminalSize};

use super::input::Sorter;
use crate::screen::Frame as Picture;
use crate::wire::{Decoder, ExitMessage, Feed, Frame, Kind, ViewerSpec, encode, header};

/// A viewer. Its socket never blocks, and what waits for it never grows beyond its bound.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) stream: UnixStream,
    pub(super) spec: ViewerSpec,
    /// The larger, the later it typed; 0 when it never has.
    pub(super) typed: u64,
    pub(super) sorter: Sorter,
    /// What it was painted last, while it is shown a screen of another size instead of raw bytes.
    pub(super) painted: Option<Painted>,
    decoder: Decoder,
    queue: VecDeque<Vec<u8>>,
    /// How much of the first queued frame is sent.
    sent: usize,
    queued: usize,
    limit: usize,
    /// By how much the queue may exceed its limit, since everything that was kept was queued at once.
    allowance: usize,
    /// Output bytes that were left out since the last gap was told.
    missed: Option<u64>,
    gone: bool,
}

/// The picture that a viewer of another size has.
#[derive(Debug)]
pub(super) struct Painted {
    pub(super) picture: Picture,
    /// The screen has changed since.
    pub(super) stale: bool,
}

/// Output is cut into frames of this length, so that a viewer never waits for the end of a large one.
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
            allowance: 0,
            missed: None,
            gone: false,
        }
    }

    /// Whether it may decide the size: somebody types at a terminal and sees the program's bytes there.
    pub(super) fn can_lead(&self) -> bool {
        !self.spec.read_only
            && self.spec.terminal
            && self.spec.size.is_some()
            && self.spec.feed == Feed::Screen
    }

    /// Whether it must be shown frames of another size instead of raw bytes.
    pub(super) fn needs_frames(&self, size: TerminalSize) -> bool {
        self.spec.feed == Feed::Screen && self.spec.size.is_some_and(|own| own != size)
    }

    /// Whether every byte of the program reaches its terminal, queries included.
    pub(super) const fn hears(&self) -> bool {
        self.painted.is_none() && self.missed.is_none()
    }

    /// Whether it sees what the program does, rather than only being told that it ended.
    pub(super) fn watches(&self) -> bool {
        self.gets_output() && !self.spec.uncounted
    }

    fn gets_output(&self) -> bool {
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

    /// Raw bytes from the program: sent at once as far as the socket takes them, else queued, else left out.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        if self.gone || !self.gets_output() || self.painted.is_some() {
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
                    self.enqueue(encode(Kind::Output, bytes));
                    self.sent = sent;
                }
                Err(error) if is_passing(&error) => self.enqueue(encode(Kind::Output, bytes)),
                Err(_) => self.gone = true,
            }
            return;
        }
        if self.queued + bytes.len() > self.limit + self.allowance {
            let dropped = self.drop_queued(|kind| kind == Kind::Output as u8);
            self.missed = Some(dropped + bytes.len() as u64);
        } else {
            self.enqueue(encode(Kind::Output, bytes));
        }
    }

    /// Drops queued frames of these kinds, but not one that is half sent. Returns how much output was among them.
    fn drop_queued(&mut self, drops: impl Fn(u8) -> bool) -> u64 {
        let mut output = 0;
        let half_sent = self.sent > 0;
        let mut kept = VecDeque::new();
        for (index, frame) in self.queue.drain(..).enumerate() {
            if !drops(frame[0]) || (index == 0 && half_sent) {
                kept.push_back(frame);
            } else if frame[0] == Kind::Output as u8 {
                output += (frame.len() - header(Kind::Output, 0).len()) as u64;
            }
        }
        self.queued = kept.iter().map(Vec::len).sum();
        self.allowance = self.allowance.min(self.queued);
        self.queue = kept;
        output
    }

    /// Tells the gap, with the screen that it led to.
    pub(super) fn tell_gap(&mut self, screen: &[u8]) {
        let missed = self.missed.take().unwrap_or(0);
        self.paint(Kind::Gap, &missed.to_le_bytes(), screen);
    }

    /// Paints the screen anew, which makes every picture and all output that still wait pointless.
    pub(super) fn screen(&mut self, screen: &[u8]) {
        let pointless = [Kind::Output, Kind::Screen, Kind::Gap].map(|kind| kind as u8);
        let dropped = self.drop_queued(|kind| pointless.contains(&kind));
        match self.missed.take().unwrap_or(0) + dropped {
            0 => self.paint(Kind::Screen, &[], screen),
            missed => self.paint(Kind::Gap, &missed.to_le_bytes(), screen),
        }
    }

    /// Changes a picture that was painted before.
    pub(super) fn repaint(&mut self, bytes: &[u8]) {
        self.paint(Kind::Output, &[], bytes);
    }

    /// A picture in one frame, or in several when it is large: to a terminal they are the same.
    fn paint(&mut self, kind: Kind, head: &[u8], bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(CHUNK));
        self.enqueue(encode(kind, &[head, first].concat()));
        for chunk in rest.chunks(CHUNK) {
            self.enqueue(encode(Kind::Output, chunk));
        }
        self.send();
    }

    /// Everything that was said so far, as the first thing that a viewer gets. It may exceed the bound once.
    pub(super) fn replay(&mut self, (position, bytes): &(u64, Vec<u8>)) {
        let asked = self.spec.from.unwrap_or(*position).min(*position);
        self.frame(Kind::Position, &asked.to_le_bytes());
        if asked < *position {
            self.frame(Kind::Gap, &(position - asked).to_le_bytes());
        }
        for chunk in bytes.chunks(CHUNK) {
            self.enqueue(encode(Kind::Output, chunk));
        }
        self.allowance = self.queued;
        self.send();
    }

    pub(super) fn resized(&mut self, size: TerminalSize) {
        // Only the last size matters to whoever has not yet heard of the one before.
        self.drop_queued(|kind| kind == Kind::Resized as u8);
        self.frame(Kind::Resized, &serde_json::to_vec(&size).unwrap_or_default());
    }

    pub(super) fn exited(&mut self, exit: Exit) {
        self.frame(Kind::Exited, &serde_json::to_vec(&ExitMessage::new(exit)).unwrap_or_default());
    }

    pub(super) fn detached(&mut self) {
        self.frame(Kind::Detached, b"");
    }

    /// Queues a short frame and sends what can be sent.
    fn frame(&mut self, kind: Kind, payload: &[u8]) {
        self.enqueue(encode(kind, payload));
        self.send();
    }

    fn enqueue(&mut self, frame: Vec<u8>) {
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
                        self.allowance = self.allowance.min(self.queued);
                        self.sent = 0;
                        self.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_passing(&error) => return,
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
            Err(error) if is_passing(&error) => {}
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

/// Whether the same call may succeed later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
