//! The protocol between clients and the supervisor: frames, and the messages inside them.
//!
//! `PROTOCOL.md` beside this crate describes it to the byte.

mod blob;
mod frame;
#[cfg(test)]
mod hostile;
mod message;
mod typist;

pub(crate) use blob::{Blob, MAX_BLOB, pieces};
pub(crate) use frame::{Decoder, Frame, Kind, MAX_TYPED, encode, header};
pub(crate) use message::{
    CAPABILITIES, Call, EVENTS, ExitMessage, Hello, HelloError, PROTOCOL_VERSION, Refusal, Reply,
    Request, StoreIdentity, TypedCall,
};
pub use message::{Feed, LiveSession, SupervisorStatus, ViewerSpec};
pub use typist::{Typist, TypistError};
