//! Typing from a thread of its own, over whatever connection the stream has at the time.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use session_core::RuntimeError;

use super::typed;
use crate::wire::{Kind, encode};

/// The connection that a stream has at present.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stream: Option<Arc<UnixStream>>,
    /// How many there have been.
    count: u64,
    closed: bool,
}

/// Types into a session. While its supervisor is replaced, typing waits for the next one.
#[derive(Debug)]
pub(crate) struct Typist {
    line: Arc<Line>,
}

impl Line {
    /// Goes on with this connection.
    pub(super) fn renew(&self, stream: &UnixStream) -> io::Result<()> {
        let stream = Arc::new(stream.try_clone()?);
        let mut state = self.state();
        state.stream = Some(stream);
        state.count += 1;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// There will be no other connection.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// The connection after the first so many; `None` when there will be none.
    fn after(&self, count: u64) -> Option<(Arc<UnixStream>, u64)> {
        let waiting = |state: &mut State| !state.closed && state.count <= count;
        let state = self.changed.wait_while(self.state(), waiting);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let stream = state.stream.clone().filter(|_| !state.closed);
        stream.map(|stream| (stream, state.count))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Typist {
    pub(super) const fn new(line: Arc<Line>) -> Self {
        Self { line }
    }

    /// As [`super::ViewerStream::input`].
    pub(crate) fn input(&self, bytes: &[u8]) -> Result<(), RuntimeError> {
        typed(bytes).try_for_each(|chunk| self.send(&encode(Kind::Input, chunk)))
    }

    /// As [`super::ViewerStream::end_of_input`].
    pub(crate) fn end_of_input(&self) -> Result<(), RuntimeError> {
        self.send(&encode(Kind::EndOfInput, b""))
    }

    /// Sends a frame. One that a connection took in part has not been acted on: the next one gets it from its start.
    fn send(&self, frame: &[u8]) -> Result<(), RuntimeError> {
        let mut tried = 0;
        while let Some((stream, count)) = self.line.after(tried) {
            if (&*stream).write_all(frame).is_ok() {
                return Ok(());
            }
            tried = count;
        }
        Err(RuntimeError::io("reaching the session", io::ErrorKind::BrokenPipe.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_one_connection_did_not_take_goes_over_the_next() {
        let line = Arc::new(Line::default());
        let (first, other_end) = UnixStream::pair().unwrap();
        line.renew(&first).unwrap();
        drop(other_end);
        let typist = Typist::new(Arc::clone(&line));
        let typing = std::thread::spawn(move || {
            let typed = typist.input(b"late");
            (typed, typist)
        });
        let (second, mut other_end) = UnixStream::pair().unwrap();
        line.renew(&second).unwrap();
        let (typed, typist) = typing.join().unwrap();
        typed.unwrap();
        let expected = encode(Kind::Input, b"late");
        let mut arrived = vec![0; expected.len()];
        other_end.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, expected);

        line.close();
        typist.end_of_input().unwrap_err();
    }
}
