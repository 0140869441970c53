//! Events from the client's side: those that are kept, and a stream of those that come.

use std::io;

use session_core::{ErrorKind, RuntimeError, SessionId};

use super::{ANSWER_TIMEOUT, Client, is_broken};
use crate::events::{Cursor, Event};
use crate::stream::again;
use crate::wire::{Call, EVENTS, Kind};

/// Events as they happen, each once. When the supervisor dies, the stream goes on with the one that takes its place;
/// a gap says that something may be missing in between.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    session: Option<SessionId>,
    /// The place of the last event; before the first, where the supervisor began.
    cursor: Cursor,
    end: Option<StreamEnd>,
}

/// Why a stream of events has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The program of the session does not run any more, and everything was told.
    Over,
    /// The supervisor is gone, and no other took its place; or an error was told.
    Gone,
}

impl Client {
    /// What has happened to the session, or to all of them: the newest events, those after the cursor if there is
    /// one. A first event of type gap says that more happened in between.
    ///
    /// # Errors
    /// `usage` when the cursor is ahead of all events, `unsupported` when the supervisor is too old to tell.
    pub fn events(
        &mut self,
        session: Option<SessionId>,
        after: Option<Cursor>,
    ) -> Result<Vec<Event>, RuntimeError> {
        self.must_tell_events()?;
        let cursor = after.map(|cursor| cursor.to_string());
        self.call_within(ANSWER_TIMEOUT, Call::Events { session, cursor, follow: false })
    }

    /// As [`Self::events`], and then what comes: of one session until its program has ended, of all until there is no
    /// supervisor any more.
    ///
    /// # Errors
    /// As for [`Self::events`].
    pub fn follow_events(
        mut self,
        session: Option<SessionId>,
        after: Option<Cursor>,
    ) -> Result<EventStream, RuntimeError> {
        self.must_tell_events()?;
        let cursor = after.map(|cursor| cursor.to_string());
        let begins =
            self.call_within(ANSWER_TIMEOUT, Call::Events { session, cursor, follow: true })?;
        Ok(EventStream { client: self, session, cursor: begins, end: None })
    }

    fn must_tell_events(&self) -> Result<(), RuntimeError> {
        if self.capabilities.iter().any(|ability| ability == EVENTS) {
            return Ok(());
        }
        Err(RuntimeError::Remote {
            kind: ErrorKind::Unsupported,
            message: "the supervisor is of an older version, which tells no events".to_owned(),
            hint: Some(
                "end it with `session supervisor stop` once its programs have ended".to_owned(),
            ),
        })
    }
}

impl EventStream {
    /// Why there is no more; `None` while there may be.
    #[must_use]
    pub fn end(&self) -> Option<StreamEnd> {
        self.end
    }

    /// Where the stream is: whoever goes on from there later misses nothing, or is told so.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    fn wait(&mut self) -> Result<Result<Event, StreamEnd>, RuntimeError> {
        let failed = |source| RuntimeError::io("listening to events", source);
        loop {
            match self.client.frame() {
                Ok(frame) if frame.kind != Kind::Event => {}
                Ok(frame) if frame.payload.is_empty() => return Ok(Err(StreamEnd::Over)),
                Ok(frame) => {
                    let event: Event = serde_json::from_slice(&frame.payload)
                        .map_err(|error| failed(error.into()))?;
                    self.cursor = event.cursor;
                    return Ok(Ok(event));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_broken(&error) => {
                    if !self.resume()? {
                        return Ok(Err(StreamEnd::Gone));
                    }
                }
                Err(source) => return Err(failed(source)),
            }
        }
    }

    /// Goes on with the supervisor that takes the place of the one that is gone; false when there is none.
    fn resume(&mut self) -> Result<bool, RuntimeError> {
        let ask = |client: Client| client.follow_events(self.session, Some(self.cursor));
        let Some(fresh) = again(&self.client.place, None, ask)? else { return Ok(false) };
        // Its cursor stays the old one until the gap was told: if this one dies as well, the next one tells it.
        self.client = fresh.client;
        Ok(true)
    }
}

impl Iterator for EventStream {
    type Item = Result<Event, RuntimeError>;

