//! The runtime inside this process under the shared suite.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;

use session_core::{SessionRuntime, SessionStore, Timestamp};
use session_pty::{Limits, Runtime, RuntimeOptions};
use session_testkit::runtime::{Program, RuntimeFixture, shell};
use tempfile::TempDir;

/// How much is kept of a program's output: little, so that little is too much.
const KEPT: usize = 192 << 10;

struct InProcess {
    output: TempDir,
}

impl InProcess {
    fn new() -> Self {
        Self { output: tempfile::tempdir().unwrap() }
    }
}

impl RuntimeFixture for InProcess {
    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        let options = RuntimeOptions {
            limits: Limits { journal_bytes: KEPT, ..Limits::default() },
            output_dir: Some(self.output.path().to_owned()),
            host: None,
        };
        Arc::new(Runtime::new(store, now, options).unwrap())
    }

    fn kept(&self) -> usize {
        KEPT
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

session_testkit::runtime_conformance!(InProcess::new());
