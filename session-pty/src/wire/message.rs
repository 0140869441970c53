//! Messages: what is said in the JSON payloads.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use session_core::{ErrorKind, Exit, RuntimeError, Session, SessionId, TerminalSize, Timestamp};

use super::frame::{Frame, Kind};
use super::typist::Typist;

/// The version of the protocol. A peer of another major version is refused.
pub(crate) const PROTOCOL_VERSION: u32 = 1;

/// What this side can do beyond the first version; a peer uses only what both list.
pub(crate) const CAPABILITIES: &[&str] = &[EVENTS];

/// The ability to tell events.
pub(crate) const EVENTS: &str = "events";

/// The first message in either direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// [`PROTOCOL_VERSION`] of the speaker.
    pub(crate) protocol: u32,
    /// The speaker's own version, for people.
    pub(crate) version: String,
    /// Names of abilities; unknown ones mean nothing.
    #[serde(default)]
    pub(crate) capabilities: Vec<String>,
    /// The store that the speaker works on.
    pub(crate) store: StoreIdentity,
}

/// Why a first frame is no hello that can be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelloError {
    /// The peer speaks this version of the protocol.
    OtherProtocol(u32),
    /// The peer is something else altogether.
    NoHello,
}

/// Which store a supervisor serves: the same supervisor must never serve two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreIdentity {
    /// `sqlite` or `jsonl`.
    pub(crate) kind: String,
    /// The canonical path of the data directory.
    pub(crate) data_dir: PathBuf,
}

/// A call with its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Repeated in the reply.
    pub(crate) id: u64,
    /// What is asked for.
    pub(crate) call: Call,
}

/// What a client can ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    /// Store a session and start its program. The blob before it is the environment. With a viewer, the
    /// connection becomes that viewer's stream after the reply.
    Spawn {
        /// The session to be.
        session: Box<Session>,
        /// The file creation mask of the caller.
        umask: Option<u32>,
        /// Who watches from the first byte.
        viewer: Option<ViewerSpec>,
        /// It is recorded from the first byte.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        record: bool,
    },
    /// Turn the connection into a viewer's stream.
    Attach {
        /// The session.
        session: SessionId,
        /// Who watches.
        viewer: ViewerSpec,
    },
    /// Type the blob before it.
    Write {
        /// The session.
        session: SessionId,
        /// Mark the bytes as pasted, when the program asked to be told and they hold line breaks.
        paste: bool,
        /// By which this call is known when it is made again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typed: Option<TypedCall>,
    },
    /// Change the size.
    Resize {
        /// The session.
        session: SessionId,
        /// The new size.
        size: TerminalSize,
    },
    /// Send viewers away: the one that typed last, or all.
    Detach {
        /// The session.
        session: SessionId,
        /// All of them.
        all: bool,
    },
    /// End the program.
    Stop {
        /// The session.
        session: SessionId,
        /// How long each of the three steps may take, in milliseconds.
        grace_ms: u64,
    },
    /// The screen with kept history, as terminal bytes in a blob.
    Screen {
        /// The session.
        session: SessionId,
        /// How many lines of history.
        history: usize,
    },
    /// The output that is kept, as it came, in a blob.
    Log {
        /// The session.
        session: SessionId,
    },
    /// What has happened. With `follow`, the connection becomes a stream of events after the reply.
    Events {
        /// To this session; to all when there is none.
        session: Option<SessionId>,
        /// After this place in the events, which an earlier one told; without, all that are kept.
        cursor: Option<String>,
        /// Go on with what comes.
        follow: bool,
    },
    /// What runs.
    Live,
    /// About the supervisor itself.
    Status,
    /// Let the supervisor end and the program that is on the disk now take its place. Programs go on.
    Upgrade,
    /// End the supervisor; programs that still run are ended first, when forced.
    Shutdown {
        /// Even while programs run.
        force: bool,
    },
}

/// A call that types, so that it can be made again and types nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TypedCall {
    /// Who types. It makes one such call after the other.
    pub(crate) typist: Typist,
    /// Which of its calls this is.
    pub(crate) number: u64,
    /// It was made before, and the supervisor died over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) again: bool,
}

/// The answer to a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The number of the call; 0 for a refusal of the hello.
    pub(crate) id: u64,
    /// The result, when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ok: Option<Box<serde_json::value::RawValue>>,
    /// The refusal, when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Refusal>,
}

/// An error on its way to a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// One of the stable words.
    pub(crate) kind: String,
    /// One line for people, causes included.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(default)]
    pub(crate) hint: Option<String>,
}

/// What a viewer is sent, apart from being told what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Feed {
    /// The screen as it is, then all output. A viewer of another size gets painted frames.
    Screen,
    /// All output that is kept, then all further output.
    Log,
    /// All output from now on.
    Output,
    /// No output.
    Events,
}

/// How a viewer watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewerSpec {
    /// The size of its terminal; `None` when it has none.
    pub size: Option<TerminalSize>,
    /// It may neither type nor decide the size.
    pub read_only: bool,
    /// It is a terminal, which answers queries of the program by itself.
    pub terminal: bool,
    /// What it is sent.
    pub feed: Feed,
    /// Everybody else is sent away.
    pub detach_others: bool,
    /// Output is sent from this byte of all that the program has written on, as far as it is kept: for one that was
    /// cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// It counts as nobody: it is not told of, and not sent away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uncounted: bool,
    /// So many lines of what has scrolled off the screen come before it, once, for the terminal's own history.
    pub scrollback: usize,
    /// Where the ssh agent of whoever sits at its terminal is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_agent: Option<PathBuf>,
    /// As whom it types: then it is told how much the terminal has taken. A client draws this by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typist: Option<Typist>,
}