    /// Waits for the next event. After an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() {
            return None;
        }
        match self.wait() {
            Ok(Ok(event)) => Some(Ok(event)),
            Ok(Err(end)) => {
                self.end = Some(end);
                None
            }
            Err(error) => {
                self.end = Some(StreamEnd::Gone);
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    use session_core::Timestamp;

    use super::*;
    use crate::events::Happening;
    use crate::place::Place;
    use crate::wire::{Decoder, Hello, Reply, Request, encode};

    fn hello(capabilities: &[&str]) -> Vec<u8> {
        let hello = serde_json::json!({
            "protocol": 1,
            "version": "x",
            "capabilities": capabilities,
            "store": {"kind": "sqlite", "data_dir": "/data"},
        });
        encode(Kind::Hello, hello.to_string().as_bytes())
    }

    fn event(cursor: &str, happening: Happening) -> Vec<u8> {
        let (cursor, time) = (cursor.parse().unwrap(), Timestamp::from_millis(1));
        let event = Event { cursor, time, session: None, happening };
        encode(Kind::Event, &serde_json::to_vec(&event).unwrap())
    }

    fn frame(stream: &mut UnixStream, decoder: &mut Decoder) -> crate::wire::Frame {
        use std::io::Read as _;
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = decoder.next().unwrap() {
                return frame;
            }
            let len = stream.read(&mut buffer).unwrap();
            assert!(len > 0, "the client has left");
            decoder.push(&buffer[..len]);
        }
    }

    /// One supervisor's life: it accepts, is asked from `after` on, says where it begins, tells these, and dies.
    fn lives(listener: &UnixListener, after: Option<&str>, begins: &str, events: &[Vec<u8>]) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut decoder = Decoder::default();
        let greeting = frame(&mut stream, &mut decoder);
        let greeting: Hello = serde_json::from_slice(&greeting.payload).unwrap();
        assert_eq!(greeting.capabilities, [EVENTS]);
        stream.write_all(&hello(&[EVENTS])).unwrap();
        let asked = frame(&mut stream, &mut decoder);
        let Request { id, call } = serde_json::from_slice(&asked.payload).unwrap();
        let Call::Events { cursor, follow: true, session: None } = call else { panic!("{call:?}") };
        assert_eq!(cursor.as_deref(), after);
        let ok = Some(serde_json::value::to_raw_value(begins).unwrap());
        let reply = serde_json::to_vec(&Reply { id, ok, error: None }).unwrap();
        stream.write_all(&encode(Kind::Reply, &reply)).unwrap();
        events.iter().for_each(|event| stream.write_all(event).unwrap());
    }

    #[test]
    fn the_stream_goes_on_with_the_next_supervisor_from_where_it_was() {
        const FIRST: [&str; 2] = ["00000000000000aa.4", "00000000000000aa.5"];
        const NEXT: [&str; 2] = ["00000000000000bb.0", "00000000000000bb.1"];
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let place = Place::new("/data".into(), root.to_owned(), "sqlite");
        let listener = UnixListener::bind(place.socket()).unwrap();
        let supervisors = std::thread::spawn(move || {
            let something = Happening::Detached { viewers: 0 };
            lives(&listener, None, FIRST[0], &[event(FIRST[1], something.clone())]);
            // This one dies before it has told anything: the gap is not forgotten.
            lives(&listener, Some(FIRST[1]), NEXT[0], &[]);
            let gap = event(NEXT[0], Happening::Gap { missed: None });
            lives(
                &listener,
                Some(FIRST[1]),
                NEXT[0],
                &[gap, event(NEXT[1], something), encode(Kind::Event, b"")],
            );
        });
        let client = Client::connect(&place).unwrap().unwrap();
        let mut stream = client.follow_events(None, None).unwrap();
        assert_eq!(stream.cursor().to_string(), FIRST[0]);
        let told: Vec<_> = stream
            .by_ref()
            .map(|event| event.unwrap())
            .map(|event| (event.cursor.to_string(), event.happening.kind().to_owned()))
            .collect();
        let expected = [(FIRST[1], "detached"), (NEXT[0], "gap"), (NEXT[1], "detached")];
        assert_eq!(told, expected.map(|(cursor, kind)| (cursor.to_owned(), kind.to_owned())));
        assert_eq!(stream.end(), Some(StreamEnd::Over));
        assert!(stream.next().is_none());
        supervisors.join().unwrap();
    }

    #[test]
    fn without_another_supervisor_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new("/data".into(), directory.path().to_owned(), "sqlite");
        let (stream, supervisor) = UnixStream::pair().unwrap();
        drop(supervisor);
        let (decoder, capabilities) = (Decoder::default(), Vec::new());
        let (calls, records, typist) = (0, false, None);
        let client = Client { place, stream, decoder, calls, capabilities, records, typist };
        let cursor = "00000000000000aa.4".parse().unwrap();
        let mut stream = EventStream { client, session: None, cursor, end: None };
        assert!(stream.next().is_none());
        assert_eq!(stream.end(), Some(StreamEnd::Gone));
    }

    #[test]
    fn an_older_supervisor_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new("/data".into(), directory.path().to_owned(), "sqlite");
        let listener = UnixListener::bind(place.socket()).unwrap();
        let older = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            frame(&mut stream, &mut Decoder::default());
            stream.write_all(&hello(&[])).unwrap();
        });
        let mut client = Client::connect(&place).unwrap().unwrap();
        let refused = client.events(None, None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("older version"), "{refused}");
        older.join().unwrap();
    }
}
