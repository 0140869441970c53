//! `session events`: what happens to sessions, as it happens or as it is kept.

use std::collections::BTreeMap;

use session_core::{ErrorKind, Session, SessionId, SessionStore};
use session_pty::client::StreamEnd;
use session_pty::{Event, Happening};

use crate::args::EventsArgs;
use crate::error::{CliError, Kind};
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::live::not_running;
use crate::output::text::{called, ended, number, shown};

/// Events on their way to whoever reads them.
struct Writer<'a> {
    invocation: &'a Invocation,
    names: BTreeMap<SessionId, String>,
}

pub(crate) fn run(invocation: &Invocation, args: &EventsArgs) -> Result<Code, CliError> {
    let session = chosen(invocation, args)?;
    let id = session.as_ref().map(Session::id);
    let mut writer = Writer { invocation, names: BTreeMap::new() };
    let Some(mut client) = invocation.supervisor()? else {
        return if args.follow { Err(nothing_to_follow(session.as_ref())) } else { Ok(Code::Done) };
    };
    if !args.follow {
        let events = client.events(id, args.cursor)?;
        writer.all(&events)?;
        return Ok(Code::Done);
    }
    let mut stream = client.follow_events(id, args.cursor)?;
    for event in stream.by_ref() {
        writer.one(&event?)?;
    }
    match id {
        Some(id) => drop(invocation.settled_after_stream(id)?),
        None => invocation.refuse_given_up()?,
    }
    if stream.end() == Some(StreamEnd::Gone) {
        invocation.out.note("the supervisor has ended, and with it what could be followed");
    }
    Ok(Code::Done)
}

/// The session that is meant; `None` for all of them.
fn chosen(invocation: &Invocation, args: &EventsArgs) -> Result<Option<Session>, CliError> {
    if args.all {
        return match &invocation.plan.session {
            None => Ok(None),
            Some(session) => {
                Err(CliError::usage(format!("all sessions are asked for, and {session} with -S"))
                    .hint("leave --all or -S out"))
            }
        };
    }
    match invocation.session(args.session.as_deref()) {
        Err(error) if error.kind() == Kind::NoSession => Ok(None),
        session => session.map(Some),
    }
}

/// Waiting for a supervisor that nobody starts would look like waiting for events.
fn nothing_to_follow(session: Option<&Session>) -> CliError {
    session.map_or_else(
        || {
            let message = "no program runs, and nothing can happen to sessions";
            CliError::new(ErrorKind::NotRunning, message)
                .hint("start one first, as with `session new -d`, then follow its events")
        },
        not_running,
    )
}

impl Writer<'_> {
    fn all(&mut self, events: &[Event]) -> Result<(), CliError> {
        let out = &self.invocation.out;
        if out.is_json() {
            return events.iter().try_for_each(|event| out.object(event));
        }
        if !events.is_empty() {
            let store = self.invocation.reading()?;
            events.iter().filter_map(|event| event.session).for_each(|id| self.learn(&*store, id));
        }
        events.iter().try_for_each(|event| self.line(event))
    }

    /// As it comes: the store is looked at for each new session, and not held meanwhile.
    fn one(&mut self, event: &Event) -> Result<(), CliError> {
        if self.invocation.out.is_json() {
            return self.invocation.out.object(event);
        }
        if let Some(id) = event.session.filter(|id| !self.names.contains_key(id)) {
            self.learn(&*self.invocation.reading()?, id);
        }
        self.line(event)
    }

    fn learn(&mut self, store: &dyn SessionStore, id: SessionId) {
        // One that was removed meanwhile is called by its id.
        let name = || store.get(id).map_or_else(|_| id.short(), |session| called(&session));
        self.names.entry(id).or_insert_with(name);
    }

    fn line(&self, event: &Event) -> Result<(), CliError> {
        let name = event.session.and_then(|id| self.names.get(&id)).map_or("-", String::as_str);
        let fields =
            [&event.time.to_string(), name, event.happening.kind(), &told(&event.happening)]
                .map(|field| shown(field).into_owned());
        let line = if self.invocation.out.is_terminal {
            let [time, name, kind, told] = fields;
            format!("{time}  {name:<16}  {kind:<10}  {told}")
        } else {
            fields.join("\t")
        };
        self.invocation.out.text(line.trim_end())
    }
}

/// What happened, beside its type.
fn told(happening: &Happening) -> String {
    match happening {
        Happening::Created { name } => name.as_ref().map(ToString::to_string).unwrap_or_default(),
        Happening::Attached { read_only, size, viewers } => {
            let size = size.map(|size| size.to_string());
            let read_only = read_only.then(|| "read-only".to_owned());
            let viewers = Some(number(*viewers as u64, "viewer"));
            size.into_iter().chain(read_only).chain(viewers).collect::<Vec<_>>().join(", ")
        }
        Happening::Detached { viewers } => number(*viewers as u64, "viewer"),
        Happening::Resized(size) => size.to_string(),
        Happening::Title { title } => title.clone().unwrap_or_default(),
        Happening::Exited { exit } => ended(exit.unwrap_or(session_core::Exit::Unknown)),
        Happening::Gap { missed: Some(missed) } => format!("{} left out", number(*missed, "event")),
        Happening::Gap { missed: None } => "events may be left out".to_owned(),
        Happening::Other { data, .. } => data.to_string(),
        _ => String::new(),
    }
}
