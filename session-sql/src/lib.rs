//! Sessions in a SQLite database: the default store.
//!
//! [`SqlStore`] implements [`session_core::SessionStore`] over one file. Whatever a call returned is on the medium
//! (unless [`session_core::Durability::Normal`] was chosen); several threads and several processes can use the file at once; reading changes nothing; a damaged record
//! costs itself only; what a newer version of the program wrote is never rewritten.
//!
//! ```
//! use session_core::{
//!     Observer, Query, Selector, Session, SessionId, SessionName, SessionStore, SessionStoreExt,
//!     Status, StoreError, Timestamp,
//! };
//! use session_sql::SqlStore;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let dir = std::env::temp_dir().join(format!("session-sql-{}", std::process::id()));
//!     std::fs::create_dir_all(&dir)?;
//!     let store = SqlStore::open(dir.join("session.db"))?;
//!     let now = Timestamp::from(std::time::SystemTime::now());
//!
//!     let mut session = Session::new(SessionId::from_parts(now, 1), now);
//!     session.identity.name = Some(SessionName::parse("build")?);
//!     store.create(session)?;
//!
//!     let found = store.find(&Selector::parse("build")?)?;
//!     store.update_with(found.id(), now, |session| {
//!         session.set_status(Status::Running)?;
//!         Ok::<_, StoreError>(())
//!     })?;
//!
//!     let mut query = Query::new(Observer { now, live_host: None });
//!     query.scope = session_core::Scope::All;
//!     for session in store.list(&query)?.sessions {
//!         println!("{} {}", session.id().short(), session.status());
//!     }
//!
//!     store.close()?;
//!     std::fs::remove_dir_all(&dir)?;
//!     Ok(())
//! }
//! ```
//!
//! The format is described in `FORMAT.md` beside this crate: [`SCHEMA_VERSION`], [`migrations`] and
//! [`APPLICATION_ID`] are what programs need of it.

mod options;
mod schema;

mod connection;
mod lock;

mod bare;
mod beside;
mod open;

mod draft;

mod backup;
mod check;
mod salvage;

mod rescue;

mod readers;
mod writer;

mod key;
mod row;
mod tombstone;

mod find;
mod list;

mod history;
mod index;
mod search;

mod audit;
mod quarantine;

mod mend;
mod restore;

mod store;

mod errno;
mod error;

pub use check::Depth;
pub use options::SqlOptions;
pub use rescue::Rescued;
pub use schema::{APPLICATION_ID, Migration, SCHEMA_VERSION, migrations};
pub use store::SqlStore;
