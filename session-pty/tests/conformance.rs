//! The runtime inside this process under the shared suite.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;

use session_core::{SessionRuntime, SessionStore, Timestamp};
use session_pty::{Runtime, RuntimeOptions};
use session_testkit::runtime::{Program, RuntimeFixture, shell};

struct InProcess;

impl RuntimeFixture for InProcess {
    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        Arc::new(Runtime::new(store, now, RuntimeOptions::default()).unwrap())
    }

    fn argv(&self, program: Program) -> Vec<String> {
        shell::argv(&program)
    }
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the test brings the clock")]
    let now = std::time::SystemTime::now();
    Timestamp::from(now)
}

session_testkit::runtime_conformance!(InProcess);
