//! Whether the runtime suite notices: runtimes that are broken in one way each, and the cases that must say so.
//! Only faults that show at once: what never comes shows by a deadline, which would make these tests slow.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod scripted_fixture;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use scripted_fixture::Scripted;
use session_core::{
    Exit, MemoryStore, RuntimeError, RuntimeEvent, Session, SessionId, SessionRuntime,
    SessionStore, Spawn, Subscription, TerminalSize,
};
use session_testkit::{ManualClock, Program, RuntimeFixture, ScriptedRuntime, runtime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    RecordsElsewhere,
    LosesOutput,
    RepeatsOutput,
    HidesGaps,
    InheritsEnvironment,
    StartsAnywhere,
    RepeatsTheEnd,
    WaitsForNothing,
}

impl RuntimeFixture for Fault {
    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        let store = match self {
            Self::RecordsElsewhere => Arc::new(MemoryStore::new()),
            _ => store,
        };
        let runtime = ScriptedRuntime::new(store, Arc::new(ManualClock::default()));
        Arc::new(Broken { fault: *self, runtime })
    }

    fn argv(&self, program: Program) -> Vec<String> {
        Scripted.argv(program)
    }
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    runtime: ScriptedRuntime,
}

impl SessionRuntime for Broken {
    fn spawn(&self, mut spawn: Spawn) -> Result<Session, RuntimeError> {
        if self.fault == Fault::InheritsEnvironment {
            spawn.environment.extend(std::env::vars_os());
        }
        if self.fault == Fault::StartsAnywhere
            && let Some(launch) = &mut spawn.session.launch
        {
            launch.workdir = "/".to_owned();
        }
        self.runtime.spawn(spawn)
    }

    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError> {
        self.runtime.write(id, bytes)
    }

    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError> {
        self.runtime.resize(id, size)
    }

    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError> {
        let inner = self.runtime.subscribe(id)?;
        Ok(Box::new(BrokenWatch { fault: self.fault, inner, last: None }))
    }

    fn stop(&self, id: SessionId, grace: Duration) -> Result<Exit, RuntimeError> {
        self.runtime.stop(id, grace)
    }

    fn wait(&self, id: SessionId, timeout: Option<Duration>) -> Result<Option<Exit>, RuntimeError> {
        let exit = self.runtime.wait(id, timeout)?;
        if self.fault == Fault::WaitsForNothing {
            Ok(exit.or(Some(Exit::Unknown)))
        } else {
            Ok(exit)
        }
    }
}

#[derive(Debug)]
struct BrokenWatch {
    fault: Fault,
    inner: Box<dyn Subscription>,
    last: Option<RuntimeEvent>,
}

impl Subscription for BrokenWatch {
    fn next(&mut self, timeout: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        let repeats = match self.fault {
            Fault::RepeatsOutput => matches!(self.last, Some(RuntimeEvent::Output(_))),
            Fault::RepeatsTheEnd => matches!(self.last, Some(RuntimeEvent::Exited(_))),
            _ => false,
        };
        if repeats {
            return Ok(self.last.take());
        }
        let mut event = self.inner.next(timeout)?;
        if self.fault == Fault::HidesGaps && matches!(event, Some(RuntimeEvent::Gap { .. })) {
            event = self.inner.next(timeout)?;
        }
        if self.fault == Fault::LosesOutput
            && let Some(RuntimeEvent::Output(bytes)) = &mut event
            && bytes.len() > 1
        {
            bytes.remove(bytes.len() / 2);
        }
        self.last.clone_from(&event);
        Ok(event)
    }
}

fn assert_noticed(fault: Fault, by: &[&str]) {
    let fails = |case: runtime::cases::RuntimeCase| {
        catch_unwind(AssertUnwindSafe(|| case(&fault))).is_err()
    };
    for name in by {
        let (_, case) = runtime::cases::ALL.iter().find(|(found, _)| found == name).unwrap();
        assert!(fails(*case), "{fault:?} must fail {name}");
    }
}

#[test]
fn a_sound_runtime_passes() {
    for (_, case) in runtime::cases::ALL {
        case(&Fault::None);
    }
}

#[test]
fn missing_records_are_noticed() {
    assert_noticed(
        Fault::RecordsElsewhere,
        &[
            "spawn::stores_a_running_session",
            "wait::records_success_first",
            "wait::records_before_watchers_know",
        ],
    );
}

#[test]
fn lost_and_repeated_output_is_noticed() {
    assert_noticed(Fault::LosesOutput, &["subscribe::gives_all_output_and_the_end"]);
    assert_noticed(Fault::RepeatsOutput, &["subscribe::gives_everything_to_everyone"]);
}

#[test]
fn hidden_gaps_are_noticed() {
    assert_noticed(Fault::HidesGaps, &["subscribe::counts_what_a_slow_watcher_misses"]);
}

#[test]
fn repeated_ends_are_noticed() {
    assert_noticed(Fault::RepeatsTheEnd, &["subscribe::gives_all_output_and_the_end"]);
}

#[test]
fn wrong_surroundings_are_noticed() {
    assert_noticed(Fault::InheritsEnvironment, &["spawn::inherits_nothing"]);
    assert_noticed(
        Fault::StartsAnywhere,
        &["spawn::starts_in_the_directory", "spawn::refuses_a_missing_directory"],
    );
}

#[test]
fn invented_ends_are_noticed() {
    assert_noticed(Fault::WaitsForNothing, &["wait::gives_up_in_time"]);
}
