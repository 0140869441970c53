//! A job of a caller, without its types: run in a transaction or refused, and answered in either case.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SendError, SyncSender};

use rusqlite::Connection;

use crate::error::SqlError;
use crate::writer::Message;
use crate::writer::core::Core;

/// What a job is to whoever runs it.
pub(super) trait Work: Send {
    /// Runs it. A panic ends here.
    fn run(self: Box<Self>, connection: &Connection) -> Ran;

    /// Tells its caller that it will not be run.
    fn refuse(self: Box<Self>, error: SqlError);

    /// Hands the connection to its caller, which is to lead now. Gives it back if the caller is gone.
    fn lead(&self, core: Box<Core>) -> Option<Box<Core>>;
}

/// A job that was run, and whose caller waits for the commit.
pub(super) struct Ran {
    pub(super) verdict: Verdict,
    answer: Box<dyn FnOnce(Option<SqlError>)>,
}

/// How a job ended.
pub(super) enum Verdict {
    Kept,
    /// It is to be undone. What SQLite reported, if that was why: SQLite may have undone the whole transaction.
    Undone(Option<SqlError>),
}

pub(super) struct Typed<T, F> {
    job: F,
    reply: SyncSender<Message<T>>,
}

impl<T, F> Typed<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
{
    pub(super) fn boxed(job: F, reply: SyncSender<Message<T>>) -> Box<dyn Work> {
        Box::new(Self { job, reply })
    }
}

impl<T, F> Work for Typed<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
{
    fn run(self: Box<Self>, connection: &Connection) -> Ran {
        let Self { job, reply } = *self;
        // Whatever the job has left half done in the database is undone, and nothing else is shared with it.
        let done = catch_unwind(AssertUnwindSafe(|| {
            job(connection).map_err(|error| error.explained(connection))
        }));
        let verdict = match &done {
            Ok(Ok(_)) => Verdict::Kept,
            Ok(Err(error)) => Verdict::Undone(error.reported_again()),
            Err(_) => Verdict::Undone(None),
        };
        let answer = move |instead: Option<SqlError>| {
            let answer = match (done, instead) {
                (Ok(_), Some(error)) => Ok(Err(error)),
                (done, _) => done,
            };
            // A caller that is gone asks for no answer.
            let _ = reply.send(Message::Answer(answer));
        };
        Ran { verdict, answer: Box::new(answer) }
    }

    fn refuse(self: Box<Self>, error: SqlError) {
        let _ = self.reply.send(Message::Answer(Ok(Err(error))));
    }

    fn lead(&self, core: Box<Core>) -> Option<Box<Core>> {
        match self.reply.send(Message::Lead(core)) {
            Err(SendError(Message::Lead(core))) => Some(core),
            _ => None,
        }
    }
}

impl Ran {
    /// Tells its caller what it returned, or what happened to its transaction `instead`.
    pub(super) fn answer(self, instead: Option<SqlError>) {
        (self.answer)(instead);
    }
}
