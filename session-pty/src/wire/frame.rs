//! Frames: a kind, a length, and so many bytes.

use std::io;

/// The largest payload that either side accepts. A longer frame ends the connection.
pub(crate) const MAX_PAYLOAD: usize = 16 << 20;

/// The largest payload that a viewer may send: what is typed is cut at this.
pub(crate) const MAX_TYPED: usize = 64 << 10;

/// Kind and length before each payload.
pub(crate) const HEADER_LEN: usize = 5;

/// What a frame carries. The numbers are frozen; unknown ones are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Both ways, first: who speaks (JSON).
    Hello = 0x01,
    /// To the supervisor: a call (JSON).
    Request = 0x02,
    /// To the client: the answer to a call (JSON).
    Reply = 0x03,
    /// Bytes that belong to the request or reply that follows.
    Blob = 0x04,
    /// To the supervisor: typed bytes.
    Input = 0x10,
    /// To the supervisor: the size of the viewer's terminal (JSON).
    Resize = 0x11,
    /// To the supervisor: no more input will come; the end-of-file character is to be typed.
    EndOfInput = 0x12,
    /// To the supervisor: the viewer leaves.
    Detach = 0x13,
    /// To the supervisor: what the viewer's terminal says of itself: reports of mouse and focus, answers to queries.
    Report = 0x14,
    /// To the client: bytes from the program.
    Output = 0x20,
    /// To the client: so many bytes were left out (u64, little-endian), then bytes that repaint the screen.
    Gap = 0x21,
    /// To the client: the terminal has another size (JSON).
    Resized = 0x22,
    /// To the client: the program has ended (JSON).
    Exited = 0x23,
    /// To the client: the viewer was detached by somebody else.
    Detached = 0x24,
    /// To the client: bytes that reset a terminal and paint the screen as it is.
    Screen = 0x25,
    /// To the client: where in all that the program has written the next output stands (u64, little-endian).
    Position = 0x26,
    /// To the client: something happened (JSON); empty when nothing more will.
    Event = 0x27,
    /// To the client: how much of what it typed the terminal has taken (u64, little-endian).
    Typed = 0x28,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
}

/// Puts frames together from bytes as they come.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    /// The largest payload that is accepted.
    most: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::of_at_most(MAX_PAYLOAD)
    }
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::Hello,
            0x02 => Self::Request,
            0x03 => Self::Reply,
            0x04 => Self::Blob,
            0x10 => Self::Input,
            0x11 => Self::Resize,
            0x12 => Self::EndOfInput,
            0x13 => Self::Detach,
            0x14 => Self::Report,
            0x20 => Self::Output,
            0x21 => Self::Gap,
            0x22 => Self::Resized,
            0x23 => Self::Exited,
            0x24 => Self::Detached,
            0x25 => Self::Screen,
            0x26 => Self::Position,
            0x27 => Self::Event,
            0x28 => Self::Typed,
            _ => return None,
        })
    }
}

/// The five bytes before a payload of `len` bytes, at most [`MAX_PAYLOAD`].
pub(crate) fn header(kind: Kind, len: usize) -> [u8; HEADER_LEN] {
    debug_assert!(len <= MAX_PAYLOAD, "callers split what is longer");
    let len = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
    [kind as u8, len[0], len[1], len[2], len[3]]
}

/// A whole frame as bytes.
pub(crate) fn encode(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + payload.len());
    bytes.extend_from_slice(&header(kind, payload.len()));
    bytes.extend_from_slice(payload);
    bytes
}

impl Decoder {
    /// One that accepts payloads of so many bytes.
    pub(crate) const fn of_at_most(most: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, most }
    }

    /// Takes in bytes from the connection.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 64 << 10 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame of a known kind.
    ///
    /// # Errors
    /// `InvalidData` when a frame claims to be longer than is accepted: the connection is then beyond repair.
    pub(crate) fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let pending = &self.buffer[self.start..];
            let Some((head, rest)) = pending.split_first_chunk::<HEADER_LEN>() else {
                return Ok(None);
            };
            let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
            if len > self.most {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a frame claims {len} bytes, {} are allowed", self.most),
                ));
            }
            if rest.len() < len {
                return Ok(None);
            }
            self.start += HEADER_LEN + len;
            if let Some(kind) = Kind::from_byte(head[0]) {
                return Ok(Some(Frame { kind, payload: rest[..len].to_vec() }));
            }
        }
    }

    /// Bytes that were taken in and belong to no frame yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_kind_length_and_payload() {
        assert_eq!(encode(Kind::Input, b"ab"), [0x10, 2, 0, 0, 0, b'a', b'b']);
    }

    #[test]
    fn unknown_kinds_are_skipped() {
        let mut decoder = Decoder::default();
        decoder.push(&[0x7f, 3, 0, 0, 0, 1, 2, 3]);
        decoder.push(&encode(Kind::Detach, b""));
        assert_eq!(decoder.next().unwrap().unwrap().kind, Kind::Detach);
        assert_eq!(decoder.next().unwrap(), None);
    }

    #[test]
    fn an_overlong_frame_is_an_error_before_its_payload_comes() {
        let mut decoder = Decoder::default();
        decoder.push(&[0x10, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(decoder.next().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_viewer_s_frames_are_bounded_more_tightly() {
        let mut decoder = Decoder::of_at_most(MAX_TYPED);
        decoder.push(&encode(Kind::Input, &[0; MAX_TYPED]));
        assert_eq!(decoder.next().unwrap().unwrap().payload.len(), MAX_TYPED);
        decoder.push(&encode(Kind::Input, &[0; MAX_TYPED + 1])[..6]);
        assert_eq!(decoder.next().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(1_usize..9, 1..60),
        ) {
            let bytes: Vec<u8> =
                payloads.iter().flat_map(|payload| encode(Kind::Output, payload)).collect();
            let mut decoder = Decoder::default();
            let mut rest = &bytes[..];
            let mut seen = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.push(now);
                rest = later;
                while let Some(frame) = decoder.next().unwrap() {
                    seen.push(frame.payload);
                }
            }
            prop_assert_eq!(seen, payloads);
            prop_assert!(decoder.unread().is_empty());
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }
}