/// A session whose program runs, as its supervisor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LiveSession {
    /// The session.
    pub id: SessionId,
    /// The size of its terminal.
    pub size: TerminalSize,
    /// How many viewers it has.
    pub viewers: usize,
    /// The title that the program gave its terminal.
    pub title: Option<String>,
    /// For how long there has been no output, in milliseconds.
    pub quiet_ms: u64,
    /// How many bytes the program has written.
    pub written: u64,
}

/// What a supervisor says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SupervisorStatus {
    /// Its process.
    pub pid: u32,
    /// The process that holds its terminals when it dies, where there is one.
    #[serde(default)]
    pub keeper: Option<u32>,
    /// Its version.
    pub version: String,
    /// The version of its protocol.
    pub protocol: u32,
    /// Its socket.
    pub socket: PathBuf,
    /// The kind of its store.
    pub store_kind: String,
    /// The data directory of its store.
    pub data_dir: PathBuf,
    /// Its instance id, which sessions that it hosts carry.
    pub instance: String,
    /// How many programs run.
    pub sessions: usize,
    /// Sessions that the keeper holds and that could not be taken back yet.
    #[serde(default)]
    pub out_of_reach: Vec<SessionId>,
    /// How many viewers there are, over all sessions.
    pub viewers: usize,
    /// Since when.
    pub started_at: Timestamp,
}

/// How the program ended, as told to viewers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ExitMessage {
    /// `null` when nobody knows.
    pub(crate) exit: Option<Exit>,
}

impl Default for ViewerSpec {
    fn default() -> Self {
        Self {
            size: None,
            read_only: false,
            terminal: false,
            feed: Feed::Screen,
            detach_others: false,
            from: None,
            uncounted: false,
            scrollback: 0,
            ssh_agent: None,
            typist: None,
        }
    }
}

impl Hello {
    /// The hello in a peer's first frame. Of another protocol, nothing but its version is looked at.
    pub(crate) fn from_frame(frame: &Frame) -> Result<Self, HelloError> {
        #[derive(Deserialize)]
        struct Versioned {
            protocol: u32,
        }
        if frame.kind != Kind::Hello {
            return Err(HelloError::NoHello);
        }
        let Versioned { protocol } =
            serde_json::from_slice(&frame.payload).map_err(|_| HelloError::NoHello)?;
        if protocol != PROTOCOL_VERSION {
            return Err(HelloError::OtherProtocol(protocol));
        }
        serde_json::from_slice(&frame.payload).map_err(|_| HelloError::NoHello)
    }
}

impl Refusal {
    /// The error as it goes over the wire: one line, all causes in it.
    pub(crate) fn new(error: &RuntimeError) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = source.source();
        }
        let hint = match error {
            RuntimeError::Remote { hint, .. } => hint.clone(),
            _ => None,
        };
        Self { kind: error.kind().as_str().to_owned(), message, hint }
    }

    /// The error as it arrives.
    pub(crate) fn into_error(self) -> RuntimeError {
        RuntimeError::Remote {
            kind: ErrorKind::parse(&self.kind).unwrap_or(ErrorKind::Internal),
            message: self.message,
            hint: self.hint,
        }
    }
}

impl ExitMessage {
    pub(crate) fn new(exit: Exit) -> Self {
        Self { exit: (exit != Exit::Unknown).then_some(exit) }
    }

    pub(crate) fn exit(self) -> Exit {
        self.exit.unwrap_or(Exit::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_the_hint_of_its_error() {
        let error = RuntimeError::Remote {
            kind: ErrorKind::WrongStore,
            message: "not this one".to_owned(),
            hint: Some("try another".to_owned()),
        };
        let RuntimeError::Remote { kind, message, hint } = Refusal::new(&error).into_error() else {
            panic!("it stays what it was");
        };
        assert_eq!(
            (kind, &*message, hint.as_deref()),
            (ErrorKind::WrongStore, "not this one", Some("try another"))
        );
    }

    #[test]
    fn a_hello_of_another_protocol_is_known_by_its_number_alone() {
        let hello = |kind, text: &str| {
            let frame = Frame { kind, payload: text.as_bytes().to_vec() };
            Hello::from_frame(&frame).map(|hello| hello.store.kind)
        };
        let own = r#"{"protocol":1,"version":"x","store":{"kind":"sqlite","data_dir":"/d"}}"#;
        assert_eq!(hello(Kind::Hello, own), Ok("sqlite".to_owned()));
        let newer = r#"{"protocol":2,"stores":["/d"]}"#;
        assert_eq!(hello(Kind::Hello, newer), Err(HelloError::OtherProtocol(2)));
        assert_eq!(hello(Kind::Request, own), Err(HelloError::NoHello));
        assert_eq!(hello(Kind::Hello, r#"{"protocol":1}"#), Err(HelloError::NoHello));
        assert_eq!(hello(Kind::Hello, "220 mail"), Err(HelloError::NoHello));
    }
}
