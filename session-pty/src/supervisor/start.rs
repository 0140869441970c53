//! Starting a supervisor on demand, and knowing when it is ready.
//!
//! The launcher starts the program again with other arguments; the new process leaves the caller's session by
//! itself. Its standard output is a pipe on which it says one line of JSON: ready, somebody else is, or why not.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};
use session_core::RuntimeError;

use crate::wire::Refusal;

/// How a supervisor is started: the program and the arguments that make it call [`super::supervise`].
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The program; `None` for this very one.
    pub program: Option<PathBuf>,
    /// Its arguments.
    pub args: Vec<std::ffi::OsString>,
}

/// What became of an attempt to start one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// It listens.
    Ready,
    /// Another one was there already, or was faster.
    AlreadyThere,
}

/// The line on the pipe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Ready,
    AlreadyThere,
    Failed(Refusal),
}

/// The supervisor's end of the pipe.
#[derive(Debug)]
pub(crate) struct Report;

impl Launcher {
    /// Starts a supervisor and waits until it listens or has said why it does not.
    ///
    /// # Errors
    /// What the supervisor said, that it ended without a word, or that it said nothing within `timeout`.
    pub(crate) fn start(&self, timeout: Duration) -> Result<Started, RuntimeError> {
        let failed = |source| RuntimeError::io("starting the supervisor", source);
        let deadline = Instant::now() + timeout;
        let program = match &self.program {
            Some(program) => program.clone(),
            None => crate::os::own_program().map_err(failed)?,
        };
        let mut child = Command::new(program)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let pipe = child.stdout.take();
        // It outlives this process, as a rule; if not, it must not stay behind as a zombie.
        let (ended, end) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let _nobody_waits = child.wait().map(|status| ended.send(status));
        });
        let line = match pipe {
            Some(pipe) => first_line(pipe, deadline).map_err(failed)?,
            None => Some(Vec::new()),
        };
        let Some(line) = line else { return Err(LATE) };
        match serde_json::from_slice(&line) {
            Ok(Line::Ready) => Ok(Started::Ready),
            Ok(Line::AlreadyThere) => Ok(Started::AlreadyThere),
            Ok(Line::Failed(refusal)) => Err(refusal.into_error()),
            Err(_) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let Ok(status) = end.recv_timeout(left) else { return Err(LATE) };
                let text = format!("it ended without a word ({status})");
                Err(failed(std::io::Error::other(text)))
            }
        }
    }
}

const LATE: RuntimeError = RuntimeError::Timeout { what: "the start of the supervisor" };

/// What comes on the pipe up to the end of the first line; `None` when that does not come in time.
fn first_line(mut pipe: ChildStdout, deadline: Instant) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // A line is short; whatever writes more is not our supervisor.
    while !line.ends_with(b"\n") && line.len() < 64 << 10 {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&pipe, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [0; 4096];
        match pipe.read(&mut buffer)? {
            0 => break,
            len => line.extend_from_slice(&buffer[..len]),
        }
    }
    Ok(Some(line))
}

impl Report {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(super) fn ready(self) {
        Self::say(&Line::Ready);
    }

    pub(crate) fn already_there(self) {
        Self::say(&Line::AlreadyThere);
    }

    pub(crate) fn failed(self, error: &RuntimeError) {
        Self::say(&Line::Failed(Refusal::new(error)));
    }

    /// Says the line and closes the pipe, so that the launcher's own caller sees its end too.
    fn say(line: &Line) {
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        let mut out = std::io::stdout().lock();
        // A launcher that has left does not mind.
        let _left = out.write_all(&text).and_then(|()| out.flush());
        if let Ok(null) = File::options().write(true).open("/dev/null") {
            let _pipe_stays = rustix::stdio::dup2_stdout(&null);
        }
    }
}

#[cfg(test)]
mod tests {
    use session_core::ErrorKind;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn launcher(script: &str) -> Launcher {
        Launcher { program: Some("/bin/sh".into()), args: vec!["-c".into(), script.into()] }
    }

    #[test]
    fn one_that_says_nothing_is_not_waited_for() {
        let started = launcher("exec sleep 5").start(Duration::from_millis(1));
        assert_eq!(started.unwrap_err().kind(), ErrorKind::Timeout);
        // Nor one that babbles and stays.
        let started = launcher("echo hello; exec sleep 5").start(Duration::from_millis(1));
        assert_eq!(started.unwrap_err().kind(), ErrorKind::Timeout);
    }

    #[test]
    fn what_it_says_arrives() {
        assert_eq!(launcher("echo '\"ready\"'").start(LONG).unwrap(), Started::Ready);
        let there = launcher("echo '\"already-there\"'").start(LONG);
        assert_eq!(there.unwrap(), Started::AlreadyThere);
        let silent = launcher("exit 3").start(LONG).unwrap_err();
        let RuntimeError::Io { source, .. } = silent else { panic!("{silent:?}") };
        assert!(source.to_string().contains("3"), "{source}");
        let refused = r#"echo '{"failed":{"kind":"wrong-store","message":"no","hint":"other"}}'"#;
        let refused = launcher(refused).start(LONG).unwrap_err();
        let RuntimeError::Remote { kind, hint, .. } = refused else { panic!("{refused:?}") };
        assert_eq!((kind, hint.as_deref()), (ErrorKind::WrongStore, Some("other")));
    }
}
