//! What the lock file says: who has the lock or had it last, how far it came, and how it left the directory.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::disk::{Modified, Stamp, Times};

/// What the lock file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) pid: u32,
    pub(super) progress: Progress,
    /// `None` where changes of files need not show in the directory.
    pub(super) times: Option<Times>,
}

/// How far the holder of a lock came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is writing, or died while it was.
    Busy,
    /// Everything is written that was begun; a loss of power may take some of it.
    Written,
    /// Everything is on the medium.
    Synced,
}

/// How far the directory's own time says whether anything in it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nobody has touched it since the last writer came to its end.
    AsLeft,
    /// Somebody is writing, or died while it was.
    Busy,
    /// No writer did it, but somebody has touched it since the last one.
    Changed,
    /// It says nothing: writers cannot give it a time.
    Never,
}

/// No text is longer.
const MOST: usize = 128;

/// What stands where no time does: as long as one.
const NO_TIME: &str = "--------------------.---------";

impl Progress {
    /// All words have the same length, so that none is left in part.
    const WORDS: [(Self, &str); 3] =
        [(Self::Busy, "busy"), (Self::Written, "kept"), (Self::Synced, "done")];

    fn parse(text: &str) -> Self {
        let found = Self::WORDS.into_iter().find(|(_, word)| *word == text);
        found.map_or(Self::Busy, |(progress, _)| progress)
    }

    fn word(self) -> &'static str {
        Self::WORDS
            .into_iter()
            .find(|(progress, _)| *progress == self)
            .map_or("busy", |(_, word)| word)
    }
}

impl Trust {
    pub(super) fn of(said: Option<Signature>, directory: &Stamp) -> Self {
        match said {
            Some(Signature { times: Some(_), progress: Progress::Busy, .. }) => Self::Busy,
            Some(Signature { times: Some(times), .. }) if times == directory.times() => {
                Self::AsLeft
            }
            Some(Signature { times: Some(_), .. }) => Self::Changed,
            _ => Self::Never,
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} {}", self.pid, self.progress.word())?;
        match self.times {
            Some(Times { changed, modified }) => {
                for Modified { seconds, nanoseconds } in [changed, modified] {
                    write!(f, " {seconds:020}.{nanoseconds:09}")?;
                }
                writeln!(f)
            }
            None => writeln!(f, " {NO_TIME} {NO_TIME}"),
        }
    }
}

/// What the file says, and how long it is, as far as it matters.
pub(super) fn read(file: &File) -> (Option<Signature>, usize) {
    let mut found = [0; MOST];
    let Ok(length) = file.read_at(&mut found, 0) else { return (None, usize::MAX) };
    (found.get(..length).and_then(parse), length)
}

fn parse(bytes: &[u8]) -> Option<Signature> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.strip_prefix("pid ")?.strip_suffix('\n')?.split(' ');
    let pid = words.next()?.parse().ok()?;
    let progress = Progress::parse(words.next().unwrap_or_default());
    let mut time = || parse_time(words.next()?);
    let times = time().zip(time());
    let times = times.map(|(changed, modified)| Times { changed, modified });
    Some(Signature { pid, progress, times })
}

fn parse_time(word: &str) -> Option<Modified> {
    let (seconds, nanoseconds) = word.split_once('.')?;
    let is_time = word.len() == NO_TIME.len() && nanoseconds.len() == 9;
    let time = Modified { seconds: seconds.parse().ok()?, nanoseconds: nanoseconds.parse().ok()? };
    is_time.then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_left_in_part_is_not() {
        let time = |seconds, nanoseconds| Modified { seconds, nanoseconds };
        let times = [time(1_750_000_000, 7), time(-1, 999_999_999), time(i64::MIN, 0)];
        for changed in times {
            let times = Some(Times { changed, modified: time(0, 0) });
            let said = Signature { pid: 17, progress: Progress::Synced, times };
            let text = said.to_string();
            let without = Signature { times: None, ..said };
            assert_eq!(without.to_string().len(), text.len());
            assert_eq!(parse(text.as_bytes()), Some(said));
            assert_eq!(parse(without.to_string().as_bytes()), Some(without));
            for length in 0..text.len() {
                assert_eq!(parse(&text.as_bytes()[..length]), None);
            }
        }
        // What programs wrote that knew of no times.
        let old = parse(b"pid 17 done\n").unwrap();
        assert_eq!((old.progress, old.times), (Progress::Synced, None));
    }
}
