//! The store in memory under the shared suite.

use session_core::{MemoryStore, SessionStore};
use session_testkit::StoreFixture;

#[derive(Default)]
struct Memory(MemoryStore);

impl StoreFixture for Memory {
    fn open(&self) -> Box<dyn SessionStore> {
        Box::new(self.0.reopen())
    }

    fn other(&self) -> Box<dyn SessionStore> {
        Box::new(MemoryStore::new())
    }
}

session_testkit::store_conformance!(Memory::default());
