//! Bytes on their way to the program, and the end of them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::journal::{Account, Journal, Stage};
use crate::wire::{TypedCall, Typist};

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
#[derive(Debug)]
pub(super) struct Typing {
    journal: Arc<Journal>,
    stage: Stage,
    queue: VecDeque<Piece>,
    sent: usize,
    waiting: usize,
    /// The end-of-file character is to be typed once the program has read everything.
    end: Option<End>,
    /// How far the terminal has come with what typists typed, since somebody asked.
    progress: Vec<Share>,
}

/// Bytes of one origin.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    by: Option<Share>,
    call: Option<Call>,
}

/// Typed by somebody who wants to know how much of it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) typist: Typist,
    /// How much the typist has typed with it, or, in [`Typing::progress`], how much was taken.
    pub(super) until: u64,
}

/// The end of input.
#[derive(Debug)]
struct End {
    /// When it is looked at again, since a program that reads tells nobody.
    patience: Duration,
    by: Option<Share>,
}

/// Whoever waits until bytes are typed.
#[derive(Debug)]
pub(super) struct Call {
    /// Told when the terminal has taken the bytes; dropped when that will not happen.
    pub(super) done: Sender<()>,
    /// The caller waits no more: what is not begun must not be typed behind its back.
    pub(super) given_up: Arc<AtomicBool>,
    /// By which it is known when it is made again.
    pub(super) typed: Option<TypedCall>,
    /// The bytes are marked as a paste.
    pub(super) marked: bool,
}

