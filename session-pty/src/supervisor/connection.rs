//! One client's connection: a hello, then calls, until it becomes a viewer's stream or ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use session_core::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::call::{Outcome, Watch, answer};
use super::{Supervisor, following};
use crate::live::SessionHandle;
use crate::wire::{
    Blob, CAPABILITIES, Decoder, Frame, Hello, HelloError, Kind, MAX_BLOB, PROTOCOL_VERSION,
    Refusal, Reply, encode, pieces,
};

/// How long a client may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take to read that its program has started, or that the supervisor ends.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// A client's connection while it makes calls.
struct Connection {
    stream: UnixStream,
    decoder: Decoder,
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
                        for piece in pieces(&bytes) {
                            connection.stream.write_all(&piece).await?;
                        }
                        connection.reply(&Reply { id, ok: Some(ok), error: None }).await?;
                    }
                    Ok(Outcome::Watch(ok, watch)) => {
                        let reply = Reply { id, ok: Some(ok), error: None };
                        connection.reply_within(REPLY_TIMEOUT, &reply).await?;
                        return connection.become_viewer(watch);
                    }
                    Ok(Outcome::Follow(ok, follower)) => {
                        let reply = Reply { id, ok: Some(ok), error: None };
                        connection.reply_within(REPLY_TIMEOUT, &reply).await?;
                        return following::serve(connection.stream, follower).await;
                    }
                    Ok(Outcome::Leave(ok)) => {
                        let reply = Reply { id, ok: Some(ok), error: None };
                        let told = connection.reply_within(REPLY_TIMEOUT, &reply).await;
                        supervisor.leave.notify_one();
                        told?;
                        // The connection closes when everything has ended, which is what the client waits for.
                        return std::future::pending().await;
                    }
                    Ok(Outcome::MakeRoom(ok)) => {
                        let reply = Reply { id, ok: Some(ok), error: None };
                        let told = connection.reply_within(REPLY_TIMEOUT, &reply).await;
                        supervisor.make_room.notify_one();
                        told?;
                        return std::future::pending().await;
                    }
                    Err(error) => {
                        let error = Some(Refusal::new(&error));
                        connection.reply(&Reply { id, ok: None, error }).await?;
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

    /// As [`Self::reply`], to a client that may not read: what waits for the reply must not wait for ever.
    async fn reply_within(&mut self, timeout: Duration, reply: &Reply) -> io::Result<()> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not read the reply");
        tokio::time::timeout(timeout, self.reply(reply)).await.map_err(late)?
    }

    /// Gives the socket, with what was read from it already, to the session's relay.
    fn become_viewer(self, watch: Watch) -> io::Result<()> {
        let stream = self.stream.into_std()?;
        let unread = self.decoder.unread().to_vec();
        match watch {
            Watch::Beginning(beginning, spec) => beginning.begin(Some((stream, spec, unread))),
            Watch::Ended(kept, exit, spec) => SessionHandle::tell_kept(stream, spec, kept, exit),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_read_is_not_waited_for() {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        reactor.block_on(async {
            let (stream, _deaf) = UnixStream::pair().unwrap();
            stream.writable().await.unwrap();
            while stream.try_write(&[0; 4096]).is_ok() {}
            let mut connection = Connection { stream, decoder: Decoder::default() };
            let reply = Reply { id: 1, ok: None, error: None };
            let told = connection.reply_within(Duration::from_millis(1), &reply).await;
            assert_eq!(told.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }
}
