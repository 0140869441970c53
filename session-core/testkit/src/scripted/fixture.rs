//! How the scripted runtime plays the programs of the runtime suite.

use std::sync::{Arc, Mutex};

use session_core::{MemoryStore, SessionRuntime, SessionStore};

use super::ScriptedRuntime;
use crate::ManualClock;
use crate::runtime::{Outage, Program, RuntimeFixture};

/// A [`ScriptedRuntime`] under the runtime suite.
#[derive(Debug)]
pub struct ScriptedFixture {
    store: Arc<dyn SessionStore>,
    runtime: Mutex<Option<Arc<ScriptedRuntime>>>,
}

impl ScriptedFixture {
    /// One whose runtime records into this store, which is empty.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { store, runtime: Mutex::default() }
    }

    /// Makes the runtime.
    pub fn make(&self, store: Arc<dyn SessionStore>) -> Arc<ScriptedRuntime> {
        let runtime = Arc::new(ScriptedRuntime::new(store, Arc::new(ManualClock::default())));
        *self.runtime.lock().unwrap() = Some(Arc::clone(&runtime));
        runtime
    }

    fn made(&self) -> Arc<ScriptedRuntime> {
        self.runtime.lock().unwrap().clone().expect("it is made first")
    }
}

impl Default for ScriptedFixture {
    /// One that records into memory.
    fn default() -> Self {
        Self::new(Arc::new(MemoryStore::new()))
    }
}

impl RuntimeFixture for ScriptedFixture {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::clone(&self.store)
    }

    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        self.make(store)
    }

    fn argv(&self, program: Program) -> Vec<String> {
        let line = match program {
            Program::Exit(code) => format!("script exit {code}"),
            Program::Signalled => "script signal 9".to_owned(),
            Program::Echo => "script echo".to_owned(),
            Program::Numbered(count) => format!("script lines {count}"),
            Program::Burst(count) => format!("script burst {count}"),
            Program::Stubborn => "script stubborn".to_owned(),
            Program::Lingering => "script lingering".to_owned(),
            Program::Polite => "script polite".to_owned(),
            Program::ReportSize => "script size".to_owned(),
            Program::ReportEnvironment(name) => format!("script environment {name}"),
            Program::ReportDirectory => "script directory".to_owned(),
            Program::Missing => "no such script".to_owned(),
        };
        line.split(' ').map(str::to_owned).collect()
    }

    fn kept(&self) -> usize {
        ScriptedRuntime::KEPT
    }

    fn outage(&self) -> Option<&dyn Outage> {
        Some(self)
    }
}

impl Outage for ScriptedFixture {
    fn begin(&self) {
        self.made().leave();
    }

    fn terminate(&self, pid: u32) {
        self.made().terminate(pid).unwrap();
    }

    fn end(&self) {
        self.made().come_back().unwrap();
    }

    /// What the runtime does about a store that it cannot read, it does before anything else: nothing.
    fn end_without_a_store(&self) {
        self.end();
    }
}
