//! Follows a byte stream just closely enough to know where its sequences begin and end.

use super::sequence::{Sequence, Step};

/// Most bytes of an unfinished sequence that are kept.
pub(super) const KEPT: usize = 64 * 1024;

const ESC: u8 = 0x1b;

/// What a stream consists of, told in order while it is followed.
pub(super) trait Sink {
    /// Bytes outside any escape sequence, with control characters among them. A character of
    /// several bytes may be spread over calls.
    fn text(&mut self, _bytes: &[u8]) {}
    /// A control character that takes effect in the middle of an escape sequence.
    fn control(&mut self, _byte: u8) {}
    /// An escape sequence that is complete `end` bytes into the slice being followed. One longer
    /// than what is kept comes without its tail.
    fn sequence(&mut self, _bytes: &[u8], _end: usize) {}
}

struct Nothing;

impl Sink for Nothing {}

/// Knows whether a byte stream stands between sequences, and keeps the bytes of an unfinished
/// escape sequence or UTF-8 character.
///
/// Whoever starts watching in the middle is given a snapshot, then [`unfinished`](Self::unfinished),
/// then the rest of the stream, and so sees what was there all along. The transitions are those of
/// the DEC parser by Paul Williams, as vte has them.
///
/// At most 64 KiB are kept. Of a longer string only an introducer is handed on, one that makes a
/// terminal swallow the rest of that string instead of printing it; the string itself is lost.
#[derive(Debug, Default, Clone)]
pub struct Boundary {
    sequence: Sequence,
    kept: Vec<u8>,
    overlong: bool,
}

impl Boundary {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.follow(bytes, &mut Nothing);
    }

    /// The bytes of what has begun and is not complete; empty between sequences. Control
    /// characters that took effect inside the sequence are not among them.
    pub fn unfinished(&self) -> &[u8] {
        if self.overlong { self.sequence.swallowing() } else { &self.kept }
    }

    /// How many bytes of a character, outside any sequence, are unfinished.
    pub(super) fn partial_character(&self) -> usize {
        if self.sequence.is_ground() { self.kept.len() } else { 0 }
    }

    /// Whether the stream is inside a string that has outgrown what is kept.
    pub(super) fn overlong(&self) -> bool {
        self.overlong
    }

    /// Like [`feed`](Self::feed), telling the sink what the bytes were.
    pub(super) fn follow(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut at = 0;
        while at < bytes.len() {
            if self.sequence.is_ground() {
                at += self.follow_ground(&bytes[at..], at, sink);
                continue;
            }
            let byte = bytes[at];
            at += 1;
            match self.sequence.step(byte) {
                Step::Ignored => {}
                Step::Control => sink.control(byte),
                Step::Taken => self.keep(byte),
                Step::Aborted => {
                    self.drop_kept();
                    sink.control(byte);
                }
                Step::Finished => {
                    self.keep(byte);
                    sink.sequence(&self.kept, at);
                    self.drop_kept();
                }
                // ESC ends a string, which takes effect there, and begins the next sequence.
                Step::Restarted => {
                    sink.sequence(&self.kept, at - 1);
                    self.drop_kept();
                    self.keep(byte);
                }
            }
        }
    }

    /// Handles bytes between sequences; returns how many.
    fn follow_ground(&mut self, bytes: &[u8], offset: usize, sink: &mut impl Sink) -> usize {
        let text = escape_position(bytes).unwrap_or(bytes.len());
        if text > 0 {
            sink.text(&bytes[..text]);
            self.keep_partial_character(&bytes[..text]);
        }
        if text == bytes.len() {
            return text;
        }
        self.drop_kept();
        // Most sequences are a short CSI that is complete in the same slice.
        if let Some(length) = complete_csi(&bytes[text..]) {
            sink.sequence(&bytes[text..text + length], offset + text + length);
            return text + length;
        }
        self.sequence.begin();
        self.keep(ESC);
        text + 1
    }

    fn keep(&mut self, byte: u8) {
        if self.kept.len() < KEPT {
            self.kept.push(byte);
        } else {
            self.overlong = true;
        }
    }

    fn drop_kept(&mut self) {
        self.kept.clear();
        self.overlong = false;
        if self.kept.capacity() > 1024 {
            self.kept = Vec::new();
        }
    }

    /// Keeps the bytes of a character that is cut off by the end of `text`.
    fn keep_partial_character(&mut self, text: &[u8]) {
        let from = text.len().saturating_sub(3);
        if from > 0 {
            self.kept.clear();
        }
        self.kept.extend_from_slice(&text[from..]);
        let begins = cut_off_character(&self.kept);
        self.kept.drain(..begins);
    }
}

fn escape_position(bytes: &[u8]) -> Option<usize> {
    // `contains` is a memchr, the search is not: bulk text without any escape is worth the test.
    if bytes.contains(&ESC) { bytes.iter().position(|&byte| byte == ESC) } else { None }
}

/// The length of a CSI sequence without anything unusual in it, if it is complete.
fn complete_csi(bytes: &[u8]) -> Option<usize> {
    if bytes.get(1) != Some(&b'[') {
        return None;
    }
    let end = 2 + bytes[2..].iter().position(|byte| !(0x20..=0x3f).contains(byte))?;
    (0x40..=0x7e).contains(&bytes[end]).then_some(end + 1)
}

/// Where an incomplete UTF-8 character at the end of the bytes begins; their length if none does.
pub(super) fn cut_off_character(bytes: &[u8]) -> usize {
    for at in (bytes.len().saturating_sub(3)..bytes.len()).rev() {
        if bytes[at] < 0x80 {
            break;
        }
        if bytes[at] >= 0xc0 {
            let cut_off =
                std::str::from_utf8(&bytes[at..]).is_err_and(|error| error.error_len().is_none());
            if cut_off {
                return at;
            }
            break;
        }
    }
    bytes.len()
}