impl Typing {
    /// For the terminal whose output this journal keeps.
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        Self {
            stage: Stage::new(Arc::clone(&journal)),
            journal,
            queue: VecDeque::new(),
            sent: 0,
            waiting: 0,
            end: None,
            progress: Vec::new(),
        }
    }

    /// Queues what a viewer typed.
    pub(super) fn push(&mut self, bytes: Vec<u8>, by: Option<Share>) {
        self.enqueue(Piece { bytes, by, call: None });
    }

    /// Queues what a call brings, without what the terminal has taken when the call was made before. One that brings
    /// too much is refused by dropping it.
    ///
    /// `is_viewer` tells which typists watch: what was taken of theirs is not forgotten for a call.
    pub(super) fn push_call(
        &mut self,
        mut bytes: Vec<u8>,
        call: Call,
        is_viewer: impl Fn(Typist) -> bool,
    ) {
        self.forget_given_up();
        if self.waiting + bytes.len() > CALL_LIMIT {
            return;
        }
        let by = call.typed.map(|typed| {
            let until = bytes.len() as u64;
            let taken = self.begin_call(typed, call.marked, &is_viewer).min(until);
            bytes.drain(..taken as usize);
            Share { typist: typed.typist, until }
        });
        if bytes.is_empty() {
            // The caller may have given up.
            let _nobody_waits = call.done.send(());
        } else {
            self.enqueue(Piece { bytes, by, call: Some(call) });
        }
    }

    /// How much of this call the terminal has taken, from now on in the journal.
    fn begin_call(
        &mut self,
        typed: TypedCall,
        marked: bool,
        is_viewer: impl Fn(Typist) -> bool,
    ) -> u64 {
        if typed.again {
            self.forget(typed.typist);
        }
        let before = self.journal.account(typed.typist);
        let turn = self.journal.last_turn() + 1;
        let taken = match before {
            Some(account) if typed.again && account.call == typed.number => account.taken,
            _ => 0,
        };
        let account = Account { taken, came: turn, typed: 0, call: typed.number, marked };
        let stays = |typist| is_viewer(typist) || self.has_piece_of(typist);
        self.journal.keep_account(typed.typist, &account, stays);
        taken
    }

    /// Queues answers of the emulator, unless the program does not read.
    pub(super) fn push_answers(&mut self, bytes: Vec<u8>) {
        if self.waiting < ANSWER_LIMIT {
            self.push(bytes, None);
        }
    }

    fn enqueue(&mut self, piece: Piece) {
        if !piece.bytes.is_empty() {
            self.waiting += piece.bytes.len();
            self.queue.push_back(piece);
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
            let rest = &piece.bytes[self.sent..];
            let written = match piece.by {
                None => rustix::io::write(master, rest).inspect(|&len| {
                    if let Some(&last) = len.checked_sub(1).and_then(|last| rest.get(last)) {
                        self.journal.note_last_typed(last);
                    }
                }),
                Some(by) => self.stage.write(master, by.typist, by.until - rest.len() as u64, rest),
            };
            let Ok(len) = written else { return };
            self.sent += len;
            self.waiting -= len;
            if let Some(Share { typist, until }) = piece.by {
                let until = until - (piece.bytes.len() - self.sent) as u64;
                note(&mut self.progress, Share { typist, until });
            }
            if self.sent == piece.bytes.len() {
                self.sent = 0;
                if let Some(Piece { call: Some(call), .. }) = self.queue.pop_front() {
                    let _nobody_waits = call.done.send(());
                }
            }
        }
    }

    /// How far the terminal has come with what typists typed, since this was asked last.
    pub(super) fn progress(&mut self) -> Vec<Share> {
        std::mem::take(&mut self.progress)
    }

    /// Drops what waits of a typist who will send it again.
    pub(super) fn forget(&mut self, typist: Typist) {
        let is_of = |by: Option<Share>| by.is_some_and(|by| by.typist == typist);
        if self.queue.front().is_some_and(|piece| is_of(piece.by)) {
            self.sent = 0;
        }
        self.queue.retain(|piece| !is_of(piece.by));
        let waiting: usize = self.queue.iter().map(|piece| piece.bytes.len()).sum();
        self.waiting = waiting - self.sent;
        if self.end.as_ref().is_some_and(|end| is_of(end.by)) {
            self.end = None;
        }
    }

    pub(super) fn has_piece_of(&self, typist: Typist) -> bool {
        self.queue.iter().any(|piece| piece.by.is_some_and(|by| by.typist == typist))
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
    pub(super) fn end_when_read(&mut self, by: Option<Share>) {
        let end = End { patience: Duration::from_millis(75), by };
        // It is typed once for all who ask.
        if let Some(End { by: Some(earlier), .. }) = self.end.replace(end) {
            self.end_is_typed(earlier);
        }
    }

    /// After how long [`Self::end`] wants to look again.
    pub(super) fn look_again_after(&self) -> Option<Duration> {
        self.end.as_ref().map(|end| end.patience)
    }

    /// Types the end-of-file character, if that was asked for and the program has read all that was typed, is the
    /// one in the foreground, and is at rest.
    ///
    /// Behind a line that has no end yet, the character only hands that line over; it is then typed once more.
    pub(super) fn end(&mut self, master: &OwnedFd, slave: &OwnedFd, program: u32, at_rest: bool) {
        let Some(End { patience, by }) = self.end.take() else { return };
        let read_all = self.queue.is_empty()
            && rustix::io::ioctl_fionread(slave).is_ok_and(|unread| unread == 0);
        let foreground = rustix::termios::tcgetpgrp(master);
        let leads = foreground
            .is_ok_and(|group| u32::try_from(group.as_raw_nonzero().get()) == Ok(program));
        if !(read_all && at_rest && leads) {
            let patience = (patience * 2).min(Duration::from_secs(1));
            self.end = Some(End { patience, by });
            return;
        }
        let (end_of_file, in_line) = self.end_of_file(slave);
        self.end = in_line.then_some(End { patience: QUIET, by });
        self.push(vec![end_of_file], by.filter(|_| !in_line));
        self.send(master);
    }

    fn end_is_typed(&mut self, by: Share) {
        self.journal.note_taken(by.typist, by.until);
        note(&mut self.progress, by);
    }

    /// The character that means the end of a file on this terminal, and whether it stands inside a line.
    fn end_of_file(&self, terminal: &OwnedFd) -> (u8, bool) {
        let Ok(modes) = tcgetattr(terminal) else { return (0x04, false) };
        let code = |index| modes.special_codes[index];
        let end_of_file = code(SpecialCodeIndex::VEOF);
        let ends_line =
            [b'\n', end_of_file, code(SpecialCodeIndex::VEOL), code(SpecialCodeIndex::VEOL2)];
        let in_line = modes.local_modes.contains(LocalModes::ICANON)
            && self.journal.last_typed().is_some_and(|last| !ends_line.contains(&last));
        (end_of_file, in_line)
    }
}

