//! What the operating system said when SQLite failed. Nothing else of this crate is unsafe.

#![expect(
    unsafe_code,
    reason = "SQLite tells it by a function that rusqlite does not wrap, and its result codes leave it out"
)]

use std::io::{Error, ErrorKind};

use rusqlite::{Connection, ffi};

/// Whether the last call that failed on this connection failed for want of room. SQLite says so of a disk that is
/// full, but takes a quota and a limit on the size of files for failed media.
pub(crate) fn is_for_want_of_room(connection: &Connection) -> bool {
    // SAFETY: the handle is that of an open connection, which this thread has borrowed and nobody else uses: a
    // connection is not `Sync`. It is only asked, and not kept.
    let errno = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    matches!(
        Error::from_raw_os_error(errno).kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
