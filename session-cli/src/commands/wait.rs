//! `session wait`: blocks until something happens in a session.

use std::time::{Duration, Instant};

use regex::Regex;
use serde::Serialize;
use session_core::{ErrorKind, Exit, Session, Status};
use session_pty::client::ViewerStream;
use session_pty::{Client, Feed, ViewerSpec};

use super::{logs, screen};
use crate::args::WaitArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::live::not_running;
use crate::output::json::ExitValue;
use crate::output::text::{called, ended};
use crate::watch::{Events, Feeding, Next, TextWatch, after, earlier};

/// Which condition held.
#[derive(Serialize)]
struct Held {
    condition: &'static str,
    exit: ExitValue,
    r#match: Option<String>,
}

/// What is waited for.
struct Wait<'a> {
    invocation: &'a Invocation,
    session: Session,
    exit: bool,
    idle: Option<Duration>,
    text: Option<TextWatch>,
    statuses: &'a [Status],
    deadline: Option<Instant>,
}

/// How often the status of a session without a program is looked up: anybody may write it into the store, which tells
/// nobody. A program's start and end are told by its supervisor.
const STATUS_PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn run(invocation: &Invocation, args: &WaitArgs) -> Result<Code, CliError> {
    let deadline = args.timeout.and_then(after);
    let text = match &args.text {
        Some(text) => Some(TextWatch::new(pattern(text)?)),
        None => None,
    };
    let nothing_else = args.idle.is_none() && args.text.is_none() && args.status.is_empty();
    let wait = Wait {
        invocation,
        session: invocation.session(args.session.as_deref())?,
        exit: args.exit || nothing_else,
        idle: args.idle,
        text,
        statuses: &args.status,
        deadline,
    };
    wait.run()
}

/// The program has ended, and the supervisor has not been able to record how.
fn unrecorded(session: &Session) -> CliError {
    let message = format!("{} has ended, and its end is not recorded yet", called(session));
    CliError::new(ErrorKind::Busy, message).hint("wait again; if the disk is full, make room first")
}

fn is_past(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at <= Instant::now())
}

fn pattern(text: &str) -> Result<Regex, CliError> {
    Regex::new(text).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        CliError::usage(format!("{text:?} is no regular expression: {reason}"))
            .hint("put a backslash before characters that should stand for themselves")
    })
}

