//! Doing an operation to a runtime, and comparing its answer and what can be seen with the model's.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use session_core::{Exit, ProcessState, RuntimeError, Status, TerminalSize};

use super::operation::{NAMES, Operation};
use super::reference::{Outcome, Played, Reference};
use crate::runtime::RuntimeFixture;
use crate::runtime::live::{Live, Watcher};
use crate::samples::{id, name};

/// How long each step of a stop takes for a program that sits it out.
const GRACE: Duration = Duration::from_millis(100);

/// The runtime under test with everybody who watches.
pub(super) struct Driver<'a> {
    live: Live<'a>,
    patience: Duration,
    /// One for each session, from its start on.
    attentive: Vec<Attentive>,
    /// Those of the model's watchers that are there.
    watchers: Vec<Option<Reader>>,
}

/// Who misses nothing of a session, and who waits for its end.
struct Attentive {
    reader: Reader,
    waiter: Option<JoinHandle<Result<Option<Exit>, RuntimeError>>>,
}

/// A watcher, and whether it was told of the end.
struct Reader {
    watcher: Watcher,
    is_over: bool,
}

impl<'a> Driver<'a> {
    pub(super) fn new(fixture: &'a dyn RuntimeFixture, patience: Duration) -> Self {
        let live = Live::new(fixture);
        Self { live, patience, attentive: Vec::new(), watchers: Vec::new() }
    }

    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Does the operation, which must have this outcome and lead to what the model says.
    pub(super) fn check(
        &mut self,
        before: &Reference,
        operation: &Operation,
        expected: &Outcome,
        model: &Reference,
    ) {
        let found = self.perform(before, operation);
        let found = found.unwrap_or_else(|error| Outcome::Refused(error.kind()));
        assert_eq!(
            found, *expected,
            "the runtime's answer is left, the model's right: {operation:?}"
        );
        self.compare(model);
    }

    /// Ends everything, and compares to the last byte.
    pub(super) fn finish(&mut self, mut model: Reference) {
        let running: Vec<u32> = model.running().collect();
        for session in running {
            let (before, stop) = (model.clone(), Operation::Stop(session));
            let expected = model.perform(&stop);
            self.check(&before, &stop, &expected, &model);
        }
        for index in 0..self.watchers.len() {
            self.read(&model, index);
        }
    }

    fn perform(
        &mut self,
        before: &Reference,
        operation: &Operation,
    ) -> Result<Outcome, RuntimeError> {
        let runtime = Arc::clone(&self.live.runtime);
        match operation {
            Operation::Spawn(kind, called) => {
                let number = self.attentive.len() as u32;
                let mut request = self.live.request(number, kind.program());
                request.session.identity.name = called.map(|called| name(NAMES[called]));
                self.live.spawn(request)?;
                let waiter = std::thread::spawn(move || runtime.wait(id(number), None));
                let reader = self.reader(self.live.watch(number));
                self.attentive.push(Attentive { reader, waiter: Some(waiter) });
            }
            Operation::Go(session) => {
                self.release(before, *session)?;
                if before.is_released(*session) {
                    runtime.write(id(*session), b"")?;
                }
            }
            Operation::Type(session, text) => {
                if self.release(before, *session)?.is_none_or(|played| played.exit.is_none()) {
                    runtime.write(id(*session), text.as_bytes())?;
                }
            }
            Operation::End(session) => match self.release(before, *session)? {
                Some(played) if played.exit.is_some() => {}
                Some(played) => runtime.write(id(*session), played.last_input().as_bytes())?,
                None => runtime.write(id(*session), before.last_input(*session).as_bytes())?,
            },
            Operation::Resize(session, (cols, rows)) => {
                runtime.resize(id(*session), TerminalSize::nearest(*cols, *rows))?;
            }
            Operation::Subscribe(session) => {
                let watcher = Watcher::new(runtime.subscribe(id(*session))?);
                self.watchers.push(Some(self.reader(watcher)));
            }
            Operation::Replay(session) => {
                let watcher = Watcher::new(runtime.replay(id(*session))?);
                self.watchers.push(Some(self.reader(watcher)));
            }
            Operation::Read(index) => self.read(before, *index),
            Operation::Leave(index) => {
                if let Some(watcher) = self.watchers.get_mut(*index) {
                    *watcher = None;
                }
            }
            Operation::Wait(session) => {
                return Ok(Outcome::Exit(runtime.wait(id(*session), Some(Duration::ZERO))?));
            }
            Operation::Stop(session) => {
                let played = before.sessions.get(*session as usize);
                if played.is_some_and(Played::is_released_to_stop) {
                    self.release(before, *session)?;
                }
                let sits_out = played.is_some_and(|played| played.kind.sits_out());
                let grace = if sits_out { GRACE } else { self.patience };
                return Ok(Outcome::Exit(Some(runtime.stop(id(*session), grace)?)));
            }
            Operation::Outage(victim) => self.outage(victim.filter(|it| before.is_victim(*it))),
        }
        Ok(Outcome::Done)
    }

