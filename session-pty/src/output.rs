//! What is kept of a program's output after its end: its log and its last screen, a file each.
//!
//! `<id>.log` holds the last bytes of the output as they came. `<id>.screen` begins with a line
//! `session-screen 1 COLSxROWS WRITTEN`; what follows are terminal bytes that reset a terminal of that size and paint
//! the last screen with its history. `WRITTEN` is how many bytes of output there ever were.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use session_core::{SessionId, TerminalSize};

const SCREEN_HEADER: &str = "session-screen 1 ";

/// What is kept of a program's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The last bytes, as they came.
    pub(crate) log: Vec<u8>,
    /// How many bytes there ever were.
    pub(crate) written: u64,
    /// The last screen with its history, as terminal bytes.
    pub(crate) screen: Vec<u8>,
    /// The size of the terminal.
    pub(crate) size: TerminalSize,
}

impl Kept {
    /// What is kept from this byte on, and where it begins.
    pub(crate) fn since(&self, position: u64) -> (u64, Vec<u8>) {
        let oldest = self.written.saturating_sub(self.log.len() as u64);
        let from = position.clamp(oldest, self.written);
        let skipped = usize::try_from(from - oldest).unwrap_or(usize::MAX);
        (from, self.log.get(skipped..).unwrap_or_default().to_vec())
    }
}

/// Keeps log and screen of a session that has ended.
///
/// # Errors
/// What the operating system says; the files are then as they were before, or not there.
pub(crate) fn keep(directory: &Path, id: SessionId, kept: &Kept) -> io::Result<()> {
    let Kept { log, written, screen, size } = kept;
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let header = format!("{SCREEN_HEADER}{size} {written}\n");
    replace(&directory.join(format!("{id}.log")), &[log])?;
    replace(&directory.join(format!("{id}.screen")), &[header.as_bytes(), screen])
}

/// The log of a session that has ended; `None` when none was kept.
///
/// # Errors
/// What the operating system says.
pub fn read_log(directory: &Path, id: SessionId) -> io::Result<Option<Vec<u8>>> {
    read(directory.join(format!("{id}.log")))
}

/// All that is kept of a session that has ended; `None` when nothing was.
///
/// # Errors
/// As for [`read_screen`].
pub(crate) fn read_kept(directory: &Path, id: SessionId) -> io::Result<Option<Kept>> {
    let Some(log) = read_log(directory, id)? else { return Ok(None) };
    let Some(Painted { size, written, screen }) = read_painted(directory, id)? else {
        return Ok(None);
    };
    // Programs before this one did not write how much there was.
    let written = written.unwrap_or(log.len() as u64);
    Ok(Some(Kept { log, written, screen, size }))
}

/// Size and bytes of the last screen of a session that has ended; `None` when none was kept.
///
/// # Errors
/// What the operating system says; `InvalidData` when the file is not what this module writes.
pub fn read_screen(directory: &Path, id: SessionId) -> io::Result<Option<(TerminalSize, Vec<u8>)>> {
    Ok(read_painted(directory, id)?.map(|Painted { size, screen, .. }| (size, screen)))
}

/// What the file of a last screen says.
struct Painted {
    size: TerminalSize,
    written: Option<u64>,
    screen: Vec<u8>,
}

fn read_painted(directory: &Path, id: SessionId) -> io::Result<Option<Painted>> {
    let path = directory.join(format!("{id}.screen"));
    let damaged =
        || io::Error::new(io::ErrorKind::InvalidData, format!("{} has no header", path.display()));
    let Some(bytes) = read(path.clone())? else { return Ok(None) };
    let end = bytes.iter().take(64).position(|&byte| byte == b'\n').ok_or_else(damaged)?;
    let mut words = std::str::from_utf8(&bytes[..end])
        .ok()
        .and_then(|header| header.strip_prefix(SCREEN_HEADER))
        .map(|words| words.split(' '))
        .ok_or_else(damaged)?;
    let size = words.next().and_then(|size| size.parse().ok()).ok_or_else(damaged)?;
    let written = words.next().and_then(|written| written.parse().ok());
    Ok(Some(Painted { size, written, screen: bytes[end + 1..].to_vec() }))
}

fn read(path: PathBuf) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file beside its place and moves it there, so that there is never half of one.
fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let beside = path.with_extension("part");
    let written = write_new(&beside, parts).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left of a failed attempt is of no use; that it cannot be removed is no news either.
        let _still_there = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use session_core::Timestamp;

    use super::*;

    #[test]
    fn what_was_kept_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("output");
        let id = SessionId::from_parts(Timestamp::from_millis(1), 2);
        assert!(read_log(&directory, id).unwrap().is_none());
        let size = TerminalSize::nearest(7, 3);
        let kept =
            Kept { log: b"log\n".to_vec(), written: 9, screen: b"\x1bcscreen\n".to_vec(), size };
        keep(&directory, id, &kept).unwrap();
        assert_eq!(read_kept(&directory, id).unwrap(), Some(kept.clone()));
        let since = |position| kept.since(position);
        assert_eq!(since(0), (5, b"log\n".to_vec()));
        assert_eq!(since(7), (7, b"g\n".to_vec()));
        assert_eq!((since(9), since(99)), ((9, Vec::new()), (9, Vec::new())));
        assert_eq!(read_log(&directory, id).unwrap().unwrap(), b"log\n");
        assert_eq!(
            read_screen(&directory, id).unwrap().unwrap(),
            (size, b"\x1bcscreen\n".to_vec())
        );
        let older = b"session-screen 1 7x3\nold";
        fs::write(directory.join(format!("{id}.screen")), older).unwrap();
        assert_eq!(read_screen(&directory, id).unwrap().unwrap(), (size, b"old".to_vec()));
        fs::write(directory.join(format!("{id}.screen")), b"no header").unwrap();
        assert_eq!(read_screen(&directory, id).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
