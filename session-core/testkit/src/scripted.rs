//! A runtime without programs, for tests of whatever uses a runtime.

mod absence;
mod fixture;
mod script;
mod viewer;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_core::{
    Clock, Exit, Host, Launch, MAX_INPUT, Process, ProcessState, RuntimeError, RuntimeEvent,
    Session, SessionId, SessionRuntime, SessionStore, SessionStoreExt, Spawn, Status, StoreError,
    Subscription, TerminalSize, Unknown,
};

pub use fixture::ScriptedFixture;
use script::{Action, Script, Surroundings};
use viewer::Viewer;

/// A [`SessionRuntime`] that plays its programs instead of running them: no process, no thread, no terminal, and
/// the same result every time.
///
/// It keeps the contract, records into its store included. The first word of a session's `argv` must be `script`,
/// the second says which part is played; anything else is a command that is not found:
///
/// | `argv` | plays |
/// |---|---|
/// | `script exit CODE` | ends at once |
/// | `script signal NUMBER` | ends at once by a signal |
/// | `script echo` | prints `ready`, then `got:` and each line; ends with 0 at Ctrl-D |
/// | `script lines COUNT` | prints `line 1` to `line COUNT`, ends with 0 |
/// | `script burst COUNT` | prints `line 1` to `line COUNT`, then as `echo` |
/// | `script stubborn` | prints `ready`, ignores all but the kill |
/// | `script lingering` | prints `ready`, ignores the hang-up |
/// | `script polite` | prints `ready`; prints `bye` and ends with 5 when it is asked to end |
/// | `script size` | prints `size 80x24`, again after each change |
/// | `script environment NAME` | prints `value:` and the value, or `unset`, ends with 0 |
/// | `script directory` | prints `directory:` and its directory, ends with 0 |
///
/// Whatever prints waits for the line `go` first. Everything that a call causes has happened when the call returns.
/// Every absolute directory is there, unless part of its path is called `missing`. No time passes in `stop`. The last
/// [`KEPT`](Self::KEPT) bytes of output are kept.
///
/// [`leave`](Self::leave) and [`come_back`](Self::come_back) play the death of a runtime whose programs outlive it.
///
/// ```
/// use std::sync::Arc;
///
/// use session_core::{Exit, Launch, MemoryStore, Session, SessionId, SessionRuntime, Spawn, Timestamp};
/// use session_testkit::{ManualClock, ScriptedRuntime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = Timestamp::from_millis(0);
/// let runtime = ScriptedRuntime::new(Arc::new(MemoryStore::new()), Arc::new(ManualClock::new(now)));
/// let mut session = Session::new(SessionId::from_parts(now, 1), now);
/// session.launch = Some(Launch {
///     argv: ["script", "exit", "3"].map(str::to_owned).to_vec(),
///     workdir: "/".to_owned(),
///     ..Launch::default()
/// });
/// let id = session.id();
/// runtime.spawn(Spawn { session, environment: Vec::new(), umask: None })?;
/// assert_eq!(runtime.wait(id, None)?, Some(Exit::Code(3)));
/// # Ok(())
/// # }
/// ```
pub struct ScriptedRuntime {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    stage: Arc<Stage>,
}

/// What subscriptions share with the runtime.
struct Stage {
    programs: Mutex<Programs>,
    /// Notified at every event.
    changed: Condvar,
}

#[derive(Default)]
struct Programs {
    all: BTreeMap<SessionId, Program>,
    /// What programs have done since the runtime left; `None` while it is there.
    meanwhile: Option<Vec<(SessionId, Vec<Action>)>>,
}

struct Program {
    script: Script,
    pid: u32,
    size: TerminalSize,
    /// The last output, and how much there was.
    kept: Vec<u8>,
    written: u64,
    /// What was typed since the last end of a line.
    typed: Vec<u8>,
    exit: Option<Exit>,
    viewers: BTreeMap<u64, Viewer>,
    next_viewer: u64,
}

impl ScriptedRuntime {
    /// The instance that is recorded as the host of every program.
    pub const INSTANCE: &'static str = "scripted";

    /// So many bytes of each program's output are kept.
    pub const KEPT: usize = 64 << 10;

    /// Pids begin here, beyond those of any system, so that nobody signals a real process by mistake.
    const FIRST_PID: u32 = 1 << 30;

