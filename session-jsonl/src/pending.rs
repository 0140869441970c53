//! `pending.jsonl`: a change of several files while it is made, so that all of it happens or nothing.
//!
//! It is written and synced before the first of the files is touched, and removed when all of them are synced. Once it
//! is complete it counts: readers see its lines as if they stood in the files, and the next writer puts them there.
//! Before that it is nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use session_core::SessionId;

use crate::disk::{Access, Disk, DiskFile, Stamp};
use crate::error::ReadError;
use crate::line;
use crate::lines::{self, Bytes};
use crate::{FORMAT, SCHEMA_VERSION, file};

/// The file's name.
pub(crate) const PENDING: &str = "pending.jsonl";

/// A change of several files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) appends: BTreeMap<SessionId, Append>,
}

/// What is put at the end of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Append {
    /// Where it stands; what stood behind it is cut off. Zero for a new file.
    pub(crate) offset: u64,
    /// Whole lines.
    pub(crate) text: Arc<str>,
}

/// What a file was read as, and its state then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// `None` when there is no file.
    pub(crate) stamp: Option<Stamp>,
    /// `None` when it is not complete.
    pub(crate) pending: Option<Arc<Pending>>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Append { id: SessionId, offset: u64, text: String },
    End { appends: usize, sum: String },
}

impl Append {
    /// Why this has no place in the file at `path`, if it has none.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn obstacle(
        &self,
        disk: &dyn Disk,
        path: &Path,
    ) -> Result<Option<&'static str>, ReadError> {
        match file::stamp(disk, path) {
            Ok(stamp) => Ok(self.obstacle_in(stamp.as_ref())),
            Err(ReadError::NotAFile { .. }) => Ok(Some("its file is no regular file")),
            Err(error) => Err(error),
        }
    }

    /// The same for a file in this state.
    pub(crate) fn obstacle_in(&self, stamp: Option<&Stamp>) -> Option<&'static str> {
        match stamp {
            None if self.offset > 0 => Some("its file is missing"),
            Some(stamp) if stamp.length < self.offset => Some("its file is shorter than it was"),
            _ => None,
        }
    }
}

impl Pending {
    /// The bytes of the file.
    ///
    /// # Errors
    /// Those of JSON, which no text meets.
    pub(crate) fn bytes(&self) -> serde_json::Result<String> {
        let mut bytes = format!(
            "{{\"format\":\"{FORMAT}\",\"version\":{SCHEMA_VERSION},\"file\":\"pending\"}}\n"
        );
        for (id, Append { offset, text }) in &self.appends {
            let text = serde_json::to_string(&**text)?;
            // Writing to a string does not fail.
            _ = writeln!(
                bytes,
                "{{\"type\":\"append\",\"id\":\"{id}\",\"offset\":{offset},\"text\":{text}}}"
            );
        }
        let (count, sum) = (self.appends.len(), line::hash(bytes.as_bytes()));
        _ = writeln!(bytes, "{{\"type\":\"end\",\"appends\":{count},\"sum\":\"{sum:016x}\"}}");
        Ok(bytes)
    }

    /// What the bytes of the file say; `None` when it is not complete.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let body = bytes.strip_suffix(b"\n")?;
        let last = memchr::memrchr(b'\n', body)? + 1;
        let Ok(Line::End { appends: count, sum }) = serde_json::from_slice(&body[last..]) else {
            return None;
        };
        if u64::from_str_radix(&sum, 16).ok()? != line::hash(&bytes[..last]) {
            return None;
        }
        let mut appends = BTreeMap::new();
        for line in bytes[..last - 1].split(|byte| *byte == b'\n').skip(1) {
            let Ok(Line::Append { id, offset, text }) = serde_json::from_slice(line) else {
                return None;
            };
            appends.insert(id, Append { offset, text: text.into() });
        }
        (appends.len() == count).then_some(Self { appends })
    }
}

/// Reads the file, if it is not the one that is known already.
///
/// # Errors
/// What the disk reports.
pub(crate) fn read(disk: &dyn Disk, directory: &Path, known: &Found) -> Result<Found, ReadError> {
    let path = directory.join(PENDING);
    let stamp = file::stamp(disk, &path)?;
    if stamp.is_none() {
        return Ok(Found::default());
    }
    if stamp == known.stamp && known.pending.is_some() {
        return Ok(known.clone());
    }
    let fail = |error| ReadError::io("reading", &path, error);
    let (file, stamp) = match file::open_regular(disk, &path, Access::Read) {
        // It was finished in this moment.
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(Found::default());
        }
        opened => opened?,
    };
    let bytes = lines::span(&*file, 0..stamp.length).map_err(fail)?;
    Ok(Found { stamp: Some(stamp), pending: Pending::parse(&bytes).map(Arc::new) })
}

/// A file as it is once a pending change is made.
#[derive(Debug)]
pub(crate) struct Overlaid {
    /// `None` when the change creates it.
    below: Option<Box<dyn DiskFile>>,
    append: Append,
    stamp: Stamp,
}

impl Overlaid {
    /// `below` with `append` at its end, said to be in the state `stamp` but for its length.
    pub(crate) fn new(below: Option<Box<dyn DiskFile>>, append: Append, stamp: Stamp) -> Self {
        let length = append.offset + append.text.len() as u64;
        Self { below, append, stamp: Stamp { length, ..stamp } }
    }

    fn refused<T>() -> io::Result<T> {
        Err(io::Error::other("a file with a pending change was written to"))
    }
}

impl DiskFile for Overlaid {
    fn stamp(&self) -> io::Result<Stamp> {
        Ok(self.stamp)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.append.offset {
            return self.append.text.as_bytes().read_at(buffer, offset - self.append.offset);
        }
        let Some(below) = &self.below else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let left = usize::try_from(self.append.offset - offset).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        match below.read_at(&mut buffer[..wanted], offset)? {
            // The change was begun with a longer file.
            0 if wanted > 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }

    fn append(&self, _bytes: &[u8]) -> io::Result<()> {
        Self::refused()
    }

    fn set_length(&self, _length: u64) -> io::Result<()> {
        Self::refused()
    }

    fn sync(&self) -> io::Result<()> {
        Self::refused()
    }
}

#[cfg(test)]
mod tests {
    use session_core::Timestamp;

    use super::*;

    fn sample() -> Pending {
        let id = |number| SessionId::from_parts(Timestamp::from_millis(0), number);
        let text = |text: &str| Append { offset: 7, text: text.into() };
        Pending { appends: [(id(1), text("{\"a\":\"é\"}\n")), (id(2), text("{}\n{}\n"))].into() }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample().bytes().unwrap();
        assert_eq!(Pending::parse(bytes.as_bytes()), Some(sample()));
        assert_eq!(bytes.lines().count(), 4);
    }

    #[test]
    fn nothing_but_the_whole_of_it_counts() {
        let bytes = sample().bytes().unwrap().into_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Pending::parse(&bytes[..cut]), None, "{cut}");
            let mut holed = bytes.clone();
            holed[cut] = 0;
            assert_eq!(Pending::parse(&holed), None, "{cut}");
        }
    }
}
