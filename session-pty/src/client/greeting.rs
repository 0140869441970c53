//! The first words on a connection: whether what answers is the supervisor of this place.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use session_core::{ErrorKind, RuntimeError};

use super::Client;
use crate::instance::Instance;
use crate::place::Place;
use crate::supervisor::listen::ask_to_bind_again;
use crate::wire::{
    CAPABILITIES, Frame, Hello, HelloError, Kind, PROTOCOL_VERSION, Refusal, Reply, encode,
};

/// How long a supervisor may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// After how long without a word it is looked whether there is anybody.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long a supervisor that was given up may take when it is tried once more.
const SECOND_CHANCE: Duration = Duration::from_secs(2);

impl Client {
    /// Says hello, checks the answer, and remembers what the supervisor can do.
    pub(super) fn greet(&mut self, place: &Place) -> Result<(), RuntimeError> {
        let failed = |source| RuntimeError::io("greeting the supervisor", source);
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: CAPABILITIES.iter().map(ToString::to_string).collect(),
            store: place.identity(),
        };
        let hello = serde_json::to_vec(&hello).map_err(|error| failed(error.into()))?;
        self.stream.write_all(&encode(Kind::Hello, &hello)).map_err(failed)?;
        let frame = self.hello(place)?;
        self.stream.set_read_timeout(None).map_err(failed)?;
        self.capabilities = check_hello(place, &frame)?.capabilities;
        Ok(())
    }

    /// Waits for the answer. Where the keeper has given up starting supervisors, it is asked to try once more.
    fn hello(&mut self, place: &Place) -> Result<Frame, RuntimeError> {
        let failed = |source| RuntimeError::io("greeting the supervisor", source);
        let lock = place.instance_lock();
        let (begun, mut asked) = (Instant::now(), None);
        self.stream.set_read_timeout(Some(LOOK_AGAIN)).map_err(failed)?;
        loop {
            match self.frame() {
                Ok(frame) => return Ok(frame),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(stranger(place));
                }
                Err(error) => return Err(failed(error)),
            }
            let given_up = Instance::alive(&lock).ok().flatten().and_then(|it| it.given_up);
            match (given_up, asked) {
                (Some(_), None) => {
                    ask_to_bind_again(&lock);
                    asked = Some(Instant::now());
                }
                (Some(why), Some(asked)) if asked.elapsed() >= SECOND_CHANCE => {
                    return Err(given_up_on(place, &why));
                }
                _ if begun.elapsed() >= HELLO_TIMEOUT => {
                    return Err(RuntimeError::Timeout { what: "the supervisor's hello" });
                }
                _ => {}
            }
        }
    }
}

/// The keeper lives and has no supervisor any more.
fn given_up_on(place: &Place, why: &str) -> RuntimeError {
    RuntimeError::Remote {
        kind: ErrorKind::StartFailed,
        message: format!("no supervisor comes up: {why}"),
        hint: Some(format!(
            "programs go on, and every command tries again; {} says why",
            place.log().display()
        )),
    }
}

/// The hello of the supervisor of this place, if that is what answered.
fn check_hello(place: &Place, frame: &Frame) -> Result<Hello, RuntimeError> {
    if frame.kind == Kind::Reply {
        let refusal = serde_json::from_slice::<Reply>(&frame.payload).ok().and_then(|it| it.error);
        return Err(refusal.map_or_else(|| stranger(place), Refusal::into_error));
    }
    let hello = Hello::from_frame(frame).map_err(|error| match error {
        HelloError::OtherProtocol(other) => RuntimeError::Remote {
            kind: ErrorKind::NewerVersion,
            message: format!(
                "the supervisor speaks protocol {other}, this program {PROTOCOL_VERSION}"
            ),
            hint: Some(
                "end it with the version that started it: session supervisor stop".to_owned(),
            ),
        },
        HelloError::NoHello => stranger(place),
    })?;
    if hello.store != place.identity() {
        return Err(RuntimeError::Remote {
            kind: ErrorKind::WrongStore,
            message: format!(
                "the supervisor on {} serves the {} store in {}",
                place.socket().display(),
                hello.store.kind,
                hello.store.data_dir.display()
            ),
            hint: Some("choose another --runtime-dir".to_owned()),
        });
    }
    Ok(hello)
}

fn stranger(place: &Place) -> RuntimeError {
    RuntimeError::Remote {
        kind: ErrorKind::Refused,
        message: format!("what answers on {} is no supervisor", place.socket().display()),
        hint: Some("choose another --runtime-dir".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Something that listens where a supervisor should, and answers a hello with this.
    fn answering(frame: Vec<u8>) -> (tempfile::TempDir, Place) {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new("/data".into(), directory.path().to_owned(), "sqlite");
        let listener = UnixListener::bind(place.socket()).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&frame).unwrap();
            // Until the client has left.
            let _rest = stream.read_to_end(&mut Vec::new());
        });
        (directory, place)
    }

    fn refused(frame: Vec<u8>) -> ErrorKind {
        let (_directory, place) = answering(frame);
        Client::connect(&place).unwrap_err().kind()
    }

    #[test]
    fn only_the_own_supervisor_is_spoken_to() {
        let hello = |text: &str| encode(Kind::Hello, text.as_bytes());
        let own = r#"{"protocol":1,"version":"x","store":{"kind":"sqlite","data_dir":"/data"}}"#;
        let (_directory, place) = answering(hello(own));
        assert!(Client::connect(&place).unwrap().is_some());
        assert_eq!(refused(hello(&own.replace("/data", "/other"))), ErrorKind::WrongStore);
        assert_eq!(refused(hello(&own.replace("sqlite", "jsonl"))), ErrorKind::WrongStore);
        assert_eq!(refused(hello(r#"{"protocol":2}"#)), ErrorKind::NewerVersion);
        assert_eq!(refused(hello("{}")), ErrorKind::Refused);
        assert_eq!(refused(b"220 mail.example ESMTP\r\n".to_vec()), ErrorKind::Refused);
        assert_eq!(refused(encode(Kind::Exited, b"{}")), ErrorKind::Refused);
        let error = br#"{"id":0,"error":{"kind":"wrong-store","message":"no","hint":null}}"#;
        assert_eq!(refused(encode(Kind::Reply, error)), ErrorKind::WrongStore);
    }
}
