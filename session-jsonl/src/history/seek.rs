//! Where in a file a record is: numbers only grow, so a few lines in between tell.

use std::io;

use session_core::Seq;

use crate::disk::DiskFile;
use crate::line::{self, Body};
use crate::lines::{Lines, Raw};

/// A stretch that is read rather than divided further.
const SMALL: u64 = 1 << 15;

/// An offset before which every record has a smaller number than `seq`: the beginning of a line.
///
/// # Errors
/// What the disk reports.
pub(crate) fn before(file: &dyn DiskFile, whole: u64, seq: Seq) -> io::Result<u64> {
    if seq == Seq::FIRST {
        return Ok(0);
    }
    narrow(file, whole, |found| found < seq).map(|(begin, _)| begin)
}

/// An offset from which on every record has a larger number than `seq`: the end of a line.
///
/// # Errors
/// What the disk reports.
pub(crate) fn behind(file: &dyn DiskFile, whole: u64, seq: Seq) -> io::Result<u64> {
    let (_, end) = narrow(file, whole, |found| found <= seq)?;
    if end == whole {
        return Ok(whole);
    }
    let mut lines = Lines::new(file, end.saturating_sub(1)..whole);
    Ok(lines.next()?.map_or(whole, |(_, place)| place.end))
}

/// Two offsets: every record before the first `is_before`, none that begins at the second or behind it is.
fn narrow(
    file: &dyn DiskFile,
    whole: u64,
    is_before: impl Fn(Seq) -> bool,
) -> io::Result<(u64, u64)> {
    let (mut begin, mut end) = (0, whole);
    while begin + SMALL < end {
        let middle = begin + (end - begin) / 2;
        match first_record(file, middle, end, whole)? {
            Some((seq, behind)) if is_before(seq) => begin = behind,
            _ => end = middle,
        }
    }
    Ok((begin, end.max(begin)))
}

/// The first record whose line begins between two offsets, and where it ends.
///
/// A line with a number that does not fit with the next one's may be out of place, and tells nothing.
fn first_record(
    file: &dyn DiskFile,
    from: u64,
    to: u64,
    whole: u64,
) -> io::Result<Option<(Seq, u64)>> {
    let mut lines = Lines::new(file, from - 1..whole);
    // What the byte before belongs to is another line.
    lines.next()?;
    let mut doubtful: Option<(Seq, u64)> = None;
    while let Some((raw, place)) = lines.next()? {
        if place.start >= to {
            return Ok(doubtful);
        }
        let Raw::Line(bytes) = raw else { continue };
        let Some(seq) = number(bytes) else { continue };
        match doubtful {
            Some((first, end)) if first.next() == seq => return Ok(Some((first, end))),
            _ => doubtful = Some((seq, place.end)),
        }
    }
    Ok(doubtful)
}

fn number(bytes: &[u8]) -> Option<Seq> {
    line::glance(bytes).or_else(|| {
        let line = line::parse(bytes).ok()?;
        match line.body {
            Body::Record(body) => line.key(body).ok().map(|(_, seq)| seq),
            _ => None,
        }
    })
}
