//! The supervisor's client as a runtime, under the shared suite: real processes, a real socket, each store.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use session_core::{SessionRuntime, SessionStore};
use session_jsonl::JsonlStore;
use session_pty::client::RemoteRuntime;
use session_pty::{Client, Instance, Launcher, Limits, Place};
use session_sql::SqlStore;
use session_testkit::runtime::{Outage, Program, RuntimeFixture, shell};
use tempfile::TempDir;

/// A kind of store: how it is called, where it is, and what is called so in its place when it cannot be read.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    path: &'static str,
}

const SQLITE: Kind = Kind { name: "sqlite", path: "session.db" };
const JSONL: Kind = Kind { name: "jsonl", path: "jsonl" };

/// What stands where a store should be that cannot be read.
const NO_STORE: &str = "no store";

/// A supervisor of its own for each test.
struct Supervised {
    kind: Kind,
    directory: TempDir,
    /// The supervisor that an outage has stopped.
    stopped: Mutex<Option<OwnedFd>>,
}

impl Supervised {
    fn new(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("data")).unwrap();
        Self { kind, directory, stopped: Mutex::default() }
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data").canonicalize().unwrap()
    }

    fn place(&self) -> Place {
        Place::new(self.data_dir(), self.directory.path().join("run"), self.kind.name)
    }

    /// The supervisor, as its keeper names it; `None` while there is none.
    fn supervisor(&self) -> Option<u32> {
        Instance::alive(&self.place().instance_lock()).unwrap().unwrap().supervisor
    }

    fn kill_stopped(&self) {
        if let Some(stopped) = self.stopped.lock().unwrap().take() {
            pidfd_send_signal(&stopped, Signal::KILL).unwrap();
            await_end(&stopped);
        }
    }
}

fn process(pid: u32) -> OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

fn await_end(process: &OwnedFd) {
    let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ended, 1, "the process must end");
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
        let path = self.data_dir().join(self.kind.path);
        match self.kind.name {
            "sqlite" => Arc::new(SqlStore::open(path).unwrap()),
            _ => Arc::new(JsonlStore::open(path).unwrap()),
        }
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
                "--store".into(),
                self.kind.name.into(),
                "supervisor".into(),
                "run".into(),
            ],
        };
        Arc::new(RemoteRuntime::new(self.place(), launcher, store))
    }

    fn argv(&self, program: Program) -> Vec<String> {
        shell::argv(&program)
    }

    fn kept(&self) -> usize {
        Limits::default().journal_bytes
    }

    fn outage(&self) -> Option<&dyn Outage> {
        Some(self)
    }
}

impl Outage for Supervised {
    fn begin(&self) {
        // Where nothing runs, there may be none.
        let Some(mut client) = Client::connect(&self.place()).unwrap() else { return };
        let pid = client.status().unwrap().pid;
        let supervisor = process(pid);
        // It stays as long as somebody is connected.
        pidfd_send_signal(&supervisor, Signal::STOP).unwrap();
        // Only then does it accept nobody any more.
        while !fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
        *self.stopped.lock().unwrap() = Some(supervisor);
        drop(client);
    }

    fn terminate(&self, pid: u32) {
        let program = process(pid);
        pidfd_send_signal(&program, Signal::TERM).unwrap();
        await_end(&program);
    }

    fn end(&self) {
        self.kill_stopped();
    }

    fn end_without_a_store(&self) {
        let path = self.data_dir().join(self.kind.path);
        let aside = self.directory.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        fs::write(&path, NO_STORE).unwrap();
        let dead = self.supervisor();
        self.kill_stopped();
        let next = loop {
            match self.supervisor() {
                Some(next) if Some(next) != dead => break next,
                _ => std::thread::yield_now(),
            }
        };
        // It may be dead already: then it has met the store.
        let pid = Pid::from_raw(i32::try_from(next).unwrap()).unwrap();
        if let Ok(next) = pidfd_open(pid, PidfdFlags::empty()) {
            await_end(&next);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), NO_STORE, "it is not touched");
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
}

mod sqlite {
    session_testkit::runtime_conformance!(crate::Supervised::new(crate::SQLITE));
}

mod jsonl {
    session_testkit::runtime_conformance!(crate::Supervised::new(crate::JSONL));
}
