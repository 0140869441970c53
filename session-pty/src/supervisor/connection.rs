//! One client's connection: a hello, then calls, until it becomes a viewer's stream or ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use session_core::{ErrorKind, RuntimeError, SessionId, SessionStoreExt as _, Spawn, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::Supervisor;
use crate::environment;
use crate::live::SessionHandle;
use crate::wire::{
    Blob, CAPABILITIES, Call, Decoder, Frame, Hello, HelloError, Kind, MAX_BLOB, PROTOCOL_VERSION,
    Refusal, Reply, Request, ViewerSpec, encode, pieces,
};

/// How long a client may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A client's connection while it makes calls.
struct Connection {
    stream: UnixStream,
    decoder: Decoder,
}

/// What a call leads to.
enum Outcome {
    /// A result, with bytes that belong to it.
    Answer(Box<RawValue>, Option<Vec<u8>>),
    /// The connection becomes a viewer's stream.
    Watch(Box<RawValue>, Watch),
    /// The supervisor ends after the answer.
    Leave,
}

/// Who begins to watch what.
enum Watch {
    Running(SessionHandle, ViewerSpec),
    Beginning(crate::live::Beginning, ViewerSpec),
}

/// Serves one client to its end.
pub(super) async fn serve(supervisor: &Arc<Supervisor>, stream: UnixStream) -> io::Result<()> {
    let mut connection = Connection { stream, decoder: Decoder::default() };
    let Ok(hello) = tokio::time::timeout(HELLO_TIMEOUT, connection.frame()).await else {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "no hello"));
    };
    let Some(hello) = hello? else { return Ok(()) };
    if let Err(refusal) = check_hello(supervisor, &hello) {
        return connection.reply(&Reply { id: 0, ok: None, error: Some(refusal) }).await;
    }
    connection.send(Kind::Hello, &own_hello(supervisor)).await?;

    let mut blob = Blob::of_at_most(MAX_BLOB);
    while let Some(frame) = connection.frame().await? {
        match frame.kind {
            Kind::Blob => blob.push(frame.payload),
            Kind::Request => {
                let (id, outcome) = answer(supervisor, &frame.payload, blob.take()).await;
                match outcome {
                    Ok(Outcome::Answer(ok, bytes)) => {
                        for piece in pieces(&bytes.unwrap_or_default()) {
                            connection.stream.write_all(&piece).await?;
                        }
                        connection.reply(&Reply { id, ok: Some(ok), error: None }).await?;
                    }
                    Ok(Outcome::Watch(ok, watch)) => {
                        connection.reply(&Reply { id, ok: Some(ok), error: None }).await?;
                        return connection.become_viewer(watch);
                    }
                    Ok(Outcome::Leave) => {
                        let ok = Some(raw(&()));
                        connection.reply(&Reply { id, ok, error: None }).await?;
                        supervisor.leave.notify_one();
                        // The connection closes when everything has ended, which is what the client waits for.
                        return std::future::pending().await;
                    }
                    Err(error) => {
                        let refusal = Refusal::new(&error);
                        connection.reply(&Reply { id, ok: None, error: Some(refusal) }).await?;
                    }
                }
            }
            // Frames of viewers mean nothing before there is one.
            _ => {}
        }
    }
    Ok(())
}

fn own_hello(supervisor: &Supervisor) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: CAPABILITIES.iter().map(ToString::to_string).collect(),
        store: supervisor.place.identity(),
    }
}

fn check_hello(supervisor: &Supervisor, frame: &Frame) -> Result<(), Refusal> {
    let refusal = |kind: ErrorKind, message: String, hint: &str| Refusal {
        kind: kind.as_str().to_owned(),
        message,
        hint: Some(hint.to_owned()),
    };
    let hello = Hello::from_frame(frame).map_err(|error| match error {
        HelloError::OtherProtocol(other) => {
            let message =
                format!("the supervisor speaks protocol {PROTOCOL_VERSION}, this client {other}");
            let hint =
                "end the supervisor with the version that started it: session supervisor stop";
            refusal(ErrorKind::NewerVersion, message, hint)
        }
        HelloError::NoHello => {
            let message = "the first frame must be a hello".to_owned();
            refusal(ErrorKind::Internal, message, "is this a session client?")
        }
    })?;
    let own = supervisor.place.identity();
    if hello.store != own {
        let message = format!(
            "the supervisor on this socket serves the {} store in {}",
            own.kind,
            own.data_dir.display()
        );
        return Err(refusal(ErrorKind::WrongStore, message, "choose another --runtime-dir"));
    }
    Ok(())
}

async fn answer(
    supervisor: &Arc<Supervisor>,
    payload: &[u8],
    blob: Option<Vec<u8>>,
) -> (u64, Result<Outcome, RuntimeError>) {
    match serde_json::from_slice::<Request>(payload) {
        Ok(request) => {
            let supervisor = Arc::clone(supervisor);
            let outcome =
                blocking(move || act(&supervisor, request.call, blob.unwrap_or_default()));
            (request.id, outcome.await)
        }
        Err(error) => {
            #[derive(serde::Deserialize)]
            struct Numbered {
                id: u64,
            }
            let id = serde_json::from_slice::<Numbered>(payload).map_or(0, |numbered| numbered.id);
            let message = format!("the supervisor does not understand the call: {error}");
            let hint =
                Some("is the client of another version? session supervisor status".to_owned());
            (id, Err(RuntimeError::Remote { kind: ErrorKind::Unsupported, message, hint }))
        }
    }
}

