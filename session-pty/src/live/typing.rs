//! Bytes on their way to the program, and the end of them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

/// Typed bytes that may wait for the program. Beyond it viewers are not read: a paste waits, nothing is lost.
const LIMIT: usize = 256 << 10;

/// Bytes of calls that may wait; a call that brings more is refused.
const CALL_LIMIT: usize = 16 << 20;

/// Answers to queries that may wait. A terminal whose input is full drops its answers too.
const ANSWER_LIMIT: usize = 64 << 10;

/// After the end of input, output must have been quiet for so long before the end-of-file character is typed:
/// a shell that has just been fed still switches its terminal between modes.
pub(super) const QUIET: Duration = Duration::from_millis(150);

/// What was typed and not yet taken by the terminal.
#[derive(Debug, Default)]
pub(super) struct Typing {
    queue: VecDeque<Piece>,
    sent: usize,
    waiting: usize,
    /// The last byte that the terminal took.
    last: Option<u8>,
    /// The end-of-file character is to be typed once the program has read everything; looked at after this long,
    /// since a program that reads tells nobody.
    end: Option<Duration>,
}

/// Bytes of one origin.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    call: Option<Call>,
}

/// Whoever waits until bytes are typed.
#[derive(Debug)]
pub(super) struct Call {
    /// Told when the terminal has taken the bytes; dropped when that will not happen.
    pub(super) done: Sender<()>,
    /// The caller waits no more: what is not begun must not be typed behind its back.
    pub(super) given_up: Arc<AtomicBool>,
}

impl Typing {
    /// Queues what a viewer typed.
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        self.enqueue(bytes, None);
    }

    /// Queues what a call brings; one that brings too much is refused by dropping it.
    pub(super) fn push_call(&mut self, bytes: Vec<u8>, call: Call) {
        self.forget_given_up();
        if bytes.is_empty() {
            // The caller may have given up.
            let _nobody_waits = call.done.send(());
        } else if self.waiting + bytes.len() <= CALL_LIMIT {
            self.enqueue(bytes, Some(call));
        }
    }

    /// Queues answers of the emulator, unless the program does not read.
    pub(super) fn push_answers(&mut self, bytes: Vec<u8>) {
        if self.waiting < ANSWER_LIMIT {
            self.enqueue(bytes, None);
        }
    }

    fn enqueue(&mut self, bytes: Vec<u8>, call: Option<Call>) {
        if !bytes.is_empty() {
            self.waiting += bytes.len();
            self.queue.push_back(Piece { bytes, call });
        }
    }

    /// What to poll the terminal for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.queue.is_empty() { PollFlags::empty() } else { PollFlags::OUT }
    }

    /// Whether more may be typed.
    pub(super) const fn has_room(&self) -> bool {
        self.waiting < LIMIT
    }

    /// Types as much as the terminal takes.
    pub(super) fn send(&mut self, master: &OwnedFd) {
        self.forget_given_up();
        while let Some(piece) = self.queue.front() {
            let Ok(len) = rustix::io::write(master, &piece.bytes[self.sent..]) else { return };
            if len > 0 {
                self.last = Some(piece.bytes[self.sent + len - 1]);
            }
            self.sent += len;
            self.waiting -= len;
            if self.sent == piece.bytes.len() {
                self.sent = 0;
                if let Some(Piece { call: Some(call), .. }) = self.queue.pop_front() {
                    let _nobody_waits = call.done.send(());
                }
            }
        }
    }

    /// Drops the pieces of callers who wait no more. One that is begun is finished: half a sequence is worse.
    fn forget_given_up(&mut self) {
        let begun = usize::from(self.sent > 0);
        let given_up = |piece: &Piece| {
            piece.call.as_ref().is_some_and(|call| call.given_up.load(Ordering::Acquire))
        };
        let mut index = 0;
        let mut dropped = 0;
        self.queue.retain(|piece| {
            let keep = index < begun || !given_up(piece);
            index += 1;
            dropped += if keep { 0 } else { piece.bytes.len() };
            keep
        });
        self.waiting -= dropped;
    }

    /// Asks for the end-of-file character behind everything that is queued.
    pub(super) const fn end_when_read(&mut self) {
        self.end = Some(Duration::from_millis(75));
    }

    /// After how long [`Self::end`] wants to look again.
    pub(super) const fn look_again_after(&self) -> Option<Duration> {
        self.end
    }

    /// Types the end-of-file character, if that was asked for and the program has read all that was typed, is the
    /// one in the foreground, and is at rest.
    ///
    /// Behind a line that has no end yet, the character only hands that line over; it is then typed once more.
    pub(super) fn end(&mut self, master: &OwnedFd, slave: &OwnedFd, program: u32, at_rest: bool) {
        let Some(patience) = self.end else { return };
        let read_all = self.queue.is_empty()
            && rustix::io::ioctl_fionread(slave).is_ok_and(|unread| unread == 0);
        let foreground = rustix::termios::tcgetpgrp(master);
        let leads = foreground
            .is_ok_and(|group| u32::try_from(group.as_raw_nonzero().get()) == Ok(program));
        if !(read_all && at_rest && leads) {
            self.end = Some((patience * 2).min(Duration::from_secs(1)));
            return;
        }
        let (end_of_file, in_line) = self.end_of_file(slave);
        self.end = in_line.then_some(QUIET);
        self.push(vec![end_of_file]);
        self.send(master);
    }

    /// The character that means the end of a file on this terminal, and whether it stands inside a line.
    fn end_of_file(&self, terminal: &OwnedFd) -> (u8, bool) {
        let Ok(modes) = tcgetattr(terminal) else { return (0x04, false) };
        let code = |index| modes.special_codes[index];
        let end_of_file = code(SpecialCodeIndex::VEOF);
        let ends_line =
            [b'\n', end_of_file, code(SpecialCodeIndex::VEOL), code(SpecialCodeIndex::VEOL2)];
        let in_line = modes.local_modes.contains(LocalModes::ICANON)
            && self.last.is_some_and(|last| !ends_line.contains(&last));
        (end_of_file, in_line)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, TryRecvError, channel};

    use super::*;

    fn call(typing: &mut Typing, bytes: usize) -> (Receiver<()>, Arc<AtomicBool>) {
        let (done, taken) = channel();
        let given_up = Arc::new(AtomicBool::new(false));
        typing.push_call(vec![b'x'; bytes], Call { done, given_up: Arc::clone(&given_up) });
        (taken, given_up)
    }

    #[test]
    fn what_nobody_waits_for_is_not_typed() {
        let mut typing = Typing::default();
        let (_first, _) = call(&mut typing, 10);
        let (_second, given_up) = call(&mut typing, 20);
        given_up.store(true, Ordering::Release);
        let (_third, _) = call(&mut typing, 30);
        assert_eq!((typing.queue.len(), typing.waiting), (2, 40));
    }

    #[test]
    fn a_call_that_brings_too_much_is_refused() {
        let mut typing = Typing::default();
        let (first, _) = call(&mut typing, CALL_LIMIT);
        let (second, _) = call(&mut typing, 1);
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(second.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn answers_do_not_pile_up() {
        let mut typing = Typing::default();
        for _ in 0..100 {
            typing.push_answers(vec![b'x'; 4096]);
        }
        assert_eq!(typing.waiting, ANSWER_LIMIT);
    }
}
