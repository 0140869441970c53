//! The output that a session keeps: the last so many bytes, and how many there ever were.

use std::collections::VecDeque;

/// The last bytes of a program's output.
#[derive(Debug)]
pub(super) struct Journal {
    kept: VecDeque<u8>,
    limit: usize,
    written: u64,
}

impl Journal {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit, written: 0 }
    }

    /// Keeps bytes that the program has just written; the oldest go when there are too many.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        let excess = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        self.kept.drain(..excess);
        self.kept.extend(bytes);
    }

    /// How many bytes the program has written since its start.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// What is kept, the oldest first. Where something is missing before it, it begins after a line feed, if there is
    /// one: then nothing begins inside an escape sequence or a character.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let whole = self.written == self.kept.len() as u64;
        let start = if whole {
            0
        } else {
            self.kept.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1)
        };
        let (first, second) = self.kept.as_slices();
        let from = start.min(first.len());
        [&first[from..], &second[start - from..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::Journal;

    #[test]
    fn keeps_the_last_bytes_from_a_line_start() {
        let mut journal = Journal::new(8);
        journal.append(b"ab\ncd");
        assert_eq!(journal.bytes(), b"ab\ncd");
        journal.append(b"\nef\n");
        assert_eq!((journal.bytes(), journal.written()), (b"cd\nef\n".to_vec(), 9));
        journal.append(b"a very long line\nx");
        assert_eq!(journal.bytes(), b"x");
    }
}
