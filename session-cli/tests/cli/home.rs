//! A user with nothing: directories of their own, a bare environment, and the command in them.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde_json::Value;
use session_pty::Instance;

/// The kinds of stores that everything must work with.
pub(crate) const STORES: [&str; 2] = ["sqlite", "jsonl"];

/// Nothing in these tests takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A user's directories. The supervisor that was started in them ends with this.
#[derive(Debug)]
pub(crate) struct Home {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// A process that is held by more than its number.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i64,
    held: OwnedFd,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with_store("sqlite")
    }

    pub(crate) fn with_store(kind: &str) -> Self {
        // Short, because sockets have short paths.
        let directory = tempfile::Builder::new().prefix("s-").tempdir_in("/tmp").unwrap();
        let path = directory.path().canonicalize().unwrap();
        let below = |name: &str| path.join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(path.join("home")).unwrap();
        let variables = [
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", below("home")),
            ("SHELL", "/bin/sh".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("PS1", "$ ".to_owned()),
            ("SESSION_DATA_DIR", below("data")),
            ("SESSION_RUNTIME_DIR", below("run")),
            ("SESSION_STORE", kind.to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { directory, variables }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// The command, with nothing to read and nowhere to print to but here.
    pub(crate) fn command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_session"));
        command
            .args(words)
            .env_clear()
            .envs(self.variables())
            .current_dir(self.path().join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Ran {
        finished(self.command(words), b"")
    }

    /// With this on standard input.
    pub(crate) fn typed<W: AsRef<OsStr>>(
        &self,
        words: impl IntoIterator<Item = W>,
        input: &[u8],
    ) -> Ran {
        finished(self.command(words), input)
    }

    /// The words of a line, which must succeed; what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let ran = self.run(line.split(' '));
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.out
    }

    /// As [`Self::ok`], with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        parsed(&self.ok(&format!("{line} --json")))
    }

    /// A line as a shell understands it, which must succeed; what it printed.
    #[track_caller]
    pub(crate) fn shell(&self, line: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_session"));
        let path = std::env::join_paths(
            program
                .parent()
                .map(Path::to_owned)
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .env_clear()
            .envs(self.variables())
            .env("PATH", path.unwrap())
            .current_dir(self.path().join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = finished(command, b"");
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.out
    }

    /// Starts `sh -c SCRIPT` in the background.
    #[track_caller]
    pub(crate) fn start(&self, name: &str, script: &str) {
        let ran = self.run(["new", name, "-d", "--", "sh", "-c", script]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// The supervisor and its keeper, as they are now.
    pub(crate) fn processes(&self) -> (Process, Process) {
        let status = self.json("supervisor status");
        let of = |name: &str| Process::held(status[name].as_i64().unwrap());
        (of("supervisor_pid"), of("keeper_pid"))
    }

    /// Kills the supervisor and its keeper, and waits until both are gone.
    pub(crate) fn kill_supervisor_and_keeper(&self) {
        let (supervisor, keeper) = self.processes();
        // Or it would become the keeper.
        supervisor.signal(Signal::STOP);
        keeper.signal(Signal::KILL);
        keeper.wait();
        supervisor.signal(Signal::KILL);
        supervisor.wait();
    }

    /// Every file and directory with its mode, apart from what SQLite keeps beside a database for readers.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.path(), &mut found);
        found.retain(|file| !file.contains("session.db-"));
        found.sort();
        found
    }
}

impl Process {
    #[track_caller]
    pub(crate) fn held(pid: i64) -> Self {
        let number = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        Self { pid, held: pidfd_open(number, PidfdFlags::empty()).unwrap() }
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.held, signal).unwrap();
    }

    /// Waits for its end, which must come in time.
    #[track_caller]
    pub(crate) fn wait(&self) {
        let mut fds = [rustix::event::PollFd::new(&self.held, rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut fds, Some(&timeout)).unwrap(), 1);
    }

    pub(crate) fn is_alive(&self) -> bool {
        let mut fds = [rustix::event::PollFd::new(&self.held, rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec::default();
        rustix::event::poll(&mut fds, Some(&now)).unwrap() == 0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for kind in STORES {
            let lock = self.data().join(format!("instance-{kind}.lock"));
            if lock.exists() {
                let told = self.run(["supervisor", "stop", "--force", "--store", kind]);
                // A test that failed may have left it stopped, or without a store, so that it cannot be told.
                if let (true, Ok(Some(left))) = (told.code != 0, Instance::alive(&lock)) {
                    kill(&left);
                }
            }
        }
    }
}

/// Kills a keeper and its supervisor, whose programs hang up then.
fn kill(instance: &Instance) {
    let process = |pid: u32| {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
        pidfd_open(number, PidfdFlags::empty()).ok()
    };
    let (keeper, supervisor) = (process(instance.pid), instance.supervisor.and_then(process));
    // Stopped first, or it would become the keeper.
    let signals =
        [(&supervisor, Signal::STOP), (&keeper, Signal::KILL), (&supervisor, Signal::KILL)];
    for (process, signal) in signals {
        if let Some(process) = process {
            // One that is gone needs no signal.
            let _gone = pidfd_send_signal(process, signal);
        }
    }
}

impl Ran {
    /// The error object, which must be the last line on standard error.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let line = self.err.lines().last().unwrap_or_default();
        let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}"));
        assert_eq!(object["schema_version"], 1, "{object}");
        object["error"].clone()
    }
}

/// Parses an object, which must carry the version of its schema first.
#[track_caller]
pub(crate) fn parsed(text: &str) -> Value {
    assert!(text.starts_with("{\"schema_version\":1,"), "{text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Runs the command to its end, which must come in time.
pub(crate) fn finished(mut command: Command, input: &[u8]) -> Ran {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    if let Some(mut stdin) = child.stdin.take() {
        // A command that wants no more of it says why by itself.
        let _enough = stdin.write_all(input);
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        let _gone = kill_process(pid, Signal::KILL);
        panic!("{command:?} does not end");
    };
    let output = output.unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn collect(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode();
        found.push(format!("{} {mode:o} {}", entry.path().display(), metadata.len()));
        if metadata.is_dir() {
            collect(&entry.path(), found);
        }
    }
}
