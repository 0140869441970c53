//! How the scripted runtime plays the programs of the runtime suite.

use std::sync::Arc;

use session_core::{SessionRuntime, SessionStore};
use session_testkit::{ManualClock, Program, RuntimeFixture, ScriptedRuntime};

pub(crate) struct Scripted;

impl RuntimeFixture for Scripted {
    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime> {
        Arc::new(ScriptedRuntime::new(store, Arc::new(ManualClock::default())))
    }

    fn argv(&self, program: Program) -> Vec<String> {
        let line = match program {
            Program::Exit(code) => format!("script exit {code}"),
            Program::Signalled => "script signal 9".to_owned(),
            Program::Echo => "script echo".to_owned(),
            Program::Numbered(count) => format!("script lines {count}"),
            Program::Stubborn => "script stubborn".to_owned(),
            Program::ReportSize => "script size".to_owned(),
            Program::ReportEnvironment(name) => format!("script environment {name}"),
            Program::ReportDirectory => "script directory".to_owned(),
            Program::Missing => "no such script".to_owned(),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}
