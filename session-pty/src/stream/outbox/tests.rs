//! What is kept, what is sent again, and what is not.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;

use super::*;
use crate::wire::{Decoder, Frame};

/// The other side of a connection, which has acted upon whole frames only.
struct Supervisor {
    stream: UnixStream,
    decoder: Decoder,
}

impl Supervisor {
    fn connected() -> (UnixStream, Self) {
        let (stream, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        (stream, Self { stream: theirs, decoder: Decoder::default() })
    }

    fn frames(&mut self) -> Vec<Frame> {
        let mut buffer = [0; 64 << 10];
        while let Ok(len @ 1..) = self.stream.read(&mut buffer) {
            self.decoder.push(&buffer[..len]);
        }
        std::iter::from_fn(|| self.decoder.next().unwrap()).collect()
    }

    fn typed(&mut self) -> Vec<u8> {
        self.frames()
            .into_iter()
            .filter(|frame| frame.kind == Kind::Input)
            .flat_map(|frame| frame.payload)
            .collect()
    }
}

fn counting() -> Outbox {
    Outbox::default().counting(true)
}

fn says(taken: u64) -> [u8; 8] {
    taken.to_le_bytes()
}

#[test]
fn what_was_typed_is_kept_until_it_is_taken() {
    let (stream, mut supervisor) = Supervisor::connected();
    let mut outbox = counting();
    outbox.push_typed(b"abc");
    outbox.push(Kind::Resize, b"{}");
    outbox.push_typed(b"def");
    outbox.send(stream.as_fd()).unwrap();
    assert_eq!(supervisor.typed(), b"abcdef");
    assert!(!outbox.has_unsent() && !outbox.is_settled());
    assert_eq!(outbox.len(), 2 * (5 + 3), "a size is out of the way");
    outbox.note_taken(&says(5)).unwrap();
    assert_eq!(outbox.len(), 5 + 3);
    outbox.note_taken(&says(6)).unwrap();
    assert!(outbox.is_settled());
    assert_eq!(outbox.len(), 0);
}

#[test]
fn one_that_is_not_counted_is_kept_until_it_is_sent() {
    let (stream, mut supervisor) = Supervisor::connected();
    let mut outbox = Outbox::default();
    outbox.push_typed(b"abc");
    outbox.note_taken(&says(99)).unwrap();
    outbox.send(stream.as_fd()).unwrap();
    assert!(outbox.is_settled());
    assert_eq!(supervisor.typed(), b"abc");
}

#[test]
fn after_a_death_the_rest_is_sent_and_nothing_before_it_is_known() {
    let (stream, _first) = Supervisor::connected();
    let mut outbox = counting();
    outbox.push_typed(b"abcdef");
    outbox.push(Kind::Report, b"mouse");
    outbox.push(Kind::EndOfInput, b"");
    outbox.send(stream.as_fd()).unwrap();
    outbox.push(Kind::Report, b"focus");
    outbox.push_typed(b"ghi");
    outbox.rewind();

    let (stream, mut second) = Supervisor::connected();
    outbox.send(stream.as_fd()).unwrap();
    assert!(second.frames().is_empty() && !outbox.wants_to_send());
    outbox.note_taken(&says(4)).unwrap();
    outbox.send(stream.as_fd()).unwrap();
    let frames: Vec<_> =
        second.frames().into_iter().map(|frame| (frame.kind, frame.payload)).collect();
    let expected = [
        (Kind::Input, b"ef".to_vec()),
        (Kind::EndOfInput, Vec::new()),
        (Kind::Input, b"ghi".to_vec()),
    ];
    assert_eq!(frames, expected);
    outbox.note_taken(&says(7)).unwrap();
    assert!(!outbox.is_settled());
    outbox.note_taken(&says(10)).unwrap();
    assert!(outbox.is_settled());
}

#[test]
fn where_it_is_not_known_what_was_taken_nothing_is_sent_twice() {
    for unknown in [u64::MAX, 2, 1000] {
        let (stream, _first) = Supervisor::connected();
        let mut outbox = counting();
        outbox.push_typed(b"abcdef");
        outbox.send(stream.as_fd()).unwrap();
        outbox.push_typed(b"ghi");
        // Three were taken: fewer than that is a contradiction.
        outbox.note_taken(&says(6)).unwrap();
        outbox.push_typed(b"jkl");
        outbox.send(stream.as_fd()).unwrap();
        outbox.push_typed(b"mno");
        outbox.rewind();
        let (stream, mut second) = Supervisor::connected();
        outbox.note_taken(&says(unknown)).unwrap();
        outbox.send(stream.as_fd()).unwrap();
        assert_eq!(second.typed(), b"mno", "{unknown}");
        let base = if unknown == u64::MAX { 0 } else { unknown };
        outbox.note_taken(&says(base + 3)).unwrap();
        assert!(outbox.is_settled());
    }
}

#[test]
fn a_supervisor_that_contradicts_itself_is_not_believed() {
    let (stream, _supervisor) = Supervisor::connected();
    let mut outbox = counting();
    // Who types for the first time is not known.
    outbox.note_taken(&says(u64::MAX)).unwrap();
    outbox.push_typed(b"abc");
    outbox.note_taken(&says(1)).unwrap_err();
    outbox.send(stream.as_fd()).unwrap();
    outbox.note_taken(&says(4)).unwrap_err();
    outbox.note_taken(b"short").unwrap_err();
    outbox.note_taken(&says(3)).unwrap();
    outbox.note_taken(&says(u64::MAX)).unwrap_err();
    // Late and less is no news.
    outbox.note_taken(&says(2)).unwrap();
    assert!(outbox.is_settled());
}

#[test]
fn a_frame_that_was_taken_in_part_goes_whole_over_another_connection() {
    let (stream, first) = UnixStream::pair().unwrap();
    let mut outbox = counting();
    let text: Vec<u8> = (0..=250).cycle().take(2 << 20).collect();
    outbox.push_typed(&text);
    outbox.send(stream.as_fd()).unwrap();
    assert!(outbox.has_unsent() && outbox.begun > 0);
    drop(first);
    outbox.send(stream.as_fd()).unwrap_err();
    outbox.rewind();
    let (stream, mut second) = Supervisor::connected();
    outbox.note_taken(&says(0)).unwrap();
    let mut typed = Vec::new();
    while typed.len() < text.len() {
        outbox.send(stream.as_fd()).unwrap();
        typed.extend(second.typed());
    }
    assert!(typed == text);
}

proptest! {
    /// A terminal that takes some of what it is sent, over supervisors that die at any time.
    #[test]
    fn every_byte_arrives_once(
        text in prop::collection::vec(any::<u8>(), 1..3000),
        steps in prop::collection::vec((1..400_usize, 0..500_usize, any::<bool>(), any::<bool>()), 1..60),
    ) {
        let mut outbox = counting();
        let (mut stream, mut supervisor) = Supervisor::connected();
        let (mut rest, mut arrived, mut waiting) = (&text[..], Vec::new(), Vec::new());
        for (types, takes, tells, dies) in steps.into_iter().chain([(3000, 3000, true, false); 2]) {
            let (now, later) = rest.split_at(types.min(rest.len()));
            rest = later;
            outbox.push_typed(now);
            outbox.send(stream.as_fd()).unwrap();
            waiting.extend(supervisor.typed());
            arrived.extend(waiting.drain(..takes.min(waiting.len())));
            if tells {
                outbox.note_taken(&says(arrived.len() as u64)).unwrap();
            }
            if dies {
                waiting.clear();
                (stream, supervisor) = Supervisor::connected();
                outbox.rewind();
                outbox.note_taken(&says(arrived.len() as u64)).unwrap();
            }
        }
        prop_assert_eq!(arrived, text);
        prop_assert!(outbox.is_settled());
        prop_assert_eq!(outbox.len(), 0);
    }
}