impl Wait<'_> {
    fn run(mut self) -> Result<Code, CliError> {
        if !self.has_status() {
            // From here on, its supervisor tells of every change.
            self.session = self.invocation.started(self.session.id())?;
        }
        if self.has_status() {
            return self.held("status", None, Some(self.session.status().to_string()));
        }
        if self.session.has_live_process() {
            if let Some(matched) = self.text_is_there()? {
                return self.held("text", None, Some(matched));
            }
            let quiet = self.invocation.live().of(&self.session).map(|live| live.quiet_ms);
            match self.streams() {
                Ok(streams) => return self.watch(streams, quiet.unwrap_or(0)),
                Err(error) if error.is(ErrorKind::NotRunning) => {
                    self.session = self.invocation.settled(self.session.id())?;
                    if self.has_status() {
                        return self.held("status", None, Some(self.session.status().to_string()));
                    }
                    if self.session.has_live_process() {
                        return Err(unrecorded(&self.session));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.without_program(None)
    }

    /// What has to be watched of a running program.
    fn streams(&self) -> Result<Vec<(Feeding, ViewerStream)>, CliError> {
        let attach = |feeding, feed| {
            let viewer = ViewerSpec { read_only: true, feed, ..ViewerSpec::default() };
            let attach = |client: Client| client.attach(self.session.id(), viewer.clone());
            Ok::<_, CliError>((feeding, self.invocation.ask(&self.session, attach)?))
        };
        match (&self.text, self.idle) {
            (Some(_), _) => Ok(vec![
                attach(Feeding::Painted, Feed::Screen)?,
                attach(Feeding::Lines, Feed::Log)?,
            ]),
            (None, Some(_)) => Ok(vec![attach(Feeding::Lines, Feed::Output)?]),
            (None, None) => Ok(vec![attach(Feeding::Lines, Feed::Events)?]),
        }
    }

    fn watch(
        mut self,
        streams: Vec<(Feeding, ViewerStream)>,
        quiet_ms: u64,
    ) -> Result<Code, CliError> {
        let mut events = Events::of(streams)?;
        // It may have been quiet for a while already.
        let mut idle_at =
            self.idle.and_then(|idle| after(idle.saturating_sub(Duration::from_millis(quiet_ms))));
        loop {
            // Looked at each time: a program that never pauses must not put it off.
            if is_past(self.deadline) {
                return Err(self.timed_out());
            }
            match events.next(earlier(idle_at, self.deadline))? {
                Next::Event(feeding, event) => {
                    let is_output = matches!(event, session_pty::client::StreamEvent::Output(_));
                    let matched = self.text.as_mut().and_then(|text| text.event(feeding, &event));
                    if let Some(matched) = matched {
                        return self.held("text", None, Some(matched));
                    }
                    // Of two streams, the painted one has nothing but what is new.
                    let is_new = self.text.is_none() || feeding == Feeding::Painted;
                    if is_output && is_new {
                        idle_at = self.idle.and_then(after);
                    }
                }
                Next::Ended(exit) => return self.program_ended(exit),
                Next::Quiet if is_past(idle_at) => return self.held("idle", None, None),
                Next::Quiet => {}
            }
        }
    }

    /// The streams are over: the program has ended, or its supervisor has.
    fn program_ended(mut self, exit: Option<Exit>) -> Result<Code, CliError> {
        self.session = match exit {
            Some(_) => self.invocation.seen(self.session.id())?,
            None => self.invocation.settled_after_stream(self.session.id())?,
        };
        if self.has_status() {
            return self.held("status", None, Some(self.session.status().to_string()));
        }
        self.without_program(exit)
    }

    /// Whether the text is on the screen, or in the output that is kept.
    fn text_is_there(&self) -> Result<Option<String>, CliError> {
        let Some(mut text) = self.text.as_ref().map(TextWatch::anew) else { return Ok(None) };
        if let Some((size, bytes)) = screen::painted(self.invocation, &self.session, usize::MAX)?
            && let Some(matched) = text.painted(size, &bytes)
        {
            return Ok(Some(matched));
        }
        Ok(text.lines(&logs::kept(self.invocation, &self.session)?))
    }

    /// The program does not run: what has to be decided from what was told of its end, from the record, and from
    /// what was kept.
    fn without_program(self, told: Option<Exit>) -> Result<Code, CliError> {
        if let Some(matched) = self.text_is_there()? {
            return self.held("text", None, Some(matched));
        }
        let process = self.session.process.as_ref();
        if self.exit && process.is_some() {
            let recorded = process.and_then(|process| process.state.exit());
            return self.held("exit", Some(told.or(recorded).unwrap_or(Exit::Unknown)), None);
        }
        if self.statuses.is_empty() {
            return Err(not_running(&self.session));
        }
        self.for_status()
    }

    /// Looks the status up again and again.
    fn for_status(mut self) -> Result<Code, CliError> {
        loop {
            if self.has_status() {
                return self.held("status", None, Some(self.session.status().to_string()));
            }
            if self.session.status().is_final() {
                return Err(not_running(&self.session));
            }
            let now = Instant::now();
            let next = earlier(now.checked_add(STATUS_PAUSE), self.deadline).unwrap_or(now);
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(self.timed_out());
            }
            std::thread::sleep(next.saturating_duration_since(now));
            self.refresh()?;
        }
    }

    fn has_status(&self) -> bool {
        self.statuses.contains(&self.session.status())
    }

    fn refresh(&mut self) -> Result<(), CliError> {
        self.session = self.invocation.seen(self.session.id())?;
        Ok(())
    }

    fn timed_out(&self) -> CliError {
        let message = format!("nothing of that happened to {} in time", called(&self.session));
        CliError::new(ErrorKind::Timeout, message)
            .hint("wait longer, or look with `session screen`")
    }

    /// Says which condition held.
    fn held(
        &self,
        condition: &'static str,
        exit: Option<Exit>,
        matched: Option<String>,
    ) -> Result<Code, CliError> {
        let out = &self.invocation.out;
        let known = exit.filter(|exit| *exit != Exit::Unknown);
        if out.is_json() {
            out.object(&Held { condition, exit: ExitValue(known), r#match: matched })?;
        } else {
            let what = match (exit, matched) {
                (Some(exit), _) => ended(exit),
                (None, Some(matched)) => matched,
                (None, None) => called(&self.session),
            };
            out.text(&format!("{condition}\t{}", crate::output::text::shown(&what)))?;
        }
        Ok(exit.map_or(Code::Done, Code::Program))
    }
}
