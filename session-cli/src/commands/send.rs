//! `session send`: types into a session.

use std::io::Read as _;

use serde::Serialize;
use session_core::{Session, SessionId};
use session_pty::Client;
use session_pty::client::Typing;
use session_pty::screen::Screen;

use crate::args::SendArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::keys::{CursorKeys, Key};
use crate::live::not_running;

#[derive(Serialize)]
struct Sent {
    session: SessionId,
    bytes: usize,
}

/// Standard input is typed in pieces of this size.
const PIECE: usize = 16 << 10;

pub(crate) fn run(invocation: &Invocation, args: &SendArgs) -> Result<Code, CliError> {
    let keys = args.key.iter().map(|name| Key::parse(name)).collect::<Result<Vec<_>, _>>()?;
    if args.text.is_empty() && keys.is_empty() && !args.enter && !args.stdin {
        return Err(CliError::usage("there is nothing to type")
            .hint("give text, --key, --enter or --stdin"));
    }
    let session = invocation.session(Some(&args.session))?;
    if !session.has_live_process() {
        return Err(not_running(&session));
    }
    let mut client = invocation.client_for(&session)?;
    let bytes = if args.stdin {
        type_input(&mut client, &session)?
    } else {
        let text = args.text.join(" ");
        if !text.is_empty() {
            client.write(session.id(), text.as_bytes(), Typing::Paste)?;
        }
        let mut pressed = pressed(&mut client, &session, &keys)?;
        if args.enter {
            pressed.push(b'\r');
        }
        if !pressed.is_empty() {
            client.write(session.id(), &pressed, Typing::Keys)?;
        }
        text.len() + pressed.len()
    };
    if invocation.out.is_json() {
        invocation.out.object(&Sent { session: session.id(), bytes })?;
    }
    Ok(Code::Done)
}

/// What the keys send, as the program has asked its terminal.
fn pressed(client: &mut Client, session: &Session, keys: &[Key]) -> Result<Vec<u8>, CliError> {
    let mut cursor_keys = CursorKeys::Normal;
    if keys.iter().any(|key| key.depends_on_mode()) {
        let (size, painted) = client.screen(session.id(), 0)?;
        let mut screen = Screen::new(size, 0);
        screen.feed(&painted);
        if screen.application_cursor() {
            cursor_keys = CursorKeys::Application;
        }
    }
    Ok(keys.iter().flat_map(|key| key.bytes(cursor_keys)).collect())
}

fn type_input(client: &mut Client, session: &Session) -> Result<usize, CliError> {
    let mut input = std::io::stdin().lock();
    let mut piece = [0; PIECE];
    let mut total = 0;
    loop {
        match input.read(&mut piece) {
            Ok(0) => return Ok(total),
            Ok(len) => {
                client.write(session.id(), &piece[..len], Typing::Keys)?;
                total += len;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CliError::io("reading standard input", &error)),
        }
    }
}
