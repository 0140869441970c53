//! Starting a supervisor on demand, and knowing when it is ready.
//!
//! The launcher starts the program again with other arguments; the new process leaves the caller's session by
//! itself. Its standard output is a pipe on which it says one line of JSON: ready, somebody else is, or why not.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
pub(super) struct Report;

impl Launcher {
    /// Starts a supervisor and waits until it listens or has said why it does not.
    ///
    /// # Errors
    /// What the supervisor said, or that it ended without a word.
    pub(crate) fn start(&self) -> Result<Started, RuntimeError> {
        let failed = |source| RuntimeError::io("starting the supervisor", source);
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
        let mut line = String::new();
        if let Some(pipe) = child.stdout.take() {
            // A line is short; whatever writes more is not our supervisor.
            BufReader::new(pipe.take(64 << 10)).read_line(&mut line).map_err(failed)?;
        }
        match serde_json::from_str(&line) {
            Ok(Line::Ready) => {
                // It outlives this process; if not, it must not stay behind as a zombie.
                std::thread::spawn(move || child.wait());
                Ok(Started::Ready)
            }
            Ok(Line::AlreadyThere) => child.wait().map(|_| Started::AlreadyThere).map_err(failed),
            Ok(Line::Failed(refusal)) => {
                child.wait().map_err(failed)?;
                Err(refusal.into_error())
            }
            Err(_) => {
                let status = child.wait().map_err(failed)?;
                let text = format!("it ended without a word ({status})");
                Err(failed(std::io::Error::other(text)))
            }
        }
    }
}

impl Report {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn ready(self) {
        Self::say(&Line::Ready);
    }

    pub(super) fn already_there(self) {
        Self::say(&Line::AlreadyThere);
    }

    pub(super) fn failed(self, error: &RuntimeError) {
        Self::say(&Line::Failed(Refusal::new(error, None)));
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
