//! A program in place of a person: standard input is typed, output goes to standard output as it comes.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use session_core::{Exit, RuntimeError};

use crate::stream::{StreamEvent, ViewerStream};

/// What to do at the end of standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEndOfInput {
    /// Type the end-of-file character once and wait for the program.
    WaitForProgram,
    /// Stay until there was no output for the first time span, at most for the second, then leave.
    LeaveWhenQuiet(Duration, Duration),
}

/// How watching through a pipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipeEnd {
    /// How the program ended, if that is why.
    pub exit: Option<Exit>,
    /// Somebody else sent this viewer away.
    pub sent_away: bool,
    /// The supervisor is gone, or the program ended in the moment of attaching.
    pub closed: bool,
    /// Output bytes that were left out because nobody took them in time.
    pub missed: u64,
}

/// Pieces of output that may wait for whoever reads standard output: 64 MiB at most.
const WAITING: usize = 1024;

/// Watches a session through standard input and output.
///
/// # Errors
/// When the stream makes no sense. A closed standard output is no error: whoever read it has enough.
pub fn attach_pipe(
    mut stream: ViewerStream,
    at_end: AtEndOfInput,
) -> Result<PipeEnd, RuntimeError> {
    let failed = |source| RuntimeError::io("watching through a pipe", source);
    let (mut input_ended, ended) = UnixStream::pair().map_err(failed)?;
    let typist = stream.try_clone().map_err(failed)?;
    std::thread::Builder::new()
        .name("typing".to_owned())
        .spawn(move || type_input(typist, at_end, ended))
        .map_err(failed)?;
    let (pieces, shown) = sync_channel::<Vec<u8>>(WAITING);
    let writer = std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let mut out = io::stdout().lock();
            shown.iter().try_for_each(|piece| out.write_all(&piece).and_then(|()| out.flush()))
        })
        .map_err(failed)?;
    let end = follow(&mut stream, at_end, &mut input_ended, &pieces);
    drop(pieces);
    // A panic of the writer was reported by the hook; an error means that nobody reads any more.
    let _nobody_reads = writer.join();
    end
}

fn follow(
    stream: &mut ViewerStream,
    at_end: AtEndOfInput,
    input_ended: &mut UnixStream,
    pieces: &SyncSender<Vec<u8>>,
) -> Result<PipeEnd, RuntimeError> {
    let failed = |source| RuntimeError::io("watching through a pipe", source);
    let mut end = PipeEnd { exit: None, sent_away: false, closed: false, missed: 0 };
    let mut leaving: Option<Leaving> = None;
    let mut input_open = true;
    loop {
        while let Some(event) = stream.buffered().map_err(failed)? {
            match event {
                StreamEvent::Output(bytes) => {
                    if let Some(leaving) = &mut leaving {
                        leaving.last_output = Instant::now();
                    }
                    if pieces.send(bytes).is_err() {
                        return Ok(end);
                    }
                }
                StreamEvent::Gap { missed, .. } => end.missed += missed,
                StreamEvent::Exited(exit) => {
                    end.exit = Some(exit);
                    return Ok(end);
                }
                StreamEvent::Detached => {
                    end.sent_away = true;
                    return Ok(end);
                }
                StreamEvent::Closed | StreamEvent::Screen(_) | StreamEvent::Resized(_) => {}
            }
        }
        let left = leaving.as_ref().map(Leaving::left);
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(end);
        }
        let interest = if input_open { PollFlags::IN } else { PollFlags::empty() };
        let (heard, ended) = {
            let mut fds = [
                PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(input_ended.as_fd(), interest),
            ];
            let timeout = left.map(|left| Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            });
            match rustix::event::poll(&mut fds, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
            (!fds[0].revents().is_empty(), input_open && !fds[1].revents().is_empty())
        };
        if ended {
            input_open = false;
            if let AtEndOfInput::LeaveWhenQuiet(quiet, most) = at_end {
                let now = Instant::now();
                leaving = Some(Leaving { last_output: now, quiet, deadline: now + most });
            }
        }
        if heard && !stream.receive().map_err(failed)? {
            end.closed = true;
            return Ok(end);
        }
    }
}

/// A viewer that has nothing more to type and waits for the last answers.
struct Leaving {
    last_output: Instant,
    quiet: Duration,
    deadline: Instant,
}

impl Leaving {
    fn left(&self) -> Duration {
        let end = (self.last_output + self.quiet).min(self.deadline);
        end.saturating_duration_since(Instant::now())
    }
}

/// Types standard input to its end. The dropped end of the pair tells that it is over.
fn type_input(mut stream: ViewerStream, at_end: AtEndOfInput, _ended: UnixStream) {
    let mut buffer = [0; 16 << 10];
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => {
                if stream.input(&buffer[..len]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if at_end == AtEndOfInput::WaitForProgram {
        // A session that is gone needs no end of input.
        let _gone = stream.end_of_input();
    }
}
