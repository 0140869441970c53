//! `session tour`: what a session is, shown on real components in a directory that is thrown away.

mod stage;

use std::time::Duration;

use serde::Serialize;
use session_core::{ErrorKind, Exit, Session, SessionName};
use session_pty::Client;
use session_pty::client::Typing;

use super::logs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::Style;
use crate::output::json::{ExitValue, SessionObject};
use crate::output::text::{command_line, program_state, shown};
use crate::spawn::Wish;
use stage::{Stage, Viewing};

/// What the program of the tour does.
const SCRIPT: &str =
    r#"printf 'What is your name? '; read name; echo "Hello, $name."; read enough; exit 7"#;

/// Nothing on the tour takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// One thing that was shown.
#[derive(Debug, Serialize)]
struct Step {
    command: String,
    says: &'static str,
    shows: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    steps: Vec<Step>,
    session: SessionObject,
    exit: ExitValue,
}

/// The steps so far.
struct Tour<'a> {
    invocation: &'a Invocation,
    steps: Vec<Step>,
}

pub(crate) fn run(invocation: &Invocation) -> Result<Code, CliError> {
    let stage = Stage::set(invocation)?;
    let mut tour = Tour { invocation, steps: Vec::new() };
    let walked = tour.walk(&stage.invocation);
    let (session, exit) = stage.clear(walked)?;
    if invocation.out.is_json() {
        let session = SessionObject::new(&session, None)?;
        invocation.out.object(&Report {
            steps: tour.steps,
            session,
            exit: ExitValue(Some(exit)),
        })?;
    } else {
        invocation
            .out
            .text("\nEverything of the tour is removed again. Your turn: session attach main")?;
    }
    Ok(Code::Done)
}

impl Tour<'_> {
    fn walk(&mut self, there: &Invocation) -> Result<(Session, Exit), CliError> {
        let argv = ["sh", "-c", SCRIPT].map(str::to_owned);
        let wish = Wish {
            name: Some(SessionName::parse("tour")?),
            command: argv.iter().map(Into::into).collect(),
            ..Wish::default()
        };
        let spawn = there.spawn_for(wish)?;
        let session = there.client_or_start()?.spawn(spawn)?;
        self.step(
            format!("session new tour -d -- {}", command_line(&argv)),
            "A program starts on a terminal of its own, in the background.",
            vec![format!("{} is {}", session.id(), program_state(&session))],
        )?;

        let seen = Viewing::begin(there, &session)?.until("What is your name?", PATIENCE)?;
        self.step(
            "session attach tour".to_owned(),
            "You attach and see its screen. Then your terminal is gone: window closed, connection lost.",
            seen.clone(),
        )?;

        let again = Viewing::begin(there, &session)?.until("What is your name?", PATIENCE)?;
        if again != seen {
            return Err(not_as_told("the screen is not the one that was left", &again));
        }
        self.step(
            "session attach tour".to_owned(),
            "You come back, from here or from another terminal: the same screen, to the character.",
            again,
        )?;

        let mut client = client(there, &session)?;
        client.write(session.id(), b"Ada", Typing::Paste)?;
        client.write(session.id(), b"\r", Typing::Keys)?;
        let answered = Viewing::begin(there, &session)?.until("Hello, Ada.", PATIENCE)?;
        self.step(
            "session send tour Ada --enter; session wait tour --text Hello; session screen tour"
                .to_owned(),
            "Scripts and agents type into it, wait for an answer, and read the screen.",
            answered,
        )?;

        let viewing = Viewing::begin(there, &session)?;
        client.write(session.id(), b"\r", Typing::Keys)?;
        let exit = viewing.until_end(PATIENCE)?;
        if exit != Exit::Code(7) {
            return Err(not_as_told("the program did not end with code 7", &[format!("{exit:?}")]));
        }
        self.step(
            "session send tour --enter; session wait tour".to_owned(),
            "It ends, and whoever waits gets its exit code.",
            vec![crate::output::text::ended(exit)],
        )?;

        drop(client);
        stage::end_supervisor(there)?;
        let stored = there.session(Some("tour"))?;
        if stored.process.as_ref().and_then(|process| process.state.exit()) != Some(exit) {
            return Err(not_as_told("the record says something else", &[program_state(&stored)]));
        }
        let mut shows = vec![
            format!("status   {}", stored.status()),
            format!("program  {}", program_state(&stored)),
        ];
        let log = String::from_utf8_lossy(&logs::kept(there, &stored)?).into_owned();
        let written = log.lines().map(str::trim_end).filter(|line| !line.is_empty());
        shows.extend(written.map(|line| format!("output   {line}")));
        self.step(
            "session supervisor stop; session show tour; session logs tour".to_owned(),
            "Its record and its output stay, also when nothing runs any more.",
            shows,
        )?;
        Ok((stored, exit))
    }

    fn step(
        &mut self,
        command: String,
        says: &'static str,
        shows: Vec<String>,
    ) -> Result<(), CliError> {
        let out = &self.invocation.out;
        if !out.is_json() {
            let number = self.steps.len() + 1;
            let prompt = out.paint(&format!("$ {}", shown(&command)), Style::Strong);
            let mut text =
                format!("{}{number}. {says}\n   {prompt}", if number == 1 { "" } else { "\n" });
            for line in &shows {
                text.push_str("\n   | ");
                text.push_str(&shown(line));
            }
            out.text(&text)?;
        }
        self.steps.push(Step { command, says, shows });
        Ok(())
    }
}

fn client(there: &Invocation, session: &Session) -> Result<Client, CliError> {
    there.client_for(session)
}

fn not_as_told(what: &str, found: &[String]) -> CliError {
    let message = format!("the tour went wrong: {what}: {}", found.join(" / "));
    CliError::new(ErrorKind::Internal, message)
}
