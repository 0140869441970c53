//! The protocol between clients and the supervisor: frames, and the messages inside them.
//!
//! `PROTOCOL.md` beside this crate describes it to the byte.

mod blob;
mod frame;
mod message;

pub(crate) use blob::{Blob, MAX_BLOB, pieces};
pub(crate) use frame::{Decoder, Frame, Kind, encode, header};
pub(crate) use message::{
    CAPABILITIES, Call, EVENTS, ExitMessage, Hello, HelloError, PROTOCOL_VERSION, Refusal, Reply,
    Request, StoreIdentity,
};
pub use message::{Feed, LiveSession, SupervisorStatus, ViewerSpec};
