//! Sessions in plain JSON Lines files: a [`SessionStore`](session_core::SessionStore) that people can read with
//! `tail -f`, `jq` and `grep`.
//!
//! A store is a directory with one append-only file for each session. Every line is a JSON object, and the last
//! whole one is the session's present state. What was acknowledged is synced to the medium, what a crash tore
//! apart is ignored, and what is damaged costs itself and is reported. Several processes may use one store at
//! once: writers queue on a lock that the kernel frees when its holder dies, readers wait for nobody and change
//! nothing.
//!
//! ```
//! use session_core::{
//!     Launch, Observer, Query, Selector, Session, SessionId, SessionName, SessionStore,
//!     SessionStoreExt, Status, StoreError, Timestamp,
//! };
//! use session_jsonl::JsonlStore;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let directory = std::env::temp_dir().join(format!("sessions-{}", std::process::id()));
//!     let store = JsonlStore::open(&directory)?;
//!
//!     let now = Timestamp::from(std::time::SystemTime::now());
//!     let mut session = Session::new(SessionId::from_parts(now, 1), now);
//!     session.identity.name = Some(SessionName::parse("build")?);
//!     session.launch = Some(Launch {
//!         argv: vec!["make".to_owned()],
//!         workdir: "/".to_owned(),
//!         ..Launch::default()
//!     });
//!     store.create(session)?;
//!
//!     let found = store.find(&Selector::parse("build")?)?;
//!     let running = store.update_with(found.id(), now, |session| {
//!         session.set_status(Status::Running)?;
//!         Ok::<_, StoreError>(())
//!     })?;
//!     assert_eq!(running.status(), Status::Running);
//!
//!     let page = store.list(&Query::new(Observer { now, live_host: None }))?;
//!     assert_eq!(page.sessions, [running]);
//!     assert_eq!(page.damaged, []);
//!
//!     store.close()?;
//!     std::fs::remove_dir_all(&directory)?;
//!     Ok(())
//! }
//! ```
//!
//! [`JsonlStore::open_read_only`] creates and changes nothing. A store of a newer version is refused untouched;
//! [`migrations`] lists how an older one comes to [`SCHEMA_VERSION`]. FORMAT.md beside this crate's manifest
//! describes the files to the byte.
//!
//! Unix only: it relies on inodes, modes and `flock`. The directory must be on a local disk, as `flock` does not
//! hold between the hosts of a network file system.

mod options;

mod disk;
mod error;
mod file;
mod lock;

mod line;
mod lines;
mod replay;
mod tail;

mod pending;
mod tombs;

mod adopt;
mod directory;
mod history;
mod index;
mod recent;

mod format;
mod quarantine;
mod writer;

mod upkeep;

mod store;

#[cfg(test)]
mod crashes;

pub use format::{Migration, SCHEMA_VERSION, migrations};
pub use options::JsonlOptions;
pub use store::JsonlStore;

use format::FORMAT;