    /// A runtime that records into `store`, with the times of `clock`.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        let stage = Stage { programs: Mutex::default(), changed: Condvar::new() };
        Self { store, clock, stage: Arc::new(stage) }
    }

    /// Does what a script asks for. The end is recorded before anybody can see it.
    fn act(
        &self,
        id: SessionId,
        program: &mut Program,
        actions: Vec<Action>,
    ) -> Result<(), RuntimeError> {
        for action in actions {
            match action {
                Action::Print(line) => program.print(format!("{line}\r\n").into_bytes()),
                Action::End(exit) => {
                    self.record_end(id, exit)?;
                    program.exit = Some(exit);
                    program.show(&RuntimeEvent::Exited(exit));
                }
            }
        }
        self.stage.changed.notify_all();
        Ok(())
    }

    /// A place for a viewer, which is told the end if that is past.
    fn seat(
        &self,
        id: SessionId,
        viewer: impl FnOnce(&Program) -> Viewer,
    ) -> Result<Box<dyn Subscription>, RuntimeError> {
        let mut programs = self.stage.present();
        let program = known(&mut programs, id)?;
        let mut viewer = viewer(program);
        if let Some(exit) = program.exit {
            viewer.push(&RuntimeEvent::Exited(exit));
        }
        let number = program.next_viewer;
        program.next_viewer += 1;
        program.viewers.insert(number, viewer);
        Ok(Box::new(Seat { stage: Arc::clone(&self.stage), id, number }))
    }

    fn record_end(&self, id: SessionId, exit: Exit) -> Result<Session, StoreError> {
        let now = self.clock.now();
        self.store.update_with(id, now, |session| {
            let status = if exit.is_success() { Status::Completed } else { Status::Failed };
            // Somebody may have ended the session for good meanwhile: then it stays so.
            if let Ok(status) = session.status().to(status) {
                session.lifecycle.status = status;
                session.lifecycle.ended_at = Some(now);
            }
            if let Some(process) = &mut session.process {
                process.state = ProcessState::Exited(exit);
            }
            Ok(())
        })
    }

    fn record_start(&self, mut session: Session, pid: u32) -> Result<Session, StoreError> {
        let now = self.clock.now();
        let host = Host {
            instance: Self::INSTANCE.to_owned(),
            boot: Self::INSTANCE.to_owned(),
            unknown: Unknown::default(),
        };
        session.process = Some(Process::starting(now, Some(host)));
        let id = self.store.create(session)?.id();
        self.store.update_with(id, now, |session| {
            session.set_status(Status::Running)?;
            if let Some(process) = &mut session.process {
                process.state = ProcessState::Running;
                process.pid = Some(pid);
            }
            Ok(())
        })
    }
}

impl SessionRuntime for ScriptedRuntime {
    fn spawn(&self, spawn: Spawn) -> Result<Session, RuntimeError> {
        let id = spawn.session.id();
        let launch = spawn.session.launch.as_ref();
        let Some(launch) = launch.filter(|launch| !launch.argv.is_empty()) else {
            return Err(RuntimeError::NothingToStart { id });
        };
        check_workdir(&launch.workdir)?;
        let size = launch.size.unwrap_or(TerminalSize::DEFAULT);
        let surroundings = surroundings(&spawn, launch);
        let Some(script) = Script::parse(&launch.argv, surroundings) else {
            return Err(RuntimeError::CommandNotFound { program: launch.argv[0].clone() });
        };
        let mut programs = self.stage.present();
        let started = u32::try_from(programs.all.len()).unwrap_or(u32::MAX);
        let pid = Self::FIRST_PID.saturating_add(started);
        let session = self.record_start(spawn.session, pid)?;
        let mut program = Program {
            script,
            pid,
            size,
            kept: Vec::new(),
            written: 0,
            typed: Vec::new(),
            exit: None,
            viewers: BTreeMap::new(),
            next_viewer: 0,
        };
        let actions = program.script.start();
        let played = self.act(id, &mut program, actions);
        programs.all.insert(id, program);
        played.map(|()| session)
    }

    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError> {
        let mut programs = self.stage.present();
        let program = running(&mut programs, id)?;
        if bytes.len() > MAX_INPUT {
            return Err(RuntimeError::TooMuchInput { len: bytes.len() });
        }
        for byte in bytes {
            if program.exit.is_some() {
                break;
            }
            let actions = match byte {
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut program.typed);
                    program.script.line(&String::from_utf8_lossy(&line), program.size)
                }
                // Ctrl-D: the end of the input, but only where a line would begin.
                4 if program.typed.is_empty() => program.script.end_of_input(),
                byte => {
                    program.typed.push(*byte);
                    continue;
                }
            };
            self.act(id, program, actions)?;
        }
        Ok(())
    }

    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError> {
        let mut programs = self.stage.present();
        let program = running(&mut programs, id)?;
        if program.size == size {
            return Ok(());
        }
        program.size = size;
        program.show(&RuntimeEvent::Resized(size));
        let actions = program.script.resized(size);
        self.act(id, program, actions)
    }

    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        self.seat(id, |_| Viewer::default())
    }

    fn replay(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        self.seat(id, |program| Viewer::after(program.replayed()))
    }

    fn stop(&self, id: SessionId, _grace: Duration) -> Result<Exit, RuntimeError> {
        let mut programs = self.stage.present();
        let program = running(&mut programs, id)?;
        let actions = program.script.stopped();
        self.act(id, program, actions)?;
        program.exit.ok_or(RuntimeError::Timeout { what: "the end of a killed program" })
    }

    fn wait(&self, id: SessionId, timeout: Option<Duration>) -> Result<Option<Exit>, RuntimeError> {
        let mut programs = self.stage.programs();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if programs.meanwhile.is_none()
                && let Some(exit) = known(&mut programs, id)?.exit
            {
                return Ok(Some(exit));
            }
            match self.stage.wait(programs, deadline) {
                Some(guard) => programs = guard,
                None => return Ok(None),
            }
        }
    }
}