/// Runs what may wait for the store, a program or a terminal beside the control plane. Each of these is bounded.
#[expect(
    clippy::disallowed_methods,
    reason = "every call ends by itself: the ladder and typing have deadlines"
)]
async fn blocking(
    act: impl FnOnce() -> Result<Outcome, RuntimeError> + Send + 'static,
) -> Result<Outcome, RuntimeError> {
    let panicked = |_| RuntimeError::Remote {
        kind: ErrorKind::Internal,
        message: "the supervisor failed at this call".to_owned(),
        hint: Some("its log says more: session doctor".to_owned()),
    };
    tokio::task::spawn_blocking(act).await.map_err(panicked)?
}

fn act(supervisor: &Supervisor, call: Call, blob: Vec<u8>) -> Result<Outcome, RuntimeError> {
    let runtime = &supervisor.runtime;
    match call {
        Call::Spawn { session, umask, viewer } => {
            let environment = environment::decode(&blob);
            let (session, beginning) =
                runtime.prepare(Spawn { session: *session, environment, umask })?;
            match viewer {
                Some(viewer) => {
                    note_attached(supervisor, session.id(), &viewer);
                    Ok(Outcome::Watch(raw(&session), Watch::Beginning(beginning, viewer)))
                }
                None => {
                    beginning.begin(None);
                    answered(&session)
                }
            }
        }
        Call::Attach { session, viewer } => {
            let handle = runtime.handle(session)?;
            note_attached(supervisor, session, &viewer);
            Ok(Outcome::Watch(raw(&()), Watch::Running(handle, viewer)))
        }
        Call::Write { session, paste: true } => {
            runtime.handle(session)?.paste(&blob)?;
            answered(&())
        }
        Call::Write { session, paste: false } => {
            runtime.handle(session)?.write(&blob)?;
            answered(&())
        }
        Call::Resize { session, size } => answered(&runtime.handle(session)?.resize(size)?),
        Call::Detach { session, all } => answered(&runtime.handle(session)?.detach(all)?),
        Call::Stop { session, grace_ms } => {
            let exit = runtime.handle(session)?.stop(Duration::from_millis(grace_ms))?;
            answered(&crate::wire::ExitMessage::new(exit))
        }
        Call::Screen { session, history } => {
            let (size, screen) = runtime.handle(session)?.screen(history);
            Ok(Outcome::Answer(raw(&size), Some(screen)))
        }
        Call::Log { session } => {
            Ok(Outcome::Answer(raw(&()), Some(runtime.handle(session)?.log())))
        }
        Call::Live => {
            let live: Vec<_> = runtime.handles().iter().map(|handle| handle.live()).collect();
            answered(&live)
        }
        Call::Status => answered(&supervisor.status()),
        Call::Shutdown { force } => {
            let running = runtime.handles().len();
            if running > 0 && !force {
                return Err(RuntimeError::Remote {
                    kind: ErrorKind::StillRunning,
                    message: format!("{running} sessions are still running"),
                    hint: Some("--force ends them too".to_owned()),
                });
            }
            Ok(Outcome::Leave)
        }
    }
}

/// Records when somebody last sat down at a session. Nobody waits for it, and no viewer is refused because of it.
fn note_attached(supervisor: &Supervisor, id: SessionId, viewer: &ViewerSpec) {
    if !viewer.terminal || viewer.read_only {
        return;
    }
    let at = supervisor.runtime.now();
    supervisor.runtime.recorder().post(move |store| {
        let noted = store.update_with(id, at, |session| {
            if let Some(process) = &mut session.process {
                process.last_attached_at = Some(at);
            }
            session.lifecycle.last_active_at = at;
            Ok::<_, StoreError>(())
        });
        if let Err(error) = noted {
            super::log_line(&format!("recording an attach to {id}: {error}"));
        }
    });
}

fn answered(value: &impl Serialize) -> Result<Outcome, RuntimeError> {
    Ok(Outcome::Answer(raw(value), None))
}

/// A value of ours as JSON text: none of them has a form that could fail.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Connection {
    /// The next frame; `None` when the client has left.
    async fn frame(&mut self) -> io::Result<Option<Frame>> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut buffer).await? {
                0 => return Ok(None),
                len => self.decoder.push(&buffer[..len]),
            }
        }
    }

    async fn send(&mut self, kind: Kind, message: &impl Serialize) -> io::Result<()> {
        self.stream.write_all(&encode(kind, &serde_json::to_vec(message)?)).await
    }

    async fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        self.send(Kind::Reply, reply).await
    }

    /// Gives the socket, with what was read from it already, to the session's relay.
    fn become_viewer(self, watch: Watch) -> io::Result<()> {
        let stream = self.stream.into_std()?;
        let unread = self.decoder.unread().to_vec();
        match watch {
            Watch::Beginning(beginning, spec) => beginning.begin(Some((stream, spec, unread))),
            Watch::Running(handle, spec) => {
                let again = stream.try_clone()?;
                if handle.attach(stream, spec.clone(), unread).is_err() {
                    handle.tell_end(again, spec);
                }
            }
        }
        Ok(())
    }
}
