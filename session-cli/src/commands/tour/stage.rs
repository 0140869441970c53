//! Where the tour takes place: a directory and a supervisor of its own, gone afterwards whatever happens.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Exit, Session, TerminalSize};
use session_pty::client::{StreamEvent, ViewerStream};
use session_pty::screen::Screen;
use session_pty::{Client, Feed, Instance, ViewerSpec};

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::system;

/// The tour's own store and supervisor.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) invocation: Invocation,
    directory: PathBuf,
    cleared: bool,
}

/// Somebody who watches a session from a terminal of 60 columns.
#[derive(Debug)]
pub(super) struct Viewing {
    stream: ViewerStream,
    screen: Screen,
}

const SIZE: TerminalSize = TerminalSize::nearest(60, 6);

/// How long the supervisor may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

impl Stage {
    /// Makes the directory.
    pub(super) fn set(invocation: &Invocation) -> Result<Self, CliError> {
        let directory = new_directory(invocation)?;
        let mut plan = invocation.plan.clone();
        plan.data_dir = directory.join("data");
        plan.runtime_dir = directory.join("run");
        plan.session = None;
        plan.inside = None;
        plan.caller.directory = Some(directory.clone());
        Ok(Self { invocation: Invocation::new(plan), directory, cleared: false })
    }

    /// Removes everything, and says what went wrong first.
    pub(super) fn clear<T>(mut self, walked: Result<T, CliError>) -> Result<T, CliError> {
        let cleared = self.remove();
        let walked = walked?;
        cleared?;
        Ok(walked)
    }

    fn remove(&mut self) -> Result<(), CliError> {
        self.cleared = true;
        let ended = end_supervisor(&self.invocation);
        fs::remove_dir_all(&self.directory).map_err(|source| {
            CliError::io(&format!("removing {}", self.directory.display()), &source)
        })?;
        ended
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.cleared {
            // Only a panic comes here, and that is what is heard of.
            let _heard_already = self.remove();
        }
    }
}

/// A directory that nobody else can look into, with room for a socket's path.
fn new_directory(invocation: &Invocation) -> Result<PathBuf, CliError> {
    let name = format!("session-tour-{:016x}", system::random_bits()?);
    let temporary = invocation.plan.caller.path("TMPDIR").filter(|path| path.is_absolute());
    let temporary = temporary.and_then(|path| path.canonicalize().ok());
    let short = |path: &PathBuf| path.as_os_str().len() < 50;
    let base = temporary.filter(short).unwrap_or_else(|| Path::new("/tmp").to_owned());
    let directory = base.join(name);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(|source| CliError::io(&format!("making {}", directory.display()), &source))?;
    Ok(directory)
}

/// Ends the supervisor and all that it runs, and waits until it has.
pub(super) fn end_supervisor(there: &Invocation) -> Result<(), CliError> {
    if let Some(client) = Client::connect(&there.place)? {
        client.shutdown(true)?;
    }
    let deadline = Instant::now() + END_TIMEOUT;
    while let Ok(Some(instance)) = Instance::alive(&there.place.instance_lock()) {
        if Instant::now() > deadline {
            return Err(there.unreachable(&instance));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

impl Viewing {
    /// Attaches. Dropped, it is gone without a word, as a closed window is.
    pub(super) fn begin(there: &Invocation, session: &Session) -> Result<Self, CliError> {
        let viewer = ViewerSpec {
            size: Some(SIZE),
            terminal: true,
            feed: Feed::Screen,
            ..ViewerSpec::default()
        };
        let stream = there.client_for(session)?.attach(session.id(), viewer)?;
        let screen = Screen::new(SIZE, 0);
        Ok(Self { stream, screen })
    }

    /// Watches until the text is on the screen; returns the rows.
    pub(super) fn until(mut self, text: &str, patience: Duration) -> Result<Vec<String>, CliError> {
        let deadline = Instant::now() + patience;
        while !self.screen.text(None).contains(text) {
            match self.next(deadline)? {
                StreamEvent::Output(bytes) | StreamEvent::Screen(bytes) => self.screen.feed(&bytes),
                StreamEvent::Gap { screen, .. } => self.screen.feed(&screen),
                StreamEvent::Exited(_) | StreamEvent::Closed | StreamEvent::Detached => {
                    let message = format!("the tour went wrong: {text:?} did not come");
                    return Err(CliError::new(ErrorKind::Internal, message));
                }
                _ => {}
            }
        }
        Ok(self.screen.text(None).lines().map(str::to_owned).collect())
    }

    /// Watches until the program ends.
    pub(super) fn until_end(mut self, patience: Duration) -> Result<Exit, CliError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.next(deadline)? {
                StreamEvent::Exited(exit) => return Ok(exit),
                StreamEvent::Closed => return Ok(Exit::Unknown),
                _ => {}
            }
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<StreamEvent, CliError> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream.next(Some(left))?.ok_or_else(|| {
            CliError::new(ErrorKind::Timeout, "the tour went wrong: nothing more came")
        })
    }
}
