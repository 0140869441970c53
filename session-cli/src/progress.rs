//! How far something long has come: one line on a terminal, from the second second on.

use std::io::{self, Write as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::invocation::Invocation;
use crate::output::text::shown;

/// A line that is written over and over, and gone at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When it is written next; never without a terminal.
    next: Option<Instant>,
    written: bool,
}

const FIRST: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_millis(200);

impl Progress {
    pub(crate) fn new(invocation: &Invocation) -> Self {
        let is_wanted = invocation.plan.caller.stderr_is_terminal && !invocation.out.is_quiet();
        Self { next: is_wanted.then(|| Instant::now() + FIRST), written: false }
    }

    /// Says how far it is, when it is time to.
    pub(crate) fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + PERIOD);
            self.written = true;
            put(&format!("\r\x1b[K{}", shown(&text())));
        }
    }
}

/// Does something that cannot say how far it is; a terminal shows for how long it has been at it.
pub(crate) fn during<T>(invocation: &Invocation, what: &str, work: impl FnOnce() -> T) -> T {
    let mut progress = Progress::new(invocation);
    if progress.next.is_none() {
        return work();
    }
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let (done, wait) = sync_channel::<()>(0);
        scope.spawn(move || {
            while wait.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                progress.tell(|| format!("{what}, for {} s", begun.elapsed().as_secs()));
            }
        });
        let result = work();
        drop(done);
        result
    })
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.written {
            put("\r\x1b[K");
        }
    }
}

/// When nobody reads it, there is nobody to tell that.
fn put(text: &str) {
    let mut err = io::stderr().lock();
    let _nobody_reads = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
