//! Subscriptions that are broken in one way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use session_core::{
    RuntimeError, RuntimeEvent, SessionId, SessionRuntime as _, Subscription, TerminalSize,
};
use session_testkit::ScriptedRuntime;

use super::{Fault, gone};

#[derive(Debug)]
pub(super) struct BrokenWatch {
    fault: Fault,
    id: SessionId,
    inner: Box<dyn Subscription>,
    runtime: Arc<ScriptedRuntime>,
    outages: Arc<AtomicU32>,
    /// How many there had been when this began.
    before: u32,
    last: Option<RuntimeEvent>,
    /// What was looked at already.
    ahead: Option<RuntimeEvent>,
}

/// These events, the last one first.
#[derive(Debug, Default)]
pub(super) struct These(pub(super) Vec<Option<RuntimeEvent>>);

impl BrokenWatch {
    pub(super) fn new(
        fault: Fault,
        id: SessionId,
        inner: Box<dyn Subscription>,
        runtime: Arc<ScriptedRuntime>,
        outages: Arc<AtomicU32>,
    ) -> Self {
        let before = outages.load(Ordering::SeqCst);
        Self { fault, id, inner, runtime, outages, before, last: None, ahead: None }
    }

    fn repeats(&self) -> bool {
        matches!(
            (self.fault, &self.last),
            (Fault::RepeatsOutput, Some(RuntimeEvent::Output(_)))
                | (Fault::RepeatsTheEnd, Some(RuntimeEvent::Exited(_)))
                | (Fault::RepeatsSizes, Some(RuntimeEvent::Resized(_)))
        )
    }
}

impl Subscription for BrokenWatch {
    fn next(&mut self, timeout: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        if self.fault == Fault::ForgetsWatchers
            && self.outages.load(Ordering::SeqCst) != self.before
        {
            return gone();
        }
        if self.repeats() {
            return Ok(self.last.take());
        }
        let mut event = match self.ahead.take() {
            Some(event) => Some(event),
            None => self.inner.next(timeout)?,
        };
        match (self.fault, &mut event) {
            (Fault::HidesGaps, Some(RuntimeEvent::Gap { .. })) => {
                event = self.inner.next(timeout)?;
            }
            (Fault::PaintsNothing, Some(RuntimeEvent::Gap { screen, .. })) => screen.clear(),
            (Fault::LosesOutput, Some(RuntimeEvent::Output(bytes))) if bytes.len() > 1 => {
                bytes.remove(bytes.len() / 2);
            }
            (Fault::HidesLastWords, Some(RuntimeEvent::Output(_))) => {
                self.ahead = self.inner.next(Duration::ZERO)?;
                if matches!(self.ahead, Some(RuntimeEvent::Exited(_))) {
                    event = self.ahead.take();
                }
            }
            (Fault::TellsWrongSizes, Some(RuntimeEvent::Resized(size))) => {
                *size = TerminalSize::nearest(size.cols() + 1, size.rows());
            }
            _ => {}
        }
        self.last.clone_from(&event);
        Ok(event)
    }
}

impl Drop for BrokenWatch {
    fn drop(&mut self) {
        if self.fault == Fault::EndsWithAWatcher {
            // It may have ended already.
            drop(self.runtime.stop(self.id, Duration::ZERO));
        }
    }
}

impl Subscription for These {
    fn next(&mut self, _: Duration) -> Result<Option<RuntimeEvent>, RuntimeError> {
        Ok(self.0.pop().flatten())
    }
}
