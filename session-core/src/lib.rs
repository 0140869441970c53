//! What a session is, what it may be called, what may become of it, and what keeps and runs it.
//!
//! This crate holds models, rules and two seams: [`SessionStore`] for whatever keeps sessions and
//! [`SessionRuntime`] for whatever runs their programs. It does no I/O, starts no thread, reads no clock and no
//! environment: times, ids and randomness come in as arguments, so that every rule can be tested.
//!
//! A session is created, a conversation is appended to it, a model is handed what it needs of it, and people find it
//! again:
//!
//! ```
//! use session_core::record::{Block, Checkpoint, Message, RecordIdError, Summary};
//! use session_core::search::Expression;
//! use session_core::{
//!     Entry, MemoryStore, RawJson, RecordId, RecordStore, Role, Search, Selector, Session, SessionId,
//!     SessionName, SessionStore, SessionStoreExt, Timestamp,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let now = Timestamp::from(std::time::SystemTime::now());
//! # fn random() -> u128 { 0x5eed }
//! // 80 bits of the operating system's randomness, as the `getrandom` crate gives them: ids must never meet.
//! let id = SessionId::from_parts(now, random());
//!
//! let mut session = Session::new(id, now);
//! session.identity.name = Some(SessionName::parse("build")?);
//! store.create(session)?;
//!
//! // The id of an entry is its author's own, so that appending it again adds nothing.
//! let said = |name: &str, message| {
//!     Ok::<_, RecordIdError>(Entry::message(RecordId::parse(name)?, now, message))
//! };
//! let input = RawJson::parse(r#"{"path":"Makefile"}"#)?;
//! let appended = store.append(
//!     id,
//!     &[
//!         said("m-1", Message::text(Role::User, "Why does the build fail?"))?,
//!         said("m-2", Message::new(Role::Assistant, vec![Block::tool_use("t-1", "read", input)]))?,
//!         said("m-3", Message::new(Role::Tool, vec![Block::tool_result("t-1", "all: missing")]))?,
//!         said("m-4", Message::text(Role::Assistant, "The target `all` needs a file that is missing."))?,
//!     ],
//!     now,
//! )?;
//! assert_eq!(store.context(id)?.messages.len(), 4);
//!
//! // From now on a model is handed the summary in place of what it covers; the history itself stays whole.
//! let summary = Summary::Text("The Makefile names a file that is missing.".to_owned());
//! let checkpoint = Checkpoint::new(summary, appended.seqs.last().copied());
//! store.append(id, &[Entry::checkpoint(RecordId::parse("c-1")?, now, checkpoint)], now)?;
//! assert_eq!(store.context(id)?.messages.len(), 1);
//!
//! let found = store.search(&Search::new(Expression::parse("missing target")?))?;
//! assert_eq!(found.hits.len(), 1);
//! assert_eq!(store.find(&Selector::parse("build")?)?.totals().records, 5);
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`SessionId`], [`SessionName`], [`Status`], [`Session`], [`Record`], [`Selector`], [`Query`],
//! [`Search`], [`SessionStore`], [`SessionRuntime`]; beside them [`search`] and [`bundle`].

mod id;
mod name;
mod time;

mod json;
mod session;
mod status;

pub mod record;
pub mod search;
mod title;

mod error;
mod fingerprint;
mod hits;
mod query;
mod reading;
mod removal;
mod select;

pub mod store;

pub mod bundle;

mod memory;
mod runtime;

pub use error::{ErrorKind, StoreError};
pub use hits::{Hit, HitCollector, HitPlace, Hits, Search, SearchCursor};
pub use id::{IdError, SessionId};
pub use json::{RawJson, RawJsonError, Unknown};
pub use memory::MemoryStore;
pub use name::{NameError, NameFault, NameRules, SessionName};
pub use query::{Cursor, CursorError, Damage, Page, Query, Scope, Sort, SortError, SortValue};
pub use reading::{Order, Reading, Records};
pub use record::{Entry, MicroUsd, Record, RecordId, Role, Seq};
pub use removal::Removal;
pub use runtime::{MAX_INPUT, RuntimeError, RuntimeEvent, SessionRuntime, Spawn, Subscription};
pub use search::{Expression, SearchError, Snippet};
pub use select::{IdFragment, Selector, SelectorError};
pub use session::{
    Binding, Conversation, Exchange, Exit, Expiry, ForeignMode, Health, Host, Identity, LabelError,
    LabelKey, Labels, Launch, Lease, Lifecycle, Mode, Observer, Origin, PermissionMode, Process,
    ProcessState, Revision, RoleName, Session, SizeError, TerminalSize, Totals,
};
pub use status::{Status, StatusError, TransitionError};
pub use store::{
    Appended, CheckReport, Context, Deduplication, Durability, History, RecordStore, Repair,
    SessionStore, SessionStoreExt, StoreInfo, StoreStats, StoreUpkeep, Tombstone,
};
pub use time::{Clock, Timestamp, TimestampError};
pub use title::title_of;
