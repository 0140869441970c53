//! The supervisor's client as a runtime, under the shared suite: real processes, a real socket, SQLite.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::path::PathBuf;
use std::sync::Arc;

use session_core::{SessionRuntime, SessionStore};
use session_pty::client::RemoteRuntime;
use session_pty::{Client, Launcher, Place};
use session_sql::SqlStore;
use session_testkit::runtime::{Program, RuntimeFixture, shell};
use tempfile::TempDir;

/// A supervisor of its own for each test.
struct Supervised {
    directory: TempDir,
}

impl Supervised {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("data")).unwrap();
        Self { directory }
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data").canonicalize().unwrap()
    }

    fn place(&self) -> Place {
        Place::new(self.data_dir(), self.directory.path().join("run"), "sqlite")
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Ok(Some(client)) = Client::connect(&self.place()) {
            client.shutdown(true).unwrap();
        }
    }
}

impl RuntimeFixture for Supervised {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(SqlStore::open(self.data_dir().join("session.db")).unwrap())
    }

    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        let data_dir = self.data_dir().into_os_string();
        let runtime_dir = self.directory.path().join("run").into_os_string();
        let launcher = Launcher {
            program: Some(env!("CARGO_BIN_EXE_session").into()),
            args: vec![
                "--data-dir".into(),
                data_dir,
                "--runtime-dir".into(),
                runtime_dir,
                "supervisor".into(),
                "run".into(),
            ],
        };
        Arc::new(RemoteRuntime::new(self.place(), launcher, store))
    }

    fn argv(&self, program: Program) -> Vec<String> {
        shell::argv(&program)
    }
}

session_testkit::runtime_conformance!(Supervised::new());
