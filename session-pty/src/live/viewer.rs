//! One viewer's side of the connection: it may be behind by so much, and beyond that there is an explicit gap.

use std::cmp::Reverse;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{Exit, TerminalSize};

use super::journal::Journal;
use super::queue::{CHUNK, Progress, Queue};
use super::tally::Tally;
use crate::screen::Frame as Picture;
use crate::wire::{
    Decoder, ExitMessage, Feed, Frame, Kind, MAX_TYPED, Typist, ViewerSpec, encode, header,
};

/// A viewer. Its socket never blocks, and it is never behind by more than its limit.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) stream: UnixStream,
    pub(super) spec: ViewerSpec,
    /// The smaller, the earlier it came.
    pub(super) came: u64,
    /// The larger, the later it typed; 0 when it never has.
    pub(super) typed: u64,
    /// How much it has typed, if it wants to know how much was taken.
    pub(super) tally: Option<Tally>,
    /// What it was painted last, while it is shown a screen of another size instead of raw bytes.
    pub(super) painted: Option<Painted>,
    decoder: Decoder,
    queue: Queue,
    /// Bytes of output that it may be behind.
    limit: u64,
    /// By how much it may be behind further, since everything that was kept was queued at once.
    allowance: u64,
    /// Output bytes that were left out since the last gap was told.
    missed: Option<u64>,
    /// It was sent away and has yet to hear of it; not for longer than until then.
    leaves_by: Option<Instant>,
    gone: bool,
}

/// For so long a viewer that was sent away may leave unread that it was.
const PARTING: Duration = Duration::from_secs(5);

/// Whoever types wants to see what comes of it: not after more than this.
const TYPING_LAG: u64 = 256 << 10;

/// The picture that a viewer of another size has.
#[derive(Debug)]
pub(super) struct Painted {
    pub(super) picture: Picture,
    /// The screen has changed since.
    pub(super) stale: bool,
}

impl Viewer {
    pub(super) fn new(
        stream: UnixStream,
        spec: ViewerSpec,
        unread: &[u8],
        limit: u64,
        journal: Option<&Arc<Journal>>,
    ) -> Self {
        let mut decoder = Decoder::of_at_most(MAX_TYPED);
        decoder.push(unread);
        Self {
            stream,
            spec,
            came: 0,
            typed: 0,
            tally: None,
            painted: None,
            decoder,
            queue: Queue::new(journal.map(Arc::clone)),
            limit,
            allowance: 0,
            missed: None,
            leaves_by: None,
            gone: false,
        }
    }

    /// Whether it may decide the size: somebody types at a terminal and sees the program's bytes there.
    pub(super) fn can_lead(&self) -> bool {
        !self.gone && self.could_lead()
    }

    /// Whether it may decide the size, or might have before it left.
    pub(super) fn could_lead(&self) -> bool {
        self.leaves_by.is_none()
            && !self.spec.read_only
            && self.spec.terminal
            && self.spec.size.is_some()
            && self.spec.feed == Feed::Screen
    }

    /// Who has the higher rank leads: who typed last, and before anybody typed who came first.
    pub(super) const fn rank(&self) -> (u64, Reverse<u64>) {
        (self.typed, Reverse(self.came))
    }

