//! The runtimes that live in the caller's process under the shared suite, recording into the stores on a disk.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;

use session_core::{SessionRuntime, SessionStore, Timestamp};
use session_jsonl::JsonlStore;
use session_pty::{Limits, Runtime, RuntimeOptions};
use session_sql::SqlStore;
use session_testkit::ScriptedFixture;
use session_testkit::runtime::{Outage, Program, RuntimeFixture, shell};
use tempfile::TempDir;

/// How much is kept of a program's output: little, so that little is too much.
const KEPT: usize = 192 << 10;

/// A way to open a store in a directory.
type Open = fn(&TempDir) -> Arc<dyn SessionStore>;

fn sqlite(directory: &TempDir) -> Arc<dyn SessionStore> {
    Arc::new(SqlStore::open(directory.path().join("session.db")).unwrap())
}

fn jsonl(directory: &TempDir) -> Arc<dyn SessionStore> {
    Arc::new(JsonlStore::open(directory.path().join("jsonl")).unwrap())
}

/// Programs inside this process.
struct InProcess {
    directory: TempDir,
    open: Open,
}

impl InProcess {
    fn new(open: Open) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), open }
    }
}

impl RuntimeFixture for InProcess {
    fn store(&self) -> Arc<dyn SessionStore> {
        (self.open)(&self.directory)
    }

    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        let options = RuntimeOptions {
            limits: Limits { journal_bytes: KEPT, ..Limits::default() },
            output_dir: Some(self.directory.path().join("output")),
            host: None,
        };
        Arc::new(Runtime::new(store, now, options).unwrap())
    }

    fn argv(&self, program: Program) -> Vec<String> {
        shell::argv(&program)
    }

    fn kept(&self) -> usize {
        KEPT
    }
}

/// No programs at all.
struct Scripted {
    inner: ScriptedFixture,
    _directory: TempDir,
}

impl Scripted {
    fn new(open: Open) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { inner: ScriptedFixture::new(open(&directory)), _directory: directory }
    }
}

impl RuntimeFixture for Scripted {
    fn store(&self) -> Arc<dyn SessionStore> {
        self.inner.store()
    }

    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        self.inner.runtime(store)
    }

    fn argv(&self, program: Program) -> Vec<String> {
        self.inner.argv(program)
    }

    fn kept(&self) -> usize {
        self.inner.kept()
    }

    fn outage(&self) -> Option<&dyn Outage> {
        self.inner.outage()
    }
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the test brings the clock")]
    let now = std::time::SystemTime::now();
    Timestamp::from(now)
}

mod in_process_on_sqlite {
    session_testkit::runtime_conformance!(crate::InProcess::new(crate::sqlite));
}

mod in_process_on_jsonl {
    session_testkit::runtime_conformance!(crate::InProcess::new(crate::jsonl));
}

mod scripted_on_sqlite {
    session_testkit::runtime_conformance!(crate::Scripted::new(crate::sqlite));
}

mod scripted_on_jsonl {
    session_testkit::runtime_conformance!(crate::Scripted::new(crate::jsonl));
}
