//! Bytes that belong to a request or reply: as many frames as they take, put together by whoever receives them.

use super::frame::{Kind, encode};

/// The largest payload of one frame of a blob.
const PIECE: usize = 1 << 20;

/// What a supervisor accepts with one request; more is refused.
pub(crate) const MAX_BLOB: usize = 16 << 20;

/// The frames that carry these bytes; none for no bytes.
pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    bytes.chunks(PIECE).map(|piece| encode(Kind::Blob, piece))
}

/// A blob as it comes in.
#[derive(Debug)]
pub(crate) struct Blob {
    bytes: Vec<u8>,
    limit: usize,
    is_whole: bool,
}

impl Blob {
    /// One that may have so many bytes.
    pub(crate) const fn of_at_most(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, is_whole: true }
    }

    /// Takes in the payload of the next frame. What is beyond the limit is not kept.
    pub(crate) fn push(&mut self, payload: Vec<u8>) {
        if self.bytes.len() + payload.len() > self.limit {
            self.is_whole = false;
            self.bytes = Vec::new();
        }
        if !self.is_whole {
            return;
        }
        if self.bytes.is_empty() {
            self.bytes = payload;
        } else {
            self.bytes.extend_from_slice(&payload);
        }
    }

    /// All that came since the last time; `None` when that was beyond the limit.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.bytes);
        std::mem::replace(&mut self.is_whole, true).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Decoder;

    #[test]
    fn a_blob_beyond_one_frame_arrives_whole() {
        let sent: Vec<u8> = (0..40_u32 << 20).map(|at| (at >> 12) as u8).collect();
        let mut blob = Blob::of_at_most(64 << 20);
        let mut decoder = Decoder::default();
        for frame in pieces(&sent) {
            decoder.push(&frame);
            while let Some(frame) = decoder.next().unwrap() {
                assert_eq!(frame.kind, Kind::Blob);
                blob.push(frame.payload);
            }
        }
        assert!(blob.take().unwrap() == sent);
        assert_eq!(blob.take().unwrap(), b"", "the next one begins empty");
    }

    #[test]
    fn what_is_beyond_the_limit_is_not_kept() {
        let mut blob = Blob::of_at_most(10);
        for _ in 0..3 {
            blob.push(vec![0; 6]);
        }
        assert!(blob.bytes.is_empty());
        assert_eq!(blob.take(), None);
        blob.push(vec![1; 10]);
        assert_eq!(blob.take().unwrap(), vec![1; 10]);
    }
}
