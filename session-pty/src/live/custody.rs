//! Who holds a copy of every terminal and journal, so that programs outlive this process.

use std::fmt::Debug;
use std::io;
use std::os::fd::BorrowedFd;

use session_core::SessionId;

/// Somebody beside this process who can give back what it held.
pub(crate) trait Custody: Debug + Send + Sync {
    /// Takes copies of both sides of a terminal and of its journal. Called before the program starts, and once more
    /// when the journal of a program that was taken back had to be replaced: the newest deposit counts.
    ///
    /// # Errors
    /// When they are not safe; then no program is started.
    fn deposit(
        &self,
        id: SessionId,
        master: BorrowedFd<'_>,
        slave: BorrowedFd<'_>,
        journal: BorrowedFd<'_>,
    ) -> io::Result<()>;

    /// The program runs on the deposited terminal.
    fn started(&self, id: SessionId, pid: u32);

    /// The end of the program is recorded, or it never began: nothing has to be held any more.
    fn released(&self, id: SessionId);
}

/// Nobody: programs hang up with this process.
#[derive(Debug)]
pub(crate) struct NoCustody;

impl Custody for NoCustody {
    fn deposit(
        &self,
        _: SessionId,
        _: BorrowedFd<'_>,
        _: BorrowedFd<'_>,
        _: BorrowedFd<'_>,
    ) -> io::Result<()> {
        Ok(())
    }

    fn started(&self, _: SessionId, _: u32) {}

    fn released(&self, _: SessionId) {}
}
