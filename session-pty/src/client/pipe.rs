//! A program in place of a person: standard input is typed, output goes to standard output as it comes.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use session_core::{Exit, RuntimeError};

use crate::stream::{StreamEvent, ViewerStream, WINDOW, deadline_after};
use crate::wire::Kind;

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
/// Before it returns, everything that came is written to standard output; and when it leaves because it is quiet, the
/// terminal has taken everything that was typed, unless the program did not read it until the second time span was over.
///
/// A thread of its own reads standard input, at most some hundred kilobytes ahead of the terminal. Nothing can interrupt
/// its read: when the watching ends before the input does, the thread outlives it, holds the lock of standard input, and
/// loses what it reads next. Whoever calls this
/// has no use for standard input afterwards, as a program that ends.
///
/// # Errors
/// When the stream makes no sense. A closed standard output is no error: whoever read it has enough.
pub fn attach_pipe(
    mut stream: ViewerStream,
    at_end: AtEndOfInput,
) -> Result<PipeEnd, RuntimeError> {
    let failed = |source| RuntimeError::io("watching through a pipe", source);
    let (input, typed) = UnixStream::pair().map_err(failed)?;
    std::thread::Builder::new()
        .name("typing".to_owned())
        .spawn(move || pass_on_input(&typed))
        .map_err(failed)?;
    let (pieces, shown) = sync_channel::<Vec<u8>>(WAITING);
    let writer = std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let mut out = io::stdout().lock();
            shown.iter().try_for_each(|piece| out.write_all(&piece).and_then(|()| out.flush()))
        })
        .map_err(failed)?;
    let end = follow(&mut stream, at_end, input, &pieces);
    stream.close();
    drop(pieces);
    // A panic of the writer was reported by the hook; an error means that nobody reads any more.
    let _nobody_reads = writer.join();
    end
}

fn follow(
    stream: &mut ViewerStream,
    at_end: AtEndOfInput,
    mut input: UnixStream,
    pieces: &SyncSender<Vec<u8>>,
) -> Result<PipeEnd, RuntimeError> {
    let failed = |source| RuntimeError::io("watching through a pipe", source);
    let mut end = PipeEnd { exit: None, sent_away: false, closed: false, missed: 0 };
    let mut leaving: Option<Leaving> = None;
    let mut input_open = true;
    let mut buffer = [0; 16 << 10];
    loop {
        while let Some(event) = stream.buffered().map_err(failed)? {
            match event {
                StreamEvent::Output(bytes) => {
                    if let Some(leaving) = &mut leaving {
                        leaving.put_off();
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
        if let Some(leaving) = &mut leaving {
            // Everything that was typed is taken first; the supervisor closes the stream when it has read this.
            if leaving.is_due() && !leaving.said && stream.outbox.is_settled() {
                leaving.said = true;
                stream.outbox.push(Kind::Detach, b"");
            }
            if leaving.is_over() {
                return Ok(end);
            }
        }
        stream.send();
        let when = |wanted: bool, flags| if wanted { flags } else { PollFlags::empty() };
        let sends = when(stream.outbox.wants_to_send(), PollFlags::OUT);
        let types = input_open && stream.outbox.len() < WINDOW;
        let left = leaving.as_ref().and_then(|it| it.left(stream.outbox.is_settled()));
        let mut fds = vec![PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN | sends)];
        if types {
            fds.push(PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN));
        }
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let heard = fds[0].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let typed = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        if typed {
            match input.read(&mut buffer) {
                Ok(0) => {
                    input_open = false;
                    match at_end {
                        AtEndOfInput::WaitForProgram => stream.outbox.push(Kind::EndOfInput, b""),
                        AtEndOfInput::LeaveWhenQuiet(quiet, most) => {
                            leaving = Some(Leaving::new(quiet, most));
                        }
                    }
                }
                Ok(len) => stream.outbox.push_typed(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if heard && !stream.receive().map_err(failed)? {
            let said = leaving.as_ref().is_some_and(|leaving| leaving.said);
            if said || !stream.resume(leaving.as_ref().and_then(|leaving| leaving.deadline))? {
                end.closed = !said;
                return Ok(end);
            }
        }
    }
}

/// A viewer that has nothing more to type and waits for the last answers. A moment beyond any clock is `None`.
struct Leaving {
    quiet: Duration,
    quiet_at: Option<Instant>,
    deadline: Option<Instant>,
    /// The supervisor has been told.
    said: bool,
}

impl Leaving {
    fn new(quiet: Duration, most: Duration) -> Self {
        let (quiet_at, deadline) = (deadline_after(quiet), deadline_after(most));
        Self { quiet, quiet_at, deadline, said: false }
    }

    fn put_off(&mut self) {
        self.quiet_at = deadline_after(self.quiet);
    }

    /// After how long there is something to do: to say so once everything is `settled`, or to give up waiting for that
    /// and for the supervisor.
    fn left(&self, settled: bool) -> Option<Duration> {
        let quiet = self.quiet_at.filter(|_| settled && !self.said);
        let next = quiet.into_iter().chain(self.deadline).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn is_due(&self) -> bool {
        self.quiet_at.is_some_and(|quiet_at| quiet_at <= Instant::now()) || self.is_over()
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// Passes on standard input to its end, or until nobody wants it any more.
fn pass_on_input(mut typed: &UnixStream) {
    let mut buffer = [0; 16 << 10];
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => {
                if typed.write_all(&buffer[..len]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};

    use super::*;
    use crate::wire::{Decoder, encode};

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_quiet_pipe_leaves_when_the_supervisor_has_taken_all_and_shows_what_comes_until_then() {
        let (stream, mut supervisor) = UnixStream::pair().unwrap();
        supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = ViewerStream::new(stream, Decoder::default());
        let (input, typed) = UnixStream::pair().unwrap();
        drop(typed);
        let (pieces, shown) = sync_channel(WAITING);
        let (sender, left) = channel();
        std::thread::spawn(move || {
            let at_end = AtEndOfInput::LeaveWhenQuiet(Duration::ZERO, Duration::MAX);
            sender.send(follow(&mut stream, at_end, input, &pieces)).unwrap();
        });
        let mut said = vec![0; encode(Kind::Detach, b"").len()];
        supervisor.read_exact(&mut said).unwrap();
        assert_eq!(said, encode(Kind::Detach, b""));
        supervisor.write_all(&encode(Kind::Output, b"late")).unwrap();
        assert_eq!(shown.recv_timeout(PATIENCE).unwrap(), b"late");
        assert!(matches!(left.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout)));
        drop(supervisor);
        let end = left.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(end, PipeEnd { exit: None, sent_away: false, closed: false, missed: 0 });
    }

    #[test]
    fn a_supervisor_that_takes_nothing_is_left_in_time() {
        let (stream, _supervisor) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        while (&stream).write(&[0; 4 << 10]).is_ok() {}
        stream.set_nonblocking(false).unwrap();
        let mut stream = ViewerStream::new(stream, Decoder::default());
        let (input, typed) = UnixStream::pair().unwrap();
        drop(typed);
        let (pieces, _shown) = sync_channel(WAITING);
        let (sender, left) = channel();
        std::thread::spawn(move || {
            let at_end = AtEndOfInput::LeaveWhenQuiet(Duration::ZERO, Duration::from_millis(20));
            sender.send(follow(&mut stream, at_end, input, &pieces)).unwrap();
        });
        let end = left.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(end, PipeEnd { exit: None, sent_away: false, closed: false, missed: 0 });
    }
}
