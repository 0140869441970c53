//! The supervisor's log, which standard error is: lines of text for people, in a file that does not grow for ever.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A log of this size becomes the old one, and the one before it is gone.
const LARGEST: u64 = 1 << 20;

/// A line that repeats the one before it is counted, and written again only after this long.
const REPEAT: Duration = Duration::from_secs(60);

/// The log of this process, once it has become a supervisor. A runtime inside another program has none.
static LOG: OnceLock<Mutex<Log>> = OnceLock::new();

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    last: Option<Line>,
}

/// The line that was written last.
#[derive(Debug)]
struct Line {
    text: String,
    at: Instant,
    /// How often it was said since.
    repeated: u32,
}

/// Opens the log and makes standard error the same file.
///
/// # Errors
/// What the operating system says.
pub(super) fn open(path: &Path) -> io::Result<()> {
    let log = Log::open(path)?;
    rustix::stdio::dup2_stderr(&log.file)?;
    // A process becomes a supervisor once.
    let _opened_before = LOG.set(Mutex::new(log));
    Ok(())
}

/// A line in the log, if this process has one.
pub(crate) fn log_line(text: &str) {
    let Some(log) = LOG.get() else { return };
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    if log.say(text, Instant::now()) {
        // What panics say goes the same way as before when this fails.
        let _still_the_old_one = rustix::stdio::dup2_stderr(&log.file);
    }
}

/// Writes where the log is found from now on: its directory may have been removed and made again.
pub(crate) fn reopen() {
    let Some(log) = LOG.get() else { return };
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    if log.begin_anew_if_gone() {
        // As above.
        let _still_the_old_one = rustix::stdio::dup2_stderr(&log.file);
    }
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|found| found.len() >= LARGEST) {
            fs::rename(path, path.with_extension("log.old"))?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        Ok(Self { path: path.to_owned(), file, last: None })
    }

    /// Writes a line; true when that began a new file.
    fn say(&mut self, text: &str, now: Instant) -> bool {
        let begun_anew = self.begin_anew_if_gone();
        let mut before = 0;
        if let Some(last) = self.last.as_mut() {
            let repeats = last.text == text;
            if repeats && now.saturating_duration_since(last.at) < REPEAT {
                last.repeated += 1;
                return false;
            }
            before = last.repeated;
        }
        self.last = Some(Line { text: text.to_owned(), at: now, repeated: 0 });
        let begun_anew = self.make_room() || begun_anew;
        if before > 0 {
            self.write(&format!("(that {before} times more)"));
        }
        self.write(text);
        begun_anew
    }

    fn write(&mut self, text: &str) {
        // A log on a full disk is no reason to end anything.
        let _full = self.file.write_all(format!("{text}\n").as_bytes());
    }

    /// Whether the file is what is found at its path: it may have been removed, or become the old one by another
    /// process's hand.
    fn is_in_place(&self) -> bool {
        let of = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let found = fs::symlink_metadata(&self.path).map(of);
        found.is_ok_and(|found| self.file.metadata().is_ok_and(|own| of(own) == found))
    }

    /// True when another file was begun.
    fn begin_anew_if_gone(&mut self) -> bool {
        if self.is_in_place() {
            return false;
        }
        // Without its directory it goes on in a file that has no name.
        // In the new one nothing was said before.
        Self::open(&self.path).map(|begun| *self = begun).is_ok()
    }

    /// Keeps the file within its size; true when another one was begun.
    fn make_room(&mut self) -> bool {
        if self.file.metadata().is_ok_and(|found| found.len() < LARGEST) {
            return false;
        }
        match Self::open(&self.path) {
            Ok(Self { file, .. }) => {
                self.file = file;
                true
            }
            Err(_) => {
                // Its directory is gone or full: what nobody can find or keep may as well begin anew.
                let _still_long = self.file.set_len(0);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_repeats_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.log");
        let mut log = Log::open(&path).unwrap();
        let start = Instant::now();
        for _ in 0..1000 {
            log.say("no descriptors left", start);
        }
        log.say("no descriptors left", start + REPEAT);
        log.say("something else", start + REPEAT);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "no descriptors left",
                "(that 999 times more)",
                "no descriptors left",
                "something else"
            ]
        );
    }

    #[test]
    fn two_files_are_all_that_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.log");
        let mut log = Log::open(&path).unwrap();
        let start = Instant::now();
        for number in 0..40_u32 {
            log.say(&format!("{number} {}", "x".repeat(100_000)), start);
        }
        let mut sizes = Vec::new();
        for entry in fs::read_dir(directory.path()).unwrap() {
            sizes.push(entry.unwrap().metadata().unwrap().len());
        }
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|&size| size < LARGEST + 200_000), "{sizes:?}");
        assert!(fs::read_to_string(&path).unwrap().contains("39 x"));
    }

    #[test]
    fn a_log_that_is_removed_or_replaced_goes_on_where_it_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        fs::create_dir(&run).unwrap();
        let path = run.join("supervisor.log");
        let mut log = Log::open(&path).unwrap();
        let start = Instant::now();
        fs::remove_dir_all(&run).unwrap();
        assert!(!log.say("nowhere", start));
        fs::create_dir(&run).unwrap();
        assert!(log.say("there again", start));
        // Keeper and supervisor share it, and either may make it the old one.
        fs::rename(&path, run.join("supervisor.log.old")).unwrap();
        assert!(log.say("in the new one", start));
        assert_eq!(fs::read_to_string(&path).unwrap(), "in the new one\n");
    }

    #[test]
    fn a_log_without_its_directory_still_ends_somewhere() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Log::open(&directory.path().join("supervisor.log")).unwrap();
        drop(directory);
        let start = Instant::now();
        for number in 0..40_u32 {
            log.say(&format!("{number} {}", "x".repeat(100_000)), start);
        }
        assert!(log.file.metadata().unwrap().len() < LARGEST + 200_000);
    }
}
