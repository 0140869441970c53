//! What waits for one viewer: frames of its own, and stretches of the stream, which the journal has anyway.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use super::journal::Journal;
use crate::wire::{Kind, encode, header};

/// The stream is cut into frames of this length, so that a viewer never waits for the end of a large one.
pub(super) const CHUNK: usize = 64 << 10;

/// What waits for one viewer. Output that it is behind with costs no memory but that of one frame.
#[derive(Debug)]
pub(super) struct Queue {
    /// None where everything is in frames.
    journal: Option<Arc<Journal>>,
    pieces: VecDeque<Piece>,
    /// How much of the first frame is sent.
    sent: usize,
    /// Bytes of output in it.
    output: u64,
}

#[derive(Debug)]
enum Piece {
    Frame(Vec<u8>),
    Stream(Range<u64>),
}

/// How far sending has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing waits.
    Done,
    /// The viewer takes no more for now.
    Blocked,
    /// The viewer is so far behind that what comes next is not in the journal any more.
    Overtaken,
    /// The connection is broken.
    Broken,
}

impl Queue {
    pub(super) const fn new(journal: Option<Arc<Journal>>) -> Self {
        Self { journal, pieces: VecDeque::new(), sent: 0, output: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of output that wait.
    pub(super) const fn output(&self) -> u64 {
        self.output
    }

    /// The first byte of the stream that is still to be read from the journal.
    pub(super) fn wanted(&self) -> Option<u64> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Stream(stretch) => Some(stretch.start),
            Piece::Frame(_) => None,
        })
    }

    /// Adds a frame; an empty one is none.
    pub(super) fn push(&mut self, frame: Vec<u8>) {
        if !frame.is_empty() {
            self.output += output_of(&frame);
            self.pieces.push_back(Piece::Frame(frame));
        }
    }

    /// Adds a frame to an empty queue of which so much is sent.
    pub(super) fn push_begun(&mut self, frame: Vec<u8>, sent: usize) {
        self.push(frame);
        self.sent = sent;
    }

    /// Adds output that is in the journal.
    pub(super) fn push_stream(&mut self, stretch: Range<u64>) {
        self.output += stretch.end - stretch.start;
        match self.pieces.back_mut() {
            Some(Piece::Stream(last)) if last.end == stretch.start => last.end = stretch.end,
            _ => self.pieces.push_back(Piece::Stream(stretch)),
        }
    }

    /// Drops frames of these kinds, but not one that is half sent. Returns how much output was among them.
    pub(super) fn drop_kinds(&mut self, kinds: &[Kind]) -> u64 {
        let before = self.output;
        let drops = |kind: u8| kinds.iter().any(|dropped| *dropped as u8 == kind);
        let mut is_half_sent = self.sent > 0;
        self.pieces.retain(|piece| {
            let stays = std::mem::take(&mut is_half_sent);
            stays
                || match piece {
                    Piece::Frame(frame) => !drops(frame[0]),
                    Piece::Stream(_) => !drops(Kind::Output as u8),
                }
        });
        self.output = self.pieces.iter().map(Piece::output).sum();
        before - self.output
    }

    /// Sends as much as the connection takes.
    pub(super) fn send(&mut self, mut connection: impl Write) -> Progress {
        loop {
            let frame = match self.pieces.front_mut() {
                None => return Progress::Done,
                Some(Piece::Frame(frame)) => frame,
                Some(Piece::Stream(stretch)) => {
                    let chunk = stretch.start..stretch.end.min(stretch.start + CHUNK as u64);
                    let bytes = self.journal.as_ref().and_then(|it| it.stretch(chunk.clone()));
                    let Some(bytes) = bytes else { return Progress::Overtaken };
                    stretch.start = chunk.end;
                    if stretch.is_empty() {
                        self.pieces.pop_front();
                    }
                    self.pieces.push_front(Piece::Frame(encode(Kind::Output, &bytes)));
                    continue;
                }
            };
            match connection.write(&frame[self.sent..]) {
                Ok(0) => return Progress::Broken,
                Ok(sent) => {
                    self.sent += sent;
                    if self.sent == frame.len() {
                        self.output -= output_of(frame);
                        self.sent = 0;
                        self.pieces.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Progress::Blocked;
                }
                Err(_) => return Progress::Broken,
            }
        }
    }
}

