//! What a session is, what it may be called, what may become of it, and what keeps and runs it.
//!
//! This crate holds models, rules and two seams: [`SessionStore`] for whatever keeps sessions and
//! [`SessionRuntime`] for whatever runs their programs. It does no I/O, starts no thread, reads no clock and no
//! environment: times, ids and randomness come in as arguments, so that every rule can be tested.
//!
//! ```
//! use session_core::{
//!     MemoryStore, Selector, Session, SessionId, SessionName, SessionStore, SessionStoreExt, Status,
//!     Timestamp,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Timestamp::from(std::time::SystemTime::now());
//! let store = MemoryStore::new();
//!
//! let mut session = Session::new(SessionId::from_parts(now, 1), now);
//! session.identity.name = Some(SessionName::parse("build")?);
//! store.create(session)?;
//!
//! let found = store.find(&Selector::parse("build")?)?;
//! let closed = store.update_with(found.id(), now, |session| {
//!     session.lifecycle.status = session.status().to(Status::Closed)?;
//!     Ok::<_, session_core::StoreError>(())
//! })?;
//! assert_eq!(closed.status(), Status::Closed);
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`SessionId`], [`SessionName`], [`Status`], [`Session`], [`Selector`], [`Query`],
//! [`SessionStore`], [`SessionRuntime`].

mod id;
mod name;
mod time;

mod json;
mod session;
mod status;

mod error;
mod query;
mod select;

pub mod store;

mod memory;
mod runtime;

pub use error::{ErrorKind, StoreError};
pub use id::{IdError, IdSource, SessionId};
pub use json::Unknown;
pub use memory::MemoryStore;
pub use name::{NameError, NameFault, NameRules, SessionName};
pub use query::{Cursor, CursorError, Damage, Page, Query, Scope, Sort, SortError, SortValue};
pub use runtime::{RuntimeError, RuntimeEvent, SessionRuntime, Spawn, Subscription};
pub use select::{IdFragment, Selector, SelectorError};
pub use session::{
    Conversation, Exit, Expiry, ForeignMode, Health, Host, Identity, LabelError, LabelKey, Labels,
    Launch, Lifecycle, Mode, Observer, Origin, PermissionMode, Process, ProcessState, Revision,
    Session, SizeError, TerminalSize,
};
pub use status::{Status, StatusError, TransitionError};
pub use store::{SessionStore, SessionStoreExt, StoreInfo};
pub use time::{Clock, Timestamp, TimestampError};
