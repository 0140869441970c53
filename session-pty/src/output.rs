//! What is kept of a program's output after its end: its log and its last screen, a file each.
//!
//! `<id>.log` holds the last bytes of the output as they came. `<id>.screen` begins with a line
//! `session-screen 1 COLSxROWS`; what follows are terminal bytes that reset a terminal of that size and paint the
//! last screen with its history.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use session_core::{SessionId, TerminalSize};

const SCREEN_HEADER: &str = "session-screen 1 ";

/// Keeps log and screen of a session that has ended.
///
/// # Errors
/// What the operating system says; the files are then as they were before, or not there.
pub(crate) fn keep(
    directory: &Path,
    id: SessionId,
    log: &[u8],
    screen: &[u8],
    size: TerminalSize,
) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let header = format!("{SCREEN_HEADER}{size}\n");
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

/// Size and bytes of the last screen of a session that has ended; `None` when none was kept.
///
/// # Errors
/// What the operating system says; `InvalidData` when the file is not what this module writes.
pub fn read_screen(directory: &Path, id: SessionId) -> io::Result<Option<(TerminalSize, Vec<u8>)>> {
    let path = directory.join(format!("{id}.screen"));
    let damaged =
        || io::Error::new(io::ErrorKind::InvalidData, format!("{} has no header", path.display()));
    let Some(bytes) = read(path.clone())? else { return Ok(None) };
    let end = bytes.iter().take(64).position(|&byte| byte == b'\n').ok_or_else(damaged)?;
    let size = std::str::from_utf8(&bytes[..end])
        .ok()
        .and_then(|header| header.strip_prefix(SCREEN_HEADER))
        .and_then(|size| size.parse().ok())
        .ok_or_else(damaged)?;
    Ok(Some((size, bytes[end + 1..].to_vec())))
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
        keep(&directory, id, b"log\n", b"\x1bcscreen\n", size).unwrap();
        assert_eq!(read_log(&directory, id).unwrap().unwrap(), b"log\n");
        assert_eq!(
            read_screen(&directory, id).unwrap().unwrap(),
            (size, b"\x1bcscreen\n".to_vec())
        );
        fs::write(directory.join(format!("{id}.screen")), b"no header").unwrap();
        assert_eq!(read_screen(&directory, id).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