impl Piece {
    fn output(&self) -> u64 {
        match self {
            Self::Frame(frame) => output_of(frame),
            Self::Stream(stretch) => stretch.end - stretch.start,
        }
    }
}

/// Bytes of output in a frame.
fn output_of(frame: &[u8]) -> u64 {
    let is_output = frame[0] == Kind::Output as u8;
    if is_output { (frame.len() - header(Kind::Output, 0).len()) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::{lines, mark, small, write};
    use super::*;
    use crate::wire::Decoder;

    /// A connection that takes so many bytes and then blocks.
    #[derive(Default)]
    struct Connection {
        takes: usize,
        taken: Vec<u8>,
    }

    impl Write for &mut Connection {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.takes);
            if length == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.takes -= length;
            self.taken.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(connection: &Connection) -> Vec<u8> {
        let mut decoder = Decoder::default();
        decoder.push(&connection.taken);
        let frames = std::iter::from_fn(|| decoder.next().unwrap());
        frames.filter(|frame| frame.kind == Kind::Output).flat_map(|frame| frame.payload).collect()
    }

    #[test]
    fn the_stream_comes_from_the_journal_in_order_with_what_is_between() {
        let (journal, mut writer) = small(1 << 20);
        let all = lines(0, 50_000);
        let mut queue = Queue::new(Some(Arc::clone(&journal)));
        let (first, second) = all.split_at(all.len() / 2);
        write(&mut writer, first);
        queue.push_stream(0..first.len() as u64 / 2);
        queue.push_stream(first.len() as u64 / 2..first.len() as u64);
        queue.push(encode(Kind::Resized, b"{}"));
        write(&mut writer, second);
        queue.push_stream(first.len() as u64..all.len() as u64);
        assert_eq!((queue.output(), queue.wanted()), (all.len() as u64, Some(0)));
        let mut connection = Connection::default();
        let mut sends = 0;
        while !queue.is_empty() {
            // Of every length, so that frames are cut everywhere.
            connection.takes = 1 + sends * 7919 % 100_000;
            assert!(matches!(queue.send(&mut connection), Progress::Blocked | Progress::Done));
            sends += 1;
        }
        assert!(output(&connection) == all);
        assert_eq!((queue.output(), queue.wanted()), (0, None));
    }

    #[test]
    fn whoever_is_overtaken_by_the_ring_is_told() {
        let (journal, mut writer) = small(1000);
        let mut queue = Queue::new(Some(Arc::clone(&journal)));
        let mut connection = Connection::default();
        write(&mut writer, b"one\ntwo\n");
        queue.push_stream(0..8);
        while journal.stretch(0..8).is_some() {
            if !writer.has_room() {
                mark(&journal, b"screen");
            }
            write(&mut writer, &[b'x'; 10_000]);
        }
        connection.takes = 1000;
        assert_eq!(queue.send(&mut connection), Progress::Overtaken);
        assert_eq!(queue.drop_kinds(&[Kind::Output]), 8);
        assert_eq!((queue.send(&mut connection), connection.taken.len()), (Progress::Done, 0));
    }

    #[test]
    fn a_frame_that_is_half_sent_stays() {
        let (journal, mut writer) = small(1000);
        write(&mut writer, b"stream");
        let mut queue = Queue::new(Some(journal));
        queue.push(encode(Kind::Output, b"begun"));
        queue.push(encode(Kind::Output, b"frame"));
        queue.push_stream(0..6);
        queue.push(encode(Kind::Detached, b""));
        let mut connection = Connection { takes: 3, ..Connection::default() };
        assert_eq!(queue.send(&mut connection), Progress::Blocked);
        assert_eq!(queue.drop_kinds(&[Kind::Output]), 11);
        assert_eq!(queue.output(), 5);
        connection.takes = 1000;
        assert_eq!(queue.send(&mut connection), Progress::Done);
        let expected = [encode(Kind::Output, b"begun"), encode(Kind::Detached, b"")].concat();
        assert_eq!(connection.taken, expected);
    }
}