impl fmt::Debug for ScriptedRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedRuntime").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Stage {
    fn programs(&self) -> MutexGuard<'_, Programs> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::programs`], once the runtime is there.
    fn present(&self) -> MutexGuard<'_, Programs> {
        let gone = |programs: &mut Programs| programs.meanwhile.is_some();
        let present = self.changed.wait_while(self.programs(), gone);
        present.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next event; `None` when the deadline passes first.
    fn wait<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, T>> {
        let Some(deadline) = deadline else {
            return Some(self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner));
        };
        let left =
            deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let waited = self.changed.wait_timeout(guard, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Program {
    fn print(&mut self, bytes: Vec<u8>) {
        self.written += bytes.len() as u64;
        self.kept.extend_from_slice(&bytes);
        // Seldom, since it moves what stays.
        if self.kept.len() > 2 * ScriptedRuntime::KEPT {
            self.kept.drain(..self.kept.len() - ScriptedRuntime::KEPT);
        }
        self.show(&RuntimeEvent::Output(bytes));
    }

    /// The output so far.
    fn replayed(&self) -> Vec<RuntimeEvent> {
        let from = self.kept.len().saturating_sub(ScriptedRuntime::KEPT);
        let kept = self.kept[from..].to_vec();
        let missed = self.written - kept.len() as u64;
        let gap = (missed > 0).then(|| RuntimeEvent::Gap { missed, screen: Vec::new() });
        let output = (!kept.is_empty()).then_some(RuntimeEvent::Output(kept));
        gap.into_iter().chain(output).collect()
    }

    fn show(&mut self, event: &RuntimeEvent) {
        for viewer in self.viewers.values_mut() {
            viewer.push(event);
        }
    }
}

/// The place of one viewer.
struct Seat {
    stage: Arc<Stage>,
    id: SessionId,
    number: u64,
}

impl Subscription for Seat {
    fn next(&mut self, timeout: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        let mut programs = self.stage.programs();
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let program = known(&mut programs, self.id)?;
            let Some(viewer) = program.viewers.get_mut(&self.number) else { return Ok(None) };
            if let Some(event) = viewer.next() {
                return Ok(Some(event));
            }
            if viewer.is_at_end() {
                return Ok(None);
            }
            match self.stage.wait(programs, deadline) {
                Some(guard) => programs = guard,
                None => return Ok(None),
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(program) = self.stage.programs().all.get_mut(&self.id) {
            program.viewers.remove(&self.number);
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("id", &self.id).field("number", &self.number).finish()
    }
}

fn known(programs: &mut Programs, id: SessionId) -> Result<&mut Program, RuntimeError> {
    let unknown = || StoreError::NotFound { selector: id.to_string() };
    Ok(programs.all.get_mut(&id).ok_or_else(unknown)?)
}

fn running(programs: &mut Programs, id: SessionId) -> Result<&mut Program, RuntimeError> {
    let program = known(programs, id)?;
    if program.exit.is_some() { Err(RuntimeError::NotRunning { id }) } else { Ok(program) }
}

fn check_workdir(workdir: &str) -> Result<(), RuntimeError> {
    let path = Path::new(workdir);
    let missing = path.components().any(|part| part == Component::Normal("missing".as_ref()));
    let reason = match (path.is_absolute(), missing) {
        (true, false) => return Ok(()),
        (true, true) => "no such directory",
        (false, _) => "not an absolute path",
    };
    Err(RuntimeError::InvalidWorkdir { workdir: workdir.to_owned(), reason: reason.to_owned() })
}

/// The environment of the program: what was given, the session's additions, and who it is.
fn surroundings(spawn: &Spawn, launch: &Launch) -> Surroundings {
    let given = spawn.environment.iter();
    let mut environment: BTreeMap<String, String> = given
        .map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        })
        .collect();
    environment.extend(launch.env.clone());
    environment.insert("SESSION_ID".to_owned(), spawn.session.id().to_string());
    match spawn.session.name() {
        Some(name) => environment.insert("SESSION_NAME".to_owned(), name.to_string()),
        None => environment.remove("SESSION_NAME"),
    };
    Surroundings { environment, directory: launch.workdir.clone() }
}