/// Remembers how far a typist has come; only the last of it matters.
fn note(progress: &mut Vec<Share>, share: Share) {
    match progress.iter_mut().find(|known| known.typist == share.typist) {
        Some(known) => *known = share,
        None => progress.push(share),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Receiver, TryRecvError, channel};

    use session_core::TerminalSize;

    use super::*;

    fn typing() -> Typing {
        let (journal, _) = Journal::create(1 << 20, TerminalSize::DEFAULT).unwrap();
        Typing::new(journal)
    }

    fn call(typing: &mut Typing, bytes: usize) -> (Receiver<()>, Arc<AtomicBool>) {
        let (done, taken) = channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let call = Call { done, given_up: Arc::clone(&given_up), typed: None, marked: false };
        typing.push_call(vec![b'x'; bytes], call, |_| false);
        (taken, given_up)
    }

    #[test]
    fn what_nobody_waits_for_is_not_typed() {
        let mut typing = typing();
        let (_first, _) = call(&mut typing, 10);
        let (_second, given_up) = call(&mut typing, 20);
        given_up.store(true, Ordering::Release);
        let (_third, _) = call(&mut typing, 30);
        assert_eq!((typing.queue.len(), typing.waiting), (2, 40));
    }

    #[test]
    fn a_call_that_brings_too_much_is_refused() {
        let mut typing = typing();
        let (first, _) = call(&mut typing, CALL_LIMIT);
        let (second, _) = call(&mut typing, 1);
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(second.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn answers_do_not_pile_up() {
        let mut typing = typing();
        for _ in 0..100 {
            typing.push_answers(vec![b'x'; 4096]);
        }
        assert_eq!(typing.waiting, ANSWER_LIMIT);
    }

    fn typist() -> Typist {
        Typist::from_word(7).unwrap()
    }

    fn share(until: u64) -> Option<Share> {
        Some(Share { typist: typist(), until })
    }

    /// Something that takes bytes like a terminal, and what it has taken.
    fn terminal() -> (OwnedFd, UnixStream) {
        let (terminal, other_end) = UnixStream::pair().unwrap();
        terminal.set_nonblocking(true).unwrap();
        other_end.set_nonblocking(true).unwrap();
        (terminal.into(), other_end)
    }

    fn taken(typing: &Typing) -> u64 {
        typing.journal.account(typist()).unwrap().taken
    }

    #[test]
    fn what_the_terminal_has_taken_is_told_and_known_to_the_next() {
        let (mut typing, (master, _other_end)) = (typing(), terminal());
        typing.journal.keep_account(typist(), &Account::default(), |_| false);
        typing.push(vec![b'x'; 10], share(10));
        typing.push_answers(b"answer".to_vec());
        typing.push(vec![b'y'; 10_000], share(10_010));
        typing.send(&master);
        assert_eq!(typing.progress(), [share(10_010).unwrap()]);
        assert_eq!(typing.progress(), []);
        assert_eq!((taken(&typing), typing.waiting), (10_010, 0));
        assert_eq!(typing.journal.last_typed(), Some(b'y'));
    }

    #[test]
    fn what_waits_is_forgotten_with_whoever_sends_it_again() {
        let (mut typing, (master, mut other_end)) = (typing(), terminal());
        typing.journal.keep_account(typist(), &Account::default(), |_| false);
        typing.push(vec![b'x'; 2 << 20], share(2 << 20));
        typing.send(&master);
        typing.push(b"somebody else".to_vec(), None);
        typing.end_when_read(share((2 << 20) + 1));
        let sent = taken(&typing);
        assert!(sent > 0 && sent < 2 << 20);
        typing.forget(typist());
        assert_eq!((typing.queue.len(), typing.waiting, typing.sent), (1, 13, 0));
        assert_eq!(typing.look_again_after(), None);
        let mut arrived = Vec::new();
        let _until_empty = other_end.read_to_end(&mut arrived);
        assert_eq!(arrived.len() as u64, sent, "no more and no less than was counted");
        typing.send(&master);
        let _until_empty = other_end.read_to_end(&mut arrived);
        assert!(arrived.ends_with(b"xxsomebody else"));
    }

    #[test]
    fn a_call_that_is_made_again_types_the_rest() {
        let (mut typing, (master, mut other_end)) = (typing(), terminal());
        let mut call = |typing: &mut Typing, number, again, text: &[u8]| {
            let (done, told) = channel();
            let typed = Some(TypedCall { typist: typist(), number, again });
            let call = Call { done, given_up: Arc::default(), typed, marked: false };
            typing.push_call(text.to_vec(), call, |_| false);
            typing.send(&master);
            let mut arrived = Vec::new();
            let _until_empty = other_end.read_to_end(&mut arrived);
            told.recv().unwrap();
            arrived
        };
        assert_eq!(call(&mut typing, 1, false, b"first"), b"first");
        // As if the supervisor had died after two bytes.
        typing.journal.note_taken(typist(), 2);
        assert_eq!(call(&mut typing, 1, true, b"first"), b"rst");
        assert_eq!(call(&mut typing, 1, true, b"first"), b"", "its answer alone was lost");
        // The next one was asked for and died before it was heard.
        assert_eq!(call(&mut typing, 2, true, b"second"), b"second");
        assert_eq!(call(&mut typing, 3, false, b"third"), b"third");
    }

    #[test]
    fn two_who_end_their_input_both_have_it_taken() {
        let mut typing = typing();
        typing.journal.keep_account(typist(), &Account::default(), |_| false);
        typing.end_when_read(share(1));
        assert_eq!(typing.progress(), []);
        typing.end_when_read(None);
        assert_eq!(typing.progress(), [share(1).unwrap()]);
        assert_eq!(taken(&typing), 1);
    }
}
