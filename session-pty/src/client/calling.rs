//! Calls on a connection: a request, perhaps with bytes before it, and the reply to it.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use serde::de::DeserializeOwned;
use session_core::RuntimeError;

use super::{Client, is_broken};
use crate::wire::{Blob, Call, Frame, Kind, Reply, Request, encode, pieces};

/// The most bytes that are accepted with one reply.
const MAX_REPLY: usize = 256 << 20;

impl Client {
    /// Sends the bytes that belong to the next call.
    pub(super) fn send_blob(&mut self, bytes: &[u8]) -> Result<(), RuntimeError> {
        pieces(bytes).try_for_each(|piece| self.send(&piece))
    }

    /// Makes a call and waits for its answer.
    pub(super) fn call<T: DeserializeOwned>(&mut self, call: Call) -> Result<T, RuntimeError> {
        self.call_for_blob(call).map(|(ok, _)| ok)
    }

    /// As [`Self::call`], with an answer that must begin and go on within `timeout`.
    pub(super) fn call_within<T: DeserializeOwned>(
        &mut self,
        timeout: Duration,
        call: Call,
    ) -> Result<T, RuntimeError> {
        let failed = |source| RuntimeError::io("asking the supervisor", source);
        self.stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        let answer = self.call(call);
        self.stream.set_read_timeout(None).map_err(failed)?;
        match answer {
            Err(RuntimeError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
                Err(RuntimeError::Timeout { what: "the supervisor's answer" })
            }
            answer => answer,
        }
    }

    /// As [`Self::call_for_blob`], of what may be asked twice: when the supervisor dies over it, the next one is asked.
    pub(super) fn call_again<T: DeserializeOwned>(
        &mut self,
        call: &Call,
    ) -> Result<(T, Vec<u8>), RuntimeError> {
        self.ask_again(b"", |_| call.clone())
    }

    /// The same with bytes that belong to the call, which is told whether it was made before.
    pub(super) fn ask_again<T: DeserializeOwned>(
        &mut self,
        bytes: &[u8],
        call: impl Fn(bool) -> Call,
    ) -> Result<(T, Vec<u8>), RuntimeError> {
        let mut again = false;
        loop {
            match self.send_blob(bytes).and_then(|()| self.call_for_blob(call(again))) {
                Err(RuntimeError::Io { operation, source }) if is_broken(&source) => {
                    let place = self.place.clone();
                    match Self::connect(&place)? {
                        Some(next) => self.go_on_over(next),
                        None => return Err(RuntimeError::Io { operation, source }),
                    }
                    again = true;
                }
                answer => return answer,
            }
        }
    }

    /// Goes on over another connection as the same client.
    fn go_on_over(&mut self, next: Self) {
        let Self { stream, decoder, calls, capabilities, .. } = next;
        (self.stream, self.decoder) = (stream, decoder);
        (self.calls, self.capabilities) = (calls, capabilities);
    }

    /// As [`Self::call`], with the bytes that belong to the answer.
    pub(super) fn call_for_blob<T: DeserializeOwned>(
        &mut self,
        call: Call,
    ) -> Result<(T, Vec<u8>), RuntimeError> {
        let failed = |source| RuntimeError::io("asking the supervisor", source);
        self.calls += 1;
        let request = Request { id: self.calls, call };
        let request = serde_json::to_vec(&request).map_err(|error| failed(error.into()))?;
        self.send(&encode(Kind::Request, &request))?;
        let mut blob = Blob::of_at_most(MAX_REPLY);
        loop {
            let frame = self.frame().map_err(failed)?;
            match frame.kind {
                Kind::Blob => blob.push(frame.payload),
                Kind::Reply => {
                    let reply: Reply = serde_json::from_slice(&frame.payload)
                        .map_err(|error| failed(error.into()))?;
                    let bytes = blob.take();
                    if (1..self.calls).contains(&reply.id) {
                        // To a call that was not waited for any more.
                        continue;
                    }
                    if let Some(refusal) = reply.error {
                        return Err(refusal.into_error());
                    }
                    if reply.id != self.calls {
                        return Err(failed(invalid("the supervisor answers what was not asked")));
                    }
                    let bytes = bytes.ok_or_else(|| failed(invalid("the answer is too long")))?;
                    let ok = reply.ok.as_ref().map_or("null", |ok| ok.get());
                    let ok = serde_json::from_str(ok).map_err(|error| failed(error.into()))?;
                    return Ok((ok, bytes));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), RuntimeError> {
        let sent = self.stream.write_all(frame);
        sent.map_err(|source| RuntimeError::io("asking the supervisor", source))
    }

    /// The next frame, whatever it is.
    pub(super) fn frame(&mut self) -> io::Result<Frame> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(frame);
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.decoder.push(&buffer[..len]),
            }
        }
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use session_core::ErrorKind;

    use super::*;
    use crate::place::Place;
    use crate::wire::Decoder;

    fn connected() -> (Client, UnixStream) {
        let (stream, supervisor) = UnixStream::pair().unwrap();
        let place = Place::new("/data".into(), "/run".into(), "sqlite");
        let decoder = Decoder::default();
        (
            Client {
                place,
                stream,
                decoder,
                calls: 0,
                capabilities: Vec::new(),
                records: false,
                typist: None,
            },
            supervisor,
        )
    }

    fn reply(text: &str) -> Vec<u8> {
        encode(Kind::Reply, text.as_bytes())
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for() {
        let (mut client, mut supervisor) = connected();
        let asked = client.call_within::<u32>(Duration::from_millis(1), Call::Live);
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::Timeout);
        // It comes late: the next call is not taken in by it.
        supervisor.write_all(&encode(Kind::Blob, b"late")).unwrap();
        supervisor.write_all(&reply(r#"{"id":1,"ok":1}"#)).unwrap();
        supervisor.write_all(&encode(Kind::Blob, b"in ")).unwrap();
        supervisor.write_all(&encode(Kind::Blob, b"two")).unwrap();
        supervisor.write_all(&reply(r#"{"id":2,"ok":2}"#)).unwrap();
        let (ok, bytes) = client.call_for_blob::<u32>(Call::Live).unwrap();
        assert_eq!((ok, &*bytes), (2, &b"in two"[..]));
    }

    #[test]
    fn an_answer_to_nothing_is_an_error() {
        let (mut client, mut supervisor) = connected();
        supervisor.write_all(&reply(r#"{"id":7,"ok":1}"#)).unwrap();
        assert_eq!(client.call::<u32>(Call::Live).unwrap_err().kind(), ErrorKind::Io);
    }
}
