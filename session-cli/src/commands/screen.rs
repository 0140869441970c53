//! `session screen`: what is on a session's screen, while it runs and after.

use serde::Serialize;
use session_core::{ErrorKind, Session, SessionId, TerminalSize};
use session_pty::screen::{Screen, ScreenGrid};

use crate::args::{ScreenArgs, ScreenFormat};
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;

#[derive(Serialize)]
struct ScreenObject {
    session: SessionId,
    live: bool,
    screen: Option<ScreenGrid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scrollback: Option<Vec<String>>,
}

pub(crate) fn run(invocation: &Invocation, args: &ScreenArgs) -> Result<Code, CliError> {
    let session = invocation.session(args.session.as_deref())?;
    let history = args.scrollback.map_or(0, |scrollback| scrollback.0);
    let painted = painted(invocation, &session, history)?;
    let screen = painted.map(|(size, bytes)| replayed(size, &bytes));
    let out = &invocation.out;
    let scrollback = args.scrollback.map(|scrollback| scrollback.0);
    if args.format == ScreenFormat::Json || out.is_json() {
        out.object(&ScreenObject {
            session: session.id(),
            live: session.has_live_process(),
            screen: screen.as_ref().map(Screen::grid),
            scrollback: scrollback.map(|last| {
                screen.as_ref().map(|screen| screen.history_text(last)).unwrap_or_default()
            }),
        })?;
        return Ok(Code::Done);
    }
    let Some(screen) = screen else {
        out.note("no screen was kept");
        return Ok(Code::Done);
    };
    match args.format {
        ScreenFormat::Text | ScreenFormat::Json => out.bytes(screen.text(scrollback).as_bytes())?,
        ScreenFormat::Ansi => out.bytes(&screen.ansi(scrollback))?,
        ScreenFormat::Html => out.text(screen.html(scrollback).trim_end_matches('\n'))?,
    }
    Ok(Code::Done)
}

/// Size and bytes of the present screen, or of the last one; `None` when none was kept.
pub(crate) fn painted(
    invocation: &Invocation,
    session: &Session,
    history: usize,
) -> Result<Option<(TerminalSize, Vec<u8>)>, CliError> {
    if session.has_live_process() {
        match invocation.client_for(session)?.screen(session.id(), history) {
            Ok(painted) => return Ok(Some(painted)),
            // It has ended in this moment: what was kept is there now.
            Err(error) if error.kind() == ErrorKind::NotRunning => {}
            Err(error) => return Err(error.into()),
        }
    }
    session_pty::read_screen(&invocation.place.output_dir(), session.id())
        .map_err(|source| CliError::io("reading the last screen", &source))
}

/// The screen that these bytes paint.
pub(crate) fn replayed(size: TerminalSize, bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(size, HISTORY_LINES);
    screen.feed(bytes);
    screen
}

/// More than any session keeps.
const HISTORY_LINES: usize = 100_000;
