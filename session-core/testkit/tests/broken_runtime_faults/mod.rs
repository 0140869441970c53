//! A scripted runtime that is broken in one way.

mod watch;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use session_core::{
    Exit, MAX_INPUT, MemoryStore, RuntimeError, RuntimeEvent, Session, SessionId, SessionRuntime,
    SessionStore, Spawn, Subscription, TerminalSize,
};
use session_testkit::runtime::Outage;
use session_testkit::{Program, RuntimeFixture, ScriptedFixture, ScriptedRuntime};

use watch::{BrokenWatch, These};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    RecordsElsewhere,
    LosesOutput,
    RepeatsOutput,
    HidesGaps,
    PaintsNothing,
    HidesLastWords,
    RepeatsTheEnd,
    EndsWithAWatcher,
    ReplaysNothing,
    ReplaysTheEndFirst,
    EndsAtReplay,
    InventsReplays,
    InheritsEnvironment,
    StartsAnywhere,
    TakesHeldNames,
    WaitsForNothing,
    InventsExits,
    SwallowsTooMuch,
    RefusesTooLate,
    EndsPiecesTwice,
    TypesTwice,
    RefusesSizes,
    RepeatsSizes,
    TellsWrongSizes,
    KillsAtOnce,
    EndsWithTheRuntime,
    EndsWithTheStore,
    ForgetsWaiters,
    ForgetsWatchers,
    ForgetsSizes,
}

/// The fixture of a broken runtime.
#[derive(Debug)]
pub(crate) struct Faulty {
    fault: Fault,
    inner: ScriptedFixture,
    broken: OnceLock<Arc<Broken>>,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    runtime: Arc<ScriptedRuntime>,
    started: Mutex<Vec<SessionId>>,
    /// How often it was gone.
    outages: Arc<AtomicU32>,
}

impl Faulty {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, inner: ScriptedFixture::default(), broken: OnceLock::new() }
    }

    fn come_back(&self) {
        self.inner.end();
        let broken = self.broken.get().unwrap();
        broken.outages.fetch_add(1, Ordering::SeqCst);
        for id in broken.started.lock().unwrap().iter() {
            // Most have ended, which is no failure here.
            match self.fault {
                Fault::EndsWithTheRuntime => drop(broken.runtime.stop(*id, Duration::ZERO)),
                Fault::ForgetsSizes => drop(broken.runtime.resize(*id, TerminalSize::DEFAULT)),
                _ => {}
            }
        }
    }
}

impl RuntimeFixture for Faulty {
    fn store(&self) -> Arc<dyn SessionStore> {
        self.inner.store()
    }

    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        let store = match self.fault {
            Fault::RecordsElsewhere => Arc::new(MemoryStore::new()),
            _ => store,
        };
        let broken = Arc::new(Broken {
            fault: self.fault,
            runtime: self.inner.make(store),
            started: Mutex::default(),
            outages: Arc::default(),
        });
        self.broken.set(Arc::clone(&broken)).unwrap();
        broken
    }

    fn argv(&self, program: Program) -> Vec<String> {
        match program {
            Program::Polite if self.fault == Fault::KillsAtOnce => {
                self.inner.argv(Program::Stubborn)
            }
            program => self.inner.argv(program),
        }
    }

    fn kept(&self) -> usize {
        self.inner.kept()
    }

    fn outage(&self) -> Option<&dyn Outage> {
        // There, Polite does not end by TERM, on which outages rely.
        if self.fault == Fault::KillsAtOnce { None } else { Some(self) }
    }
}

impl Outage for Faulty {
    fn begin(&self) {
        self.inner.begin();
    }

    fn terminate(&self, pid: u32) {
        self.inner.terminate(pid);
    }

    fn end(&self) {
        self.come_back();
    }

    fn end_without_a_store(&self) {
        self.come_back();
        if self.fault == Fault::EndsWithTheStore {
            let broken = self.broken.get().unwrap();
            for id in broken.started.lock().unwrap().iter() {
                drop(broken.runtime.stop(*id, Duration::ZERO));
            }
        }
    }
}

