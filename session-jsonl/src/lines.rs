//! The lines of a file, forwards and backwards, each with the place where it stands; long files in little memory.

use std::io;
use std::ops::Range;

use crate::disk::DiskFile;
use crate::line::MAX_LINE;

/// How many bytes are read at once.
const BLOCK: usize = 1 << 18;

/// How many are read at first where perhaps only a few are needed.
const FIRST_BLOCK: usize = 1 << 14;

/// What bytes are read from: a file, or what is in memory already.
pub(crate) trait Bytes {
    /// Reads bytes that begin at `offset`, fewer than there is place for perhaps, none at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// A line's bytes as they stand in a file.
#[derive(Debug)]
pub(crate) enum Raw<'a> {
    /// Without the line feed.
    Line(&'a [u8]),
    /// Longer than [`MAX_LINE`]; its bytes were not kept.
    TooLong {
        /// Whether some of them are zero.
        zeros: bool,
    },
    /// The last bytes of a file that does not end with a line feed; none when they are too many.
    Torn(&'a [u8]),
}

/// Lines from one offset to another, which is the end of the file or of a line.
#[derive(Debug)]
pub(crate) struct Lines<'a, B: ?Sized> {
    bytes: &'a B,
    to: u64,
    buffer: Vec<u8>,
    /// What of the buffer was not given out yet.
    rest: Range<usize>,
    /// Where that stands in the file.
    offset: u64,
    block: usize,
}

/// The same lines from the last to the first. Both ends are beginnings of lines.
#[derive(Debug)]
pub(crate) struct Backward<'a, B: ?Sized> {
    bytes: &'a B,
    from: u64,
    buffer: Vec<u8>,
    /// So much of the buffer was not given out yet.
    end: usize,
    /// Where the buffer begins in the file.
    begin: u64,
    block: usize,
}

impl Bytes for dyn DiskFile + '_ {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        DiskFile::read_at(self, buffer, offset)
    }
}

impl Bytes for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let begin = usize::try_from(offset).map_or(self.len(), |offset| offset.min(self.len()));
        let length = buffer.len().min(self.len() - begin);
        buffer[..length].copy_from_slice(&self[begin..begin + length]);
        Ok(length)
    }
}

/// Reads as many bytes from `offset` on as there is place for, fewer only at the end, and returns how many.
///
/// # Errors
/// What the disk reports, but never that it was interrupted.
pub(crate) fn fill<B: Bytes + ?Sized>(
    bytes: &B,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match bytes.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The bytes from one offset to another, fewer only where the file ends before.
///
/// # Errors
/// As [`fill`].
pub(crate) fn span<B: Bytes + ?Sized>(bytes: &B, span: Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(span.end - span.start).unwrap_or(usize::MAX);
    let mut buffer = vec![0; length];
    let filled = fill(bytes, &mut buffer, span.start)?;
    buffer.truncate(filled);
    Ok(buffer)
}

impl<'a, B: Bytes + ?Sized> Lines<'a, B> {
    /// The lines between two offsets, of which the first is the beginning of a line.
    pub(crate) const fn new(bytes: &'a B, span: Range<u64>) -> Self {
        let Range { start: offset, end: to } = span;
        Self { bytes, to, buffer: Vec::new(), rest: 0..0, offset, block: FIRST_BLOCK }
    }

    /// The next line and where it stands, its line feed included; `None` at the end.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Raw<'_>, Range<u64>)>> {
        let mut searched = 0;
        let begin = self.offset;
        loop {
            let unseen = &self.buffer[self.rest.start + searched..self.rest.end];
            if let Some(found) = memchr::memchr(b'\n', unseen) {
                let start = self.rest.start;
                let length = searched + found;
                self.rest.start += length + 1;
                self.offset += length as u64 + 1;
                let line = &self.buffer[start..start + length];
                return Ok(Some((whole(line), begin..self.offset)));
            }
            searched = self.rest.len();
            if searched > MAX_LINE {
                return self.skip().map(|raw| Some((raw, begin..self.offset)));
            }
            if self.read_more()? == 0 {
                let start = self.rest.start;
                let line = &self.buffer[start..self.rest.end];
                self.rest.start = self.rest.end;
                self.offset += line.len() as u64;
                return Ok((!line.is_empty()).then_some((Raw::Torn(line), begin..self.offset)));
            }
        }
    }

    /// Goes to the end of a line that is too long.
    fn skip(&mut self) -> io::Result<Raw<'static>> {
        let mut zeros = false;
        loop {
            let rest = &self.buffer[self.rest.clone()];
            let found = memchr::memchr(b'\n', rest);
            let line = &rest[..found.unwrap_or(rest.len())];
            zeros |= memchr::memchr(0, line).is_some();
            let passed = line.len() + usize::from(found.is_some());
            self.rest.start += passed;
            self.offset += passed as u64;
            if found.is_some() {
                return Ok(Raw::TooLong { zeros });
            }
            if self.read_more()? == 0 {
                return Ok(Raw::Torn(&[]));
            }
        }
    }

    /// Reads another block behind what is left in the buffer.
    fn read_more(&mut self) -> io::Result<usize> {
        let left = self.to.saturating_sub(self.offset + self.rest.len() as u64);
        let wanted =
            usize::try_from(left).unwrap_or(usize::MAX).min(self.block.max(self.rest.len()));
        self.block = (self.block * 4).min(BLOCK);
        self.buffer.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        if self.buffer.len() < self.rest.end + wanted {
            self.buffer.resize(self.rest.end + wanted, 0);
        }
        let place = &mut self.buffer[self.rest.end..self.rest.end + wanted];
        let read = fill(self.bytes, place, self.offset + self.rest.len() as u64)?;
        self.rest.end += read;
        Ok(read)
    }
}

