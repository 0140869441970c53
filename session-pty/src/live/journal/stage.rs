//! Typing so that it is known afterwards how much the terminal took, whenever this process is killed.
//!
//! How much of a write was taken is known to its caller alone. The bytes are put into the journal's file instead, and
//! the system moves them from there to the terminal (`sendfile`), and the file's offset with them. The offset belongs
//! to the open file, which all share who hold the journal: it tells the next process what this one could not say.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{SeekFrom, seek, sendfile, tell};
use rustix::io::Errno;

use super::Journal;
use super::layout::{STAGE, STAGE_LEN, TYPISTS, typist, word};
use super::typists::first_word;
use crate::wire::Typist;

/// The one place from which what is counted is typed.
#[derive(Debug)]
pub(in crate::live) struct Stage {
    journal: Arc<Journal>,
    #[cfg(test)]
    pub(super) passes: Option<fn(Point)>,
}

/// Where a process may be killed; told to a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// The bytes are there, and it is said whose they are.
    Staged,
    /// The terminal has taken some, and nobody is told.
    Taken,
    /// They are counted.
    Counted,
}

impl Stage {
    pub(in crate::live) const fn new(journal: Arc<Journal>) -> Self {
        Self {
            journal,
            #[cfg(test)]
            passes: None,
        }
    }

    /// Types some of the bytes, of which the terminal has taken `before` of this typist, who has an account. Returns how
    /// many it took.
    ///
    /// # Errors
    /// What the terminal says; then it took none.
    pub(in crate::live) fn write(
        &self,
        terminal: &OwnedFd,
        by: Typist,
        before: u64,
        bytes: &[u8],
    ) -> Result<usize, Errno> {
        let bytes = &bytes[..bytes.len().min(STAGE_LEN)];
        let journal = &self.journal;
        let Some(entry) = journal.entry(by) else { return rustix::io::write(terminal, bytes) };
        let staged = journal.write_file(STAGE, bytes).is_ok()
            && seek(&journal.file, SeekFrom::Start(STAGE)).is_ok();
        if !staged {
            return self.write_counted_before(terminal, by, before, bytes);
        }
        journal.words.store(word::TAKEN_BEFORE, before);
        journal.words.store(word::STAGED, bytes.len() as u64);
        journal.words.store(word::STAGED_BY, entry as u64 + 1);
        self.passes(Point::Staged);
        let taken = sendfile(terminal, &journal.file, None, bytes.len());
        self.passes(Point::Taken);
        if let Ok(taken @ 1..) = taken {
            journal.words.store(first_word(entry) + typist::TAKEN, before + taken as u64);
            journal.note_last_typed(bytes[taken - 1]);
        }
        self.passes(Point::Counted);
        journal.words.store(word::STAGED_BY, 0);
        match taken {
            // Older systems cannot do it.
            Err(Errno::INVAL | Errno::NOSYS) => {
                self.write_counted_before(terminal, by, before, bytes)
            }
            taken => taken,
        }
    }

    /// Types without a way to know afterwards: what may have been taken when this process is killed counts as taken,
    /// since a key that is lost is better than one that comes twice.
    fn write_counted_before(
        &self,
        terminal: &OwnedFd,
        by: Typist,
        before: u64,
        bytes: &[u8],
    ) -> Result<usize, Errno> {
        self.journal.note_taken(by, before + bytes.len() as u64);
        let taken = rustix::io::write(terminal, bytes);
        self.journal.note_taken(by, before + taken.unwrap_or(0) as u64);
        if let Ok(len @ 1..) = taken {
            self.journal.note_last_typed(bytes[len - 1]);
        }
        taken
    }

    #[cfg(not(test))]
    const fn passes(&self, _: Point) {}

    #[cfg(test)]
    fn passes(&self, point: Point) {
        if let Some(tell) = self.passes {
            tell(point);
        }
    }
}

impl Journal {
    /// Counts what the terminal has taken of what another process has staged, if anything is.
    pub(super) fn settle_typing(&self) {
        let field = |at| self.words.load(at);
        let entry = field(word::STAGED_BY).wrapping_sub(1);
        let staged = field(word::STAGED).min(STAGE_LEN as u64);
        let entry = usize::try_from(entry).ok().filter(|entry| *entry < TYPISTS);
        if let Some(entry) = entry.filter(|entry| self.typist_in(*entry).is_some()) {
            // An offset that makes no sense may mean that everything was taken.
            let moved = tell(&self.file).ok().and_then(|offset| offset.checked_sub(STAGE));
            let taken = moved.filter(|moved| *moved <= staged).unwrap_or(staged);
            let before = field(word::TAKEN_BEFORE).min(super::recovery::LAST_POSITION);
            self.words.store(first_word(entry) + typist::TAKEN, before + taken);
            let mut last = [0];
            if taken > 0 && self.read_file(STAGE + taken - 1, &mut last).is_ok() {
                self.note_last_typed(last[0]);
            }
        }
        self.words.store(word::STAGED_BY, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::super::tests::small;
    use super::super::typists::Account;
    use super::*;

    /// What cannot be moved by the system: it refuses (`EINVAL`) to do that into a file that is only appended to.
    #[test]
    fn where_the_system_cannot_move_bytes_they_are_written_and_counted_before() {
        let (journal, _) = small(1000);
        let typist = Typist::from_word(1).unwrap();
        journal.keep_account(typist, &Account::default(), |_| false);
        let stage = Stage::new(Arc::clone(&journal));
        let taken = || journal.account(typist).unwrap().taken;
        let mut typed = tempfile::NamedTempFile::new().unwrap();
        let target = std::fs::File::options().append(true).open(typed.path()).unwrap().into();
        assert_eq!(sendfile(&target, &journal.file, None, 1), Err(Errno::INVAL));
        assert_eq!(stage.write(&target, typist, 0, b"abc"), Ok(3));
        assert_eq!(stage.write(&target, typist, 3, b"de"), Ok(2));
        let mut text = String::new();
        typed.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), taken()), ("abcde", 5));

        let (_reader, full) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        while rustix::io::write(&full, &[0; 4096]).is_ok() {}
        assert_eq!(stage.write_counted_before(&full, typist, 5, b"f"), Err(Errno::AGAIN));
        assert_eq!(taken(), 5, "none of it was taken");
    }
}