    /// Whether it leads rather than the other.
    pub(super) fn goes_before(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    pub(super) fn types_as(&self, typist: Typist) -> bool {
        self.tally.as_ref().is_some_and(|tally| tally.typist() == typist)
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
        self.gets_output() && !self.spec.uncounted && self.leaves_by.is_none()
    }

    /// Whether it is neither gone nor sent away.
    pub(super) const fn is_present(&self) -> bool {
        !self.gone && self.leaves_by.is_none()
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

    /// The first byte of the stream that it is still to get from the journal.
    pub(super) fn wanted(&self) -> Option<u64> {
        self.queue.wanted()
    }

    /// Raw bytes from the program, which the journal has: sent at once as far as the socket takes them, else when it
    /// takes more, or left out where the viewer is too far behind.
    pub(super) fn output(&mut self, batch: Range<u64>, bytes: &[u8]) {
        if !self.is_present() || !self.gets_output() || self.painted.is_some() {
            return;
        }
        if let Some(missed) = &mut self.missed {
            *missed += bytes.len() as u64;
            return;
        }
        if self.queue.is_empty() {
            self.output_at_once(batch, bytes);
            return;
        }
        self.queue.push_stream(batch);
        if self.queue.output() > self.limit.saturating_add(self.allowance) {
            self.fall_behind();
        }
    }

    /// It has typed: what it has not seen yet must not stand between that and what comes of it.
    pub(super) fn hurry(&mut self) {
        if self.spec.feed == Feed::Screen && self.queue.output() > TYPING_LAG {
            self.fall_behind();
        }
    }

    /// Gives up the output that waits: a gap is to be told instead.
    fn fall_behind(&mut self) {
        self.missed = Some(self.queue.drop_kinds(&[Kind::Output]));
        self.allowance = 0;
    }

    /// Raw bytes past the queue, which is empty, and before them what is to be told anyway.
    fn output_at_once(&mut self, batch: Range<u64>, bytes: &[u8]) {
        let taken = self.tally.as_mut().and_then(Tally::tell).map(|taken| taken.to_le_bytes());
        let taken = taken.map_or_else(Vec::new, |taken| encode(Kind::Typed, &taken));
        let head = [&taken[..], &header(Kind::Output, bytes.len())].concat();
        match self.stream.write_vectored(&[IoSlice::new(&head), IoSlice::new(bytes)]) {
            Ok(sent) if sent == head.len() + bytes.len() => {}
            Ok(sent @ 1..) if sent < taken.len() => {
                self.queue.push_begun(taken, sent);
                self.queue.push_stream(batch);
            }
            Ok(sent @ 1..) => {
                // The frame has begun, so it has to be ended.
                self.queue.push_begun(encode(Kind::Output, bytes), sent - taken.len());
            }
            Err(error) if !is_passing(&error) => self.gone = true,
            Ok(_) | Err(_) => {
                self.queue.push(taken);
                self.queue.push_stream(batch);
            }
        }
    }

    /// Tells how much of what it typed was taken, if it is time for that.
    pub(super) fn tell_taken(&mut self) {
        if self.leaves_by.is_some() {
            return;
        }
        if let Some(taken) = self.tally.as_mut().filter(|it| it.is_due()).and_then(Tally::tell) {
            self.say_taken(taken);
        }
    }

    /// Tells how much of what its typist has typed so far was taken.
    pub(super) fn say_taken(&mut self, taken: u64) {
        self.queue.drop_kinds(&[Kind::Typed]);
        self.frame(Kind::Typed, &taken.to_le_bytes());
    }

    /// Tells the gap, with the screen that it led to.
    pub(super) fn tell_gap(&mut self, screen: &[u8]) {
        let missed = self.missed.take().unwrap_or(0);
        self.paint(Kind::Gap, &missed.to_le_bytes(), screen);
    }

    /// Paints the screen anew, which makes every picture and all output that still wait pointless.
    pub(super) fn screen(&mut self, screen: &[u8]) {
        let dropped = self.queue.drop_kinds(&[Kind::Output, Kind::Screen, Kind::Gap]);
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
        self.queue.push(encode(kind, &[head, first].concat()));
        for chunk in rest.chunks(CHUNK) {
            self.queue.push(encode(Kind::Output, chunk));
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
            self.queue.push(encode(Kind::Output, chunk));
        }
        self.allowance = self.queue.output();
        self.send();
    }

    pub(super) fn resized(&mut self, size: TerminalSize) {
        // Only the last size matters to whoever has not yet heard of the one before.
        self.queue.drop_kinds(&[Kind::Resized]);
        self.frame(Kind::Resized, &serde_json::to_vec(&size).unwrap_or_default());
    }

    pub(super) fn exited(&mut self, exit: Exit) {
        self.frame(Kind::Exited, &serde_json::to_vec(&ExitMessage::new(exit)).unwrap_or_default());
    }

    /// Sends it away: that is the next thing that it hears, and the last.
    pub(super) fn send_away(&mut self) {
        self.queue.drop_kinds(&[Kind::Output, Kind::Screen, Kind::Gap]);
        (self.missed, self.painted) = (None, None);
        self.leaves_by = Some(Instant::now() + PARTING);
        self.frame(Kind::Detached, b"");
        self.part();
    }

    /// Lets go of one that was sent away and knows it, or will not hear of it.
    fn part(&mut self) {
        self.gone |= self.leaves_by.is_some_and(|by| self.queue.is_empty() || Instant::now() >= by);
    }

    /// How long one that was sent away may still take.
    pub(super) fn leaves_in(&self) -> Option<Duration> {
        self.leaves_by.map(|by| by.saturating_duration_since(Instant::now()))
    }

    /// Queues a short frame and sends what can be sent.
    fn frame(&mut self, kind: Kind, payload: &[u8]) {
        self.queue.push(encode(kind, payload));
        self.send();
    }

    /// Sends as much of what waits as the socket takes.
    pub(super) fn send(&mut self) {
        let mut progress = self.queue.send(&self.stream);
        if progress == Progress::Overtaken {
            self.fall_behind();
            progress = self.queue.send(&self.stream);
        }
        self.gone |= progress == Progress::Broken;
        self.part();
        self.allowance = self.allowance.min(self.queue.output());
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