impl<'a, B: Bytes + ?Sized> Backward<'a, B> {
    /// The lines between two offsets, both beginnings of lines or the end of the last one.
    pub(crate) const fn new(bytes: &'a B, span: Range<u64>) -> Self {
        let Range { start: from, end: begin } = span;
        Self { bytes, from, buffer: Vec::new(), end: 0, begin, block: FIRST_BLOCK }
    }

    /// The line before those that were given out; `None` at the beginning.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Raw<'_>, Range<u64>)>> {
        // The last byte is the line feed of the line that is looked for.
        let mut unsearched = self.end.saturating_sub(1);
        loop {
            if let Some(found) = memchr::memrchr(b'\n', &self.buffer[..unsearched]) {
                return Ok(Some(self.take(found + 1)));
            }
            if self.begin == self.from {
                return Ok((self.end > 0).then(|| self.take(0)));
            }
            if self.end > MAX_LINE + 1 {
                return self.skip().map(Some);
            }
            let known = self.end;
            let more = self.read_more()?;
            // With nothing in the buffer, its last byte has just been read.
            unsearched = if known == 0 { more.saturating_sub(1) } else { more };
        }
    }

    /// Gives out what stands in the buffer from `start` on.
    fn take(&mut self, start: usize) -> (Raw<'_>, Range<u64>) {
        let place = self.begin + start as u64..self.begin + self.end as u64;
        let line = &self.buffer[start..self.end];
        self.end = start;
        (whole(line.strip_suffix(b"\n").unwrap_or(line)), place)
    }

    /// Goes to the beginning of a line that is too long.
    fn skip(&mut self) -> io::Result<(Raw<'static>, Range<u64>)> {
        let end = self.begin + self.end as u64;
        let mut zeros = false;
        loop {
            let found = memchr::memrchr(b'\n', &self.buffer[..self.end.saturating_sub(1)]);
            let start = found.map_or(0, |found| found + 1);
            zeros |= memchr::memchr(0, &self.buffer[start..self.end]).is_some();
            if found.is_some() || self.begin == self.from {
                self.end = start;
                return Ok((Raw::TooLong { zeros }, self.begin + start as u64..end));
            }
            // One byte stays: what is before it ends no line of its own.
            self.buffer.truncate(1);
            self.end = 1;
            self.read_more()?;
        }
    }

    /// Reads another block in front of what is left in the buffer, and returns how long it is.
    fn read_more(&mut self) -> io::Result<usize> {
        let left = usize::try_from(self.begin - self.from).unwrap_or(usize::MAX);
        let block = left.min(self.block.max(self.end));
        let begin = self.begin - block as u64;
        let mut buffer = vec![0; block + self.end];
        if fill(self.bytes, &mut buffer[..block], begin)? < block {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer[block..].copy_from_slice(&self.buffer[..self.end]);
        (self.end, self.buffer, self.begin) = (buffer.len(), buffer, begin);
        self.block = (self.block * 4).min(BLOCK);
        Ok(block)
    }
}