impl Broken {
    fn watch(&self, id: SessionId, inner: Box<dyn Subscription>) -> Box<dyn Subscription> {
        let (runtime, outages) = (Arc::clone(&self.runtime), Arc::clone(&self.outages));
        Box::new(BrokenWatch::new(self.fault, id, inner, runtime, outages))
    }
}

/// What a runtime says that is gone.
fn gone<T>() -> Result<T, RuntimeError> {
    Err(RuntimeError::io("asking", std::io::ErrorKind::BrokenPipe.into()))
}

impl SessionRuntime for Broken {
    fn spawn(&self, mut spawn: Spawn) -> Result<Session, RuntimeError> {
        match self.fault {
            Fault::InheritsEnvironment => spawn.environment.extend(std::env::vars_os()),
            Fault::StartsAnywhere => {
                spawn.session.launch.as_mut().unwrap().workdir = "/".to_owned();
            }
            _ => {}
        }
        let mut nameless = spawn.clone();
        nameless.session.identity.name = None;
        let spawned = match self.runtime.spawn(spawn) {
            Err(_) if self.fault == Fault::TakesHeldNames => self.runtime.spawn(nameless),
            spawned => spawned,
        };
        let session = spawned?;
        self.started.lock().unwrap().push(session.id());
        Ok(session)
    }

    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError> {
        match self.fault {
            Fault::SwallowsTooMuch if bytes.len() > MAX_INPUT => return Ok(()),
            Fault::RefusesTooLate if bytes.len() > MAX_INPUT => {
                self.runtime.write(id, &bytes[..50])?;
            }
            Fault::EndsPiecesTwice if bytes == b"\n" => self.runtime.write(id, bytes)?,
            Fault::TypesTwice if bytes != b"go\n" && bytes.ends_with(b"\n") => {
                self.runtime.write(id, bytes)?;
            }
            _ => {}
        }
        self.runtime.write(id, bytes)
    }

    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError> {
        if self.fault == Fault::RefusesSizes && size.rows() < 2 {
            return Err(RuntimeError::NothingToStart { id });
        }
        self.runtime.resize(id, size)
    }

    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        Ok(self.watch(id, self.runtime.subscribe(id)?))
    }

    fn replay(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        let inner = match self.fault {
            Fault::ReplaysNothing => self.runtime.subscribe(id)?,
            Fault::InventsReplays => match self.runtime.replay(id) {
                Err(_) => Box::new(These::default()),
                found => found?,
            },
            _ => self.runtime.replay(id)?,
        };
        if self.fault == Fault::EndsAtReplay {
            drop(self.runtime.stop(id, Duration::ZERO));
        }
        let mut watch = self.watch(id, inner);
        if self.fault == Fault::ReplaysTheEndFirst
            && let Some(exit) = self.runtime.wait(id, Some(Duration::ZERO))?
        {
            let first = watch.next(Duration::ZERO)?;
            return Ok(Box::new(These(vec![first, Some(RuntimeEvent::Exited(exit))])));
        }
        Ok(watch)
    }

    fn stop(&self, id: SessionId, grace: Duration) -> Result<Exit, RuntimeError> {
        self.runtime.stop(id, grace)
    }

    fn wait(&self, id: SessionId, timeout: Option<Duration>) -> Result<Option<Exit>, RuntimeError> {
        let exit = self.runtime.wait(id, timeout)?;
        match self.fault {
            Fault::WaitsForNothing => Ok(exit.or(Some(Exit::Unknown))),
            Fault::InventsExits if exit.is_some_and(|exit| !exit.is_success()) => {
                Ok(Some(Exit::Unknown))
            }
            Fault::ForgetsWaiters if self.outages.load(Ordering::SeqCst) > 0 => gone(),
            _ => Ok(exit),
        }
    }
}