    fn outage(&self, victim: Option<u32>) {
        let Some(outage) = self.live.fixture.outage() else { return };
        let pid = victim.and_then(|victim| self.live.stored(victim).process).and_then(|it| it.pid);
        outage.begin();
        if let Some(pid) = pid {
            outage.terminate(pid);
        }
        outage.end();
    }

    fn reader(&self, mut watcher: Watcher) -> Reader {
        watcher.patience = self.patience;
        Reader { watcher, is_over: false }
    }

    /// Lets a program print that runs and was not let yet, and waits until it has. It is then as this says.
    fn release(
        &mut self,
        before: &Reference,
        session: u32,
    ) -> Result<Option<Played>, RuntimeError> {
        if before.is_released(session) {
            return Ok(None);
        }
        self.live.runtime.write(id(session), b"go\n")?;
        let mut model = before.clone();
        model.perform(&Operation::Go(session));
        self.attentive[session as usize].reader.read(model.at(session), 0);
        Ok(Some(model.at(session).clone()))
    }

    fn read(&mut self, model: &Reference, index: usize) {
        if let Some(Some(reader)) = self.watchers.get_mut(index) {
            let seen = &model.watchers[index];
            reader.read(model.at(seen.session), seen.from);
        }
    }

    /// Compares all that can be seen with the model.
    fn compare(&mut self, model: &Reference) {
        assert_eq!(self.live.listed().len(), model.sessions.len(), "sessions");
        for ((number, played), attentive) in (0..).zip(&model.sessions).zip(&mut self.attentive) {
            let watcher = &mut attentive.reader.watcher;
            if played.exit.is_none() {
                watcher.until("size", |it| it.sizes.len() >= played.sizes.len());
            }
            attentive.reader.read(played, 0);
            assert_eq!(attentive.reader.watcher.sizes, played.sizes, "sizes of {number}");
            if let Some(exit) = played.exit
                && let Some(waiter) = attentive.waiter.take()
            {
                assert_eq!(waiter.join().unwrap().unwrap(), Some(exit), "waiting for {number}");
            }
            let stored = self.live.stored(number);
            let (status, state) = match played.exit {
                None => (Status::Running, ProcessState::Running),
                Some(Exit::Code(0)) => (Status::Completed, ProcessState::Exited(Exit::Code(0))),
                Some(exit) => (Status::Failed, ProcessState::Exited(exit)),
            };
            assert_eq!(stored.status(), status, "status of {number}");
            assert_eq!(stored.process.as_ref().unwrap().state, state, "process of {number}");
            let called = played.name.map(|called| name(NAMES[called]));
            assert_eq!(stored.name(), called.as_ref(), "name of {number}");
        }
    }
}

impl Reader {
    /// Reads all that is there by now, from this line on, which must be as in the model.
    fn read(&mut self, played: &Played, from: usize) {
        let expected = &played.lines[from..];
        if !self.is_over {
            let watcher = &mut self.watcher;
            watcher.until("line", |it| it.printed().len() >= expected.len());
            if let Some(exit) = played.exit {
                assert_eq!(watcher.until_end(), exit);
                self.is_over = true;
            }
        }
        assert_eq!((self.watcher.printed().as_slice(), self.watcher.missed), (expected, 0));
    }
}
