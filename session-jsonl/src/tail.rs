//! The present state of a session from the end of its file, whatever the file's size.
//!
//! Every batch that this program appends ends with the session's new state, so the last whole batch is all that has
//! to be read. Only where there is none within [`MOST`] bytes of the end is the file read from its beginning.

use std::io;

use session_core::SessionId;

use crate::disk::DiskFile;
use crate::lines::{self, Bytes, Lines};
use crate::replay::Replay;

/// How much of the end is read first.
const FIRST: u64 = 1 << 14;

/// The largest end that is held in memory: more than two lines of the largest size.
const MOST: u64 = 40 << 20;

/// How much of the beginning is read to find the header.
const HEADER: u64 = 1 << 10;

/// What stands in a file from an offset on.
struct Window {
    base: u64,
    bytes: Vec<u8>,
}

impl Bytes for Window {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.bytes[..].read_at(buffer, offset.saturating_sub(self.base))
    }
}

/// What the end of a file of so many bytes tells about session `id`.
///
/// # Errors
/// What the disk reports.
pub(crate) fn read(file: &dyn DiskFile, id: SessionId, length: u64) -> io::Result<Replay> {
    let mut window = Window { base: length, bytes: Vec::new() };
    let mut size = FIRST;
    while size <= MOST {
        let base = length.saturating_sub(size);
        let more = lines::span(file, base..window.base)?;
        window = Window { base, bytes: [more, window.bytes].concat() };
        if base == 0 {
            return replayed(Replay::new(id), &mut Lines::new(&window, 0..length));
        }
        if let Some(found) = memchr::memchr(b'\n', &window.bytes) {
            let begin = base + found as u64 + 1;
            let replay = replayed(Replay::inside(id), &mut Lines::new(&window, begin..length))?;
            if replay.is_decided() {
                let head = lines::span(file, 0..HEADER.min(begin))?;
                let end = memchr::memchr(b'\n', &head);
                return Ok(replay.with_header(end.map(|end| &head[..end])));
            }
        }
        size *= 4;
    }
    drop(window);
    replayed(Replay::new(id), &mut Lines::new(file, 0..length))
}

/// What these lines tell after those that were replayed before.
///
/// # Errors
/// What the disk reports.
pub(crate) fn replayed<B: Bytes + ?Sized>(
    mut replay: Replay,
    lines: &mut Lines<'_, B>,
) -> io::Result<Replay> {
    while !replay.is_newer() {
        let Some((raw, place)) = lines.next()? else { break };
        replay.push(raw, place);
    }
    Ok(replay)
}