/// Where the line begins that the byte before `offset` is part of or ends: the end of the last line feed before
/// `offset`, or `from`.
///
/// # Errors
/// What the disk reports.
pub(crate) fn line_start<B: Bytes + ?Sized>(bytes: &B, from: u64, offset: u64) -> io::Result<u64> {
    let mut end = offset;
    while end > from {
        let begin = end.saturating_sub(FIRST_BLOCK as u64).max(from);
        let block = span(bytes, begin..end)?;
        if let Some(found) = memchr::memrchr(b'\n', &block) {
            return Ok(begin + found as u64 + 1);
        }
        end = begin;
    }
    Ok(from)
}

fn whole(line: &[u8]) -> Raw<'_> {
    if line.len() > MAX_LINE {
        Raw::TooLong { zeros: memchr::memchr(0, line).is_some() }
    } else {
        Raw::Line(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of some bytes in short, with its place, in both directions.
    fn both(bytes: &[u8]) -> Vec<(String, Range<u64>)> {
        let short = |raw: Raw<'_>| match raw {
            Raw::Line(line) => String::from_utf8_lossy(&line[..line.len().min(20)]).into_owned(),
            Raw::TooLong { zeros } => format!("too long {zeros}"),
            Raw::Torn(line) => format!("torn {}", line.len()),
        };
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        let mut lines = Lines::new(bytes, 0..bytes.len() as u64);
        while let Some((raw, place)) = lines.next().unwrap() {
            forward.push((short(raw), place));
        }
        let end = forward.last().map_or(0, |(_, place)| place.end);
        if bytes.last().is_none_or(|last| *last == b'\n') {
            let mut lines = Backward::new(bytes, 0..end);
            while let Some((raw, place)) = lines.next().unwrap() {
                backward.push((short(raw), place));
            }
            backward.reverse();
            assert_eq!(forward, backward);
        }
        forward
    }

    fn line(text: &str, place: Range<u64>) -> (String, Range<u64>) {
        (text.to_owned(), place)
    }

    #[test]
    fn lines_are_the_same_in_both_directions() {
        assert_eq!(both(b""), []);
        assert_eq!(both(b"\n"), [line("", 0..1)]);
        assert_eq!(both(b"\n\na\n"), [line("", 0..1), line("", 1..2), line("a", 2..4)]);
        assert_eq!(both(b"a\nb"), [line("a", 0..2), line("torn 1", 2..3)]);
        let mut many = Vec::new();
        for length in (0..40_000).step_by(997) {
            many.extend(std::iter::repeat_n(b'x', length));
            many.push(b'\n');
        }
        assert_eq!(both(&many).len(), 41);
    }

    #[test]
    fn lines_that_are_too_long_are_skipped() {
        for (length, zeros) in
            [(MAX_LINE + 1, false), (MAX_LINE + 900_000, true), (3 * MAX_LINE, false)]
        {
            let mut bytes = b"first\n".to_vec();
            bytes.extend(std::iter::repeat_n(b'x', length));
            if zeros {
                bytes[MAX_LINE / 2] = 0;
            }
            bytes.extend_from_slice(b"\nnext\nafter\n");
            let end = 6 + length as u64 + 1;
            let expected = [
                line("first", 0..6),
                line(&format!("too long {zeros}"), 6..end),
                line("next", end..end + 5),
                line("after", end + 5..end + 11),
            ];
            assert_eq!(both(&bytes), expected);
        }
        let long = vec![b'x'; 2 * MAX_LINE];
        assert_eq!(both(&long), [line("torn 0", 0..2 * MAX_LINE as u64)]);
    }

    #[test]
    fn a_line_may_have_as_many_bytes_as_it_may() {
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.push(b'\n');
        assert_eq!(both(&bytes), [line(&"x".repeat(20), 0..MAX_LINE as u64 + 1)]);
    }

    #[test]
    fn a_line_starts_behind_the_line_feed_before_it() {
        let bytes = [b"ab\n", &[b'x'; 40_000][..], b"\ncd"].concat();
        for (offset, start) in [(0, 0), (2, 0), (3, 3), (4, 3), (40_003, 3), (40_004, 40_004)] {
            assert_eq!(line_start(&bytes[..], 0, offset).unwrap(), start, "{offset}");
        }
    }
}
