//! Recordings of sessions, which whoever plays terminal recordings can play.
//!
//! A recording is written by a viewer that nobody counts, on a thread of its own, so that a slow disk slows no program.
//! Beside `<id>.cast` stands `<id>.cast.at` while it is written: how many bytes of the recording tell how many of the
//! output. A supervisor that takes the session back goes on there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{Clock, RuntimeError, SessionId, SessionStore, StoreError, TerminalSize};

use super::log_line;
use crate::cast::Cast;
use crate::live::SessionHandle;
use crate::place::Place;
use crate::stream::StreamEvent;
use crate::wire::{Feed, ViewerSpec};

/// A recording that is being written.
#[derive(Debug)]
struct Recording {
    cast: Cast,
    file: File,
    /// How long the file is, and which byte of the output comes next.
    length: u64,
    position: u64,
    mark: File,
    size: TerminalSize,
}

/// How the names of marks end, after the session's id.
const MARK: &str = ".cast.at";

fn mark_path(path: &Path) -> PathBuf {
    path.with_extension("cast.at")
}

/// Whether a session was being recorded when its supervisor ended.
pub(super) fn is_unfinished(place: &Place, id: SessionId) -> bool {
    mark_path(&place.recording(id)).exists()
}

/// Makes the directory of recordings.
///
/// # Errors
/// What the operating system says.
pub(super) fn prepare(place: &Place) -> Result<(), RuntimeError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(place.output_dir());
    made.map_err(|source| RuntimeError::io("recording a session", source))
}

/// Records a running session from its first byte that is kept, or goes on with its recording. One that is recorded
/// already, goes on being so.
///
/// # Errors
/// What the operating system says, and when no thread can be started.
pub(super) fn begin(
    place: &Place,
    handle: SessionHandle,
    clock: Arc<dyn Clock>,
) -> Result<(), RuntimeError> {
    let failed = |source| RuntimeError::io("recording a session", source);
    let path = place.recording(handle.id());
    prepare(place)?;
    let Some(recording) = Recording::open(&path, handle.live().size, &*clock).map_err(failed)?
    else {
        return Ok(());
    };
    let thread = std::thread::Builder::new().name(format!("cast {}", handle.id().short()));
    let work = move || {
        let id = handle.id();
        if let Err(error) = recording.follow(&handle, &*clock) {
            log_line(&format!("the recording of session {id} ends early: {error}"));
        }
        if let Err(error) = remove(&mark_path(&path)) {
            log_line(&format!("ending the recording of session {id}: {error}"));
        }
    };
    thread.spawn(work).map(drop).map_err(failed)
}

/// Nobody goes on with the recordings of programs that do not run any more.
///
/// # Errors
/// What the operating system says.
pub(super) fn clean(place: &Place, store: &dyn SessionStore) -> io::Result<()> {
    let entries = match fs::read_dir(place.output_dir()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(id) = name.and_then(|name| name.strip_suffix(MARK)) else { continue };
        let Ok(id) = SessionId::parse(id) else { continue };
        let is_over = match store.get(id) {
            Ok(session) => !session.has_live_process(),
            // A store that does not say is no reason to forget where a recording is.
            Err(error) => matches!(error, StoreError::NotFound { .. } | StoreError::Trashed { .. }),
        };
        if is_over {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Recording {
    /// A new one, or one that goes on. `None` while another thread is at it.
    fn open(path: &Path, size: TerminalSize, clock: &dyn Clock) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let (file, mark) = (options.open(path)?, options.open(mark_path(path))?);
        match mark.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        let marked = fs::read_to_string(mark_path(path))?;
        let mut numbers = marked.split_ascii_whitespace().map(str::parse);
        if let (Some(Ok(length)), Some(Ok(position))) = (numbers.next(), numbers.next()) {
            let mut first = String::new();
            BufReader::new(&file).read_line(&mut first)?;
            if let Some(cast) = Cast::resume(first.trim_end()) {
                // What came after the mark is told once more.
                file.set_len(length)?;
                return Ok(Some(Self { cast, file, length, position, mark, size }));
            }
        }
        let (cast, header) = Cast::begin(size, None, clock.now());
        file.set_len(0)?;
        let mut recording = Self { cast, file, length: 0, position: 0, mark, size };
        recording.write(&header)?;
        Ok(Some(recording))
    }

    /// Writes down what happens until the program ends.
    fn follow(mut self, handle: &SessionHandle, clock: &dyn Clock) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("writing a recording", source);
        loop {
            let viewer = ViewerSpec {
                read_only: true,
                feed: Feed::Log,
                from: Some(self.position + self.cast.waiting() as u64),
                uncounted: true,
                ..ViewerSpec::default()
            };
            let mut stream = match handle.watch(viewer) {
                Ok(stream) => stream,
                // It ended in this moment: the rest is in what is kept of it.
                Err(RuntimeError::NotRunning { .. }) => {
                    let (start, bytes) = handle.since(self.position);
                    self.missed(start.saturating_sub(self.position), clock).map_err(failed)?;
                    self.output(&bytes, clock).map_err(failed)?;
                    return self.file.sync_all().map_err(failed);
                }
                Err(error) => return Err(error),
            };
            let mut has_begun = false;
            loop {
                let Some(event) = stream.next(None)? else { continue };
                match event {
                    StreamEvent::Output(bytes) => {
                        has_begun = true;
                        self.output(&bytes, clock).map_err(failed)?;
                    }
                    StreamEvent::Resized(size) if size != self.size => {
                        self.size = size;
                        let line = self.cast.resized(size, clock.now());
                        self.write(&line).map_err(failed)?;
                    }
                    // What was too much at once is fetched from what is kept.
                    StreamEvent::Gap { .. } if has_begun => break,
                    StreamEvent::Gap { missed, .. } => {
                        self.missed(missed, clock).map_err(failed)?;
                    }
                    StreamEvent::Exited(_) | StreamEvent::Closed => {
                        return self.file.sync_all().map_err(failed);
                    }
                    _ => {}
                }
            }
        }
    }

    fn output(&mut self, bytes: &[u8], clock: &dyn Clock) -> io::Result<()> {
        let before = self.cast.waiting();
        let line = self.cast.output(bytes, clock.now());
        // A character that waits for its end is not told yet, and is fetched again by whoever goes on.
        self.position += (before + bytes.len() - self.cast.waiting()) as u64;
        line.map_or(Ok(()), |line| self.write(&line))
    }

    /// So many bytes are nowhere any more.
    fn missed(&mut self, bytes: u64, clock: &dyn Clock) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.position += bytes;
        let line = self.cast.remark(&format!("{bytes} bytes are missing"), clock.now());
        self.write(&line)
    }

    /// Appends a line, then says up to where it goes.
    fn write(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all_at(line.as_bytes(), self.length)?;
        self.length += line.len() as u64;
        let mark = format!("{:20} {:20}\n", self.length, self.position);
        self.mark.write_all_at(mark.as_bytes(), 0)
    }
}
