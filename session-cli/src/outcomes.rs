//! What became of each of several sessions: all are tried, and the first failure ends the command.

use serde::Serialize;
use session_core::{Session, SessionId, SessionName};

use crate::error::CliError;
use crate::exit::Code;
use crate::output::Output;
use crate::output::json::ErrorBody;

/// What became of each.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) done: Vec<Session>,
    /// What was typed, and why it could not be done.
    pub(crate) failed: Vec<(String, CliError)>,
}

/// A session by id and name, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct NamedObject<'a> {
    id: SessionId,
    name: Option<&'a SessionName>,
}

/// A failure, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct FailedObject<'a> {
    id: &'a str,
    error: ErrorBody<'a>,
}

impl Outcomes {
    /// Notes what became of one.
    pub(crate) fn note(&mut self, text: impl Into<String>, result: Result<Session, CliError>) {
        match result {
            Ok(session) => self.done.push(session),
            Err(error) => self.failed.push((text.into(), error)),
        }
    }

    /// Those that it was done to.
    pub(crate) fn done(&self) -> Vec<NamedObject<'_>> {
        self.done.iter().map(NamedObject::from).collect()
    }

    /// Those that it could not be done to.
    pub(crate) fn failed(&self) -> Vec<FailedObject<'_>> {
        let object = |(id, error)| FailedObject { id, error: ErrorBody::new(error) };
        self.failed.iter().map(|(id, error)| object((id, error))).collect()
    }

    /// Tells all failures but the first, which is returned.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn finish(self, out: &Output) -> Result<Code, CliError> {
        let mut errors = self.failed.into_iter().map(|(_, error)| error);
        let Some(first) = errors.next() else { return Ok(Code::Done) };
        errors.for_each(|error| out.lesser_error(&error));
        Err(first)
    }
}

impl<'a> From<&'a Session> for NamedObject<'a> {
    fn from(session: &'a Session) -> Self {
        Self { id: session.id(), name: session.name() }
    }
}
