//! Sitting at a session, from a terminal or through a pipe, until something ends it.

use std::time::Duration;

use session_core::{ErrorKind, Exit, Session, Spawn};
use session_pty::client::{
    AtEndOfInput, AttachEnd, ViewerStream, attach_pipe, attach_terminal, terminal_size,
};
use session_pty::{Client, Feed, ViewerSpec};

use super::new;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::text::{called, ended};

/// A viewer to be.
#[derive(Debug)]
pub(crate) struct Sitting<'a> {
    pub(crate) invocation: &'a Invocation,
    pub(crate) read_only: bool,
    /// Lines of history that the terminal gets.
    pub(crate) scrollback: usize,
    /// What begins is recorded.
    pub(crate) record: bool,
}

/// What a pipe does at the end of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtPipe {
    /// Waits for the program.
    Wait,
    /// Leaves when there was no output for a while.
    Leave,
}

/// A pipe that has nothing more to type leaves after so long without output, and after so long in any case.
const QUIET: Duration = Duration::from_secs(1);
const AT_MOST: Duration = Duration::from_secs(10);

/// Why nobody sits there any more.
enum Ending {
    Left,
    SentAway,
    Exited(Exit),
    Closed,
    TerminalGone,
}

impl<'a> Sitting<'a> {
    pub(crate) fn new(invocation: &'a Invocation) -> Self {
        Self { invocation, read_only: false, scrollback: invocation.plan.scrollback, record: false }
    }

    /// Starts the program and watches it from its first byte.
    pub(crate) fn begin(
        &self,
        mut client: Client,
        spawn: Spawn,
        at_pipe: AtPipe,
    ) -> Result<Code, CliError> {
        if self.record {
            client.record_spawned();
        }
        let (session, stream) = client.spawn_watched(spawn, self.viewer(false))?;
        if self.record {
            new::say_recorded(self.invocation, session.id());
        }
        let out = &self.invocation.out;
        out.detail(&format!("[{} is session {}]", called(&session), session.id()));
        self.watch(&session, stream, at_pipe)
    }

    /// Watches a running session.
    pub(crate) fn attach(
        &self,
        session: &Session,
        detach_others: bool,
        at_pipe: AtPipe,
    ) -> Result<Code, CliError> {
        let client = self.invocation.client_for(session)?;
        let stream = client.attach(session.id(), self.viewer(detach_others))?;
        self.watch(session, stream, at_pipe)
    }

    fn viewer(&self, detach_others: bool) -> ViewerSpec {
        let caller = &self.invocation.plan.caller;
        let at_terminal = caller.is_at_terminal();
        ViewerSpec {
            size: terminal_size().filter(|_| at_terminal),
            read_only: self.read_only,
            terminal: at_terminal,
            feed: if at_terminal { Feed::Screen } else { Feed::Log },
            detach_others,
            scrollback: if at_terminal { self.scrollback } else { 0 },
            ssh_agent: caller.path("SSH_AUTH_SOCK").filter(|agent| agent.to_str().is_some()),
            ..ViewerSpec::default()
        }
    }

    fn watch(
        &self,
        session: &Session,
        stream: ViewerStream,
        at_pipe: AtPipe,
    ) -> Result<Code, CliError> {
        let ending = if self.invocation.plan.caller.is_at_terminal() {
            match attach_terminal(stream, self.invocation.plan.detach_key)? {
                AttachEnd::Detached => Ending::Left,
                AttachEnd::SentAway => Ending::SentAway,
                AttachEnd::Exited(exit) => Ending::Exited(exit),
                AttachEnd::TerminalGone => Ending::TerminalGone,
                _ => Ending::Closed,
            }
        } else {
            self.through_pipe(stream, at_pipe)?
        };
        self.tell(session, &ending)
    }

    fn through_pipe(&self, stream: ViewerStream, at_pipe: AtPipe) -> Result<Ending, CliError> {
        let at_end = match at_pipe {
            AtPipe::Wait => AtEndOfInput::WaitForProgram,
            AtPipe::Leave => AtEndOfInput::LeaveWhenQuiet(QUIET, AT_MOST),
        };
        let end = attach_pipe(stream, at_end)?;
        if end.missed > 0 {
            let text =
                format!("[{} bytes of output were left out: nobody took them in time]", end.missed);
            self.invocation.out.note(&text);
        }
        Ok(match end.exit {
            Some(exit) => Ending::Exited(exit),
            None if end.sent_away => Ending::SentAway,
            None if end.closed => Ending::Closed,
            None => Ending::Left,
        })
    }

    /// Says what happened, and returns what it means for the caller.
    fn tell(&self, session: &Session, ending: &Ending) -> Result<Code, CliError> {
        let out = &self.invocation.out;
        let name = called(session);
        match ending {
            Ending::Left | Ending::SentAway => {
                let who = if matches!(ending, Ending::Left) { "" } else { " by somebody else" };
                out.note(&format!(
                    "[detached from {name}{who} - come back with: session attach {name}]"
                ));
                Ok(Code::Done)
            }
            Ending::TerminalGone => Ok(Code::Done),
            Ending::Exited(exit) => {
                out.note(&format!("[{name} {}]", ended(*exit)));
                Ok(Code::Program(*exit))
            }
            Ending::Closed => self.look_up(session),
        }
    }

    /// What the record says of a session whose stream has closed without a word.
    fn look_up(&self, session: &Session) -> Result<Code, CliError> {
        let name = called(session);
        let seen = self.invocation.settled(session.id())?;
        let exit = seen.process.as_ref().and_then(|process| process.state.exit());
        if let Some(exit) = exit {
            self.invocation.out.note(&format!("[{name} {}]", ended(exit)));
            return Ok(Code::Program(exit));
        }
        if seen.has_live_process() {
            let message = format!("the connection to {name} was lost; it is still running");
            return Err(CliError::new(ErrorKind::Gone, message)
                .hint(format!("come back with: session attach {name}")));
        }
        Err(CliError::new(ErrorKind::Gone, format!("{name} was lost: its supervisor is gone"))
            .hint(format!("`session logs {name}` shows what was kept of its output")))
    }
}
