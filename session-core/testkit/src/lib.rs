//! What every adapter of `session-core` promises, as tests that each adapter runs against itself.
//!
//! A backend runs the store suite from one file of its `tests/`:
//!
//! ```
//! use session_core::{MemoryStore, SessionStore};
//! use session_testkit::StoreFixture;
//!
//! /// One place: here a store in memory, for a backend on a disk a temporary directory.
//! #[derive(Default)]
//! struct Memory(MemoryStore);
//!
//! impl StoreFixture for Memory {
//!     fn open(&self) -> Box<dyn SessionStore> {
//!         Box::new(self.0.reopen())
//!     }
//!
//!     fn other(&self) -> Box<dyn SessionStore> {
//!         Box::new(MemoryStore::new())
//!     }
//! }
//!
//! session_testkit::store_conformance!(Memory::default());
//! # fn main() {}
//! ```
//!
//! One on a disk of which single calls can be made to fail does the same with [`FaultFixture`] and
//! [`store_fault_conformance`].
//!
//! One that several processes may share lets them crowd it, race and die with [`ProcessFixture`] and
//! [`store_process_conformance`].
//!
//! A runtime does the same with [`RuntimeFixture`] and [`runtime_conformance`], once for each store that it can record
//! into. Code that uses a runtime can be
//! tested with [`ScriptedRuntime`], and code that asks for the time with [`ManualClock`].
//!
//! Each case is a function of its own whose documentation begins with the id of the contract sentence that it
//! tests, such as `STORE-07`. Nothing can be skipped. Of the environment only `PROPTEST_CASES` counts, by which the model
//! of runtimes does more than it does anyway.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

mod clock;
mod content;
mod fixture;

pub mod cases;
pub mod fault;
mod model;
mod probe;
pub mod processes;
pub mod runtime;
pub mod samples;
mod scripted;
pub mod strategies;
mod values;

pub use clock::ManualClock;
pub use content::{assert_same_content, content};
pub use fault::FaultFixture;
pub use fixture::StoreFixture;
pub use model::store_model;
pub use processes::ProcessFixture;
pub use runtime::{Program, RuntimeFixture};
pub use scripted::{ScriptedFixture, ScriptedRuntime};
pub use values::store_values;
