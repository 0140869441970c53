//! Live sessions: programs on terminals of their own that outlive whoever watches them.
//!
//! The library comes first: [`Runtime`] runs programs inside this process and records them into any
//! [`SessionStore`](session_core::SessionStore), [`SessionHandle`] has to do with one of them, [`screen`] keeps
//! what is on a terminal. On it stands the supervisor ([`supervise`]): a process of its own that holds the
//! terminals while clients ([`Client`]) come and go.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, SystemTime};
//!
//! use session_core::{
//!     Exit, Launch, MemoryStore, Session, SessionId, SessionName, SessionRuntime, SessionStore, Spawn, Status,
//!     Timestamp,
//! };
//! use session_pty::{Runtime, RuntimeOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = || Timestamp::from(SystemTime::now());
//! let store = Arc::new(MemoryStore::new());
//! let runtime = Runtime::new(store.clone(), clock, RuntimeOptions::default())?;
//!
//! let mut session = Session::new(SessionId::from_parts(clock(), 1), clock());
//! session.identity.name = Some(SessionName::parse("greeting")?);
//! session.launch = Some(Launch {
//!     argv: vec!["sh".into(), "-c".into(), "read name; echo hello $name; exit 7".into()],
//!     workdir: std::env::temp_dir().to_str().ok_or("no UTF-8")?.into(),
//!     ..Launch::default()
//! });
//! let environment = std::env::vars_os().collect();
//! let session = runtime.spawn(Spawn { session, environment, umask: None })?;
//!
//! runtime.write(session.id(), b"world\n")?;
//! let exit = runtime.wait(session.id(), Some(Duration::from_secs(10)))?;
//! assert_eq!(exit, Some(Exit::Code(7)));
//! assert_eq!(store.get(session.id())?.status(), Status::Failed);
//! # Ok(())
//! # }
//! ```

mod cast;
mod environment;
mod events;
mod instance;
mod keeper;
mod live;
mod os;
mod output;
mod place;
mod recorder;
mod runtime;
pub mod screen;
mod stream;
mod subscription;
mod wire;

pub mod client;
mod supervisor;

pub use client::Client;
pub use events::{Cursor, CursorError, Event, Happening};
pub use instance::{Absence, Instance, Presence, Socket};
pub use keeper::{KeeperOptions, keep};
pub use live::{Limits, SessionHandle};
pub use output::{read_log, read_screen};
pub use place::Place;
pub use runtime::{Runtime, RuntimeOptions};
pub use supervisor::{Launcher, SupervisorOptions, supervise};
pub use wire::{Feed, LiveSession, SupervisorStatus, Typist, TypistError, ViewerSpec};
