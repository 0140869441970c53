//! The one place where running programs meet the store: a named thread behind a bounded channel.
//!
//! Whoever wants something of the store hands it a piece of work and waits. Ends are recorded by whoever sees them,
//! several at a time, so that many that come together share a sync where the store can. One that could not be
//! recorded, on a full disk for instance, is tried again by the thread until it is; until then its session counts as
//! running. When the first try fails, viewers hear of the end before it is in the record.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use session_core::{
    ProcessState, RuntimeError, SessionStore, SessionStoreExt, Status, StoreError, Timestamp,
};

use crate::live::Remains;
use crate::output;
use crate::supervisor::log_line;

/// Pieces of work that may wait; then callers do.
const QUEUE: usize = 64;

/// Ends that are recorded at the same time. More would gain little, and each waits for the store no longer than that
/// allows.
const AT_ONCE: usize = 16;

/// How long after a failure the end of a program is recorded again.
const RETRY: Duration = Duration::from_secs(1);

/// So often is the output of a program tried to be kept. It is worth less than its end, and must not keep the
/// supervisor for ever.
const OUTPUT_ATTEMPTS: u32 = 60;

/// A handle on the store and the thread beside it.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    work: SyncSender<Work>,
    store: Arc<dyn SessionStore>,
    turns: Arc<Turns>,
}

/// How many more ends may be recorded now.
#[derive(Debug)]
struct Turns {
    left: Mutex<usize>,
    given_back: Condvar,
}

/// One of them.
struct Turn<'a>(&'a Turns);

/// The end of a program, on its way to the store.
pub(crate) struct End {
    pub(crate) remains: Remains,
    pub(crate) at: Timestamp,
    /// Where its output is kept; nowhere when there is no place.
    pub(crate) output_dir: Option<PathBuf>,
    /// Called once it is recorded, or certain that it cannot be.
    pub(crate) recorded: Box<dyn FnOnce() + Send>,
}

type Call = Box<dyn FnOnce(&dyn SessionStore) + Send>;

enum Work {
    Call(Call),
    /// Its first try has failed.
    End(Box<Unrecorded>),
}

/// An end of which something is still to be done.
struct Unrecorded {
    end: End,
    /// Its output is kept, or given up.
    kept: bool,
    /// The record says what there is to say, or never will.
    stored: bool,
    /// How often it was tried to keep its output.
    attempts: u32,
}

impl Recorder {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<dyn SessionStore>) -> Result<Self, RuntimeError> {
        let (work, inbox) = sync_channel(QUEUE);
        let shared = Arc::clone(&store);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(&*shared, &inbox, RETRY))
            .map_err(|source| RuntimeError::io("starting the recorder", source))?;
        let turns = Turns { left: Mutex::new(AT_ONCE), given_back: Condvar::new() };
        Ok(Self { work, store, turns: Arc::new(turns) })
    }

    /// Does something with the store and waits for the result.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SessionStore) -> T + Send + 'static,
    ) -> Result<T, RuntimeError> {
        let (done, result) = sync_channel(1);
        let call = Work::Call(Box::new(move |store: &dyn SessionStore| {
            let _caller_left = done.send(work(store));
        }));
        self.work.send(call).map_err(|_| gone())?;
        result.recv().map_err(|_| gone())
    }

    /// Does something with the store, some time. Waits only while the queue is full.
    pub(crate) fn post(&self, work: impl FnOnce(&dyn SessionStore) + Send + 'static) {
        // Without a recorder there is nobody who could do it, nor anybody who waits for it.
        let _gone = self.work.send(Work::Call(Box::new(work)));
    }

    /// Records the end of a program. Comes back when that was done, or has failed for the first time.
    pub(crate) fn end(&self, end: End) {
        let end = Box::new(Unrecorded { end, kept: false, stored: false, attempts: 0 });
        let turn = self.turns.take();
        let left = record(&*self.store, end);
        drop(turn);
        if let Some(end) = left {
            // A recorder that is gone cannot record; the session is then found lost by whoever comes next.
            let _gone = self.work.send(Work::End(end));
        }
    }
}

impl Turns {
    fn take(&self) -> Turn<'_> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let none_left = |left: &mut usize| *left == 0;
        let left = self.given_back.wait_while(left, none_left);
        *left.unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

fn gone() -> RuntimeError {
    RuntimeError::io("reaching the recorder", std::io::ErrorKind::BrokenPipe.into())
}

fn run(store: &dyn SessionStore, inbox: &Receiver<Work>, retry: Duration) {
    let mut unrecorded: Vec<Box<Unrecorded>> = Vec::new();
    // When those are tried again, however much other work comes in.
    let mut due: Option<Instant> = None;
    loop {
        let work = match due {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match work {
            Ok(Work::Call(call)) => call(store),
            Ok(Work::End(end)) => unrecorded.push(end),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                for end in unrecorded {
                    // The last try: nobody is left to keep it.
                    drop(record(store, end));
                }
                return;
            }
        }
        if due.is_some_and(|due| Instant::now() >= due) {
            unrecorded = unrecorded.into_iter().filter_map(|end| record(store, end)).collect();
            due = None;
        }
        due = if unrecorded.is_empty() { None } else { due.or(Some(Instant::now() + retry)) };
    }
}

/// Does what is left to do for one end; gives it back when that has to be tried again.
///
/// The output comes first: whoever reads in the record that a program has ended finds what it wrote.
fn record(store: &dyn SessionStore, mut this: Box<Unrecorded>) -> Option<Box<Unrecorded>> {
    let id = this.end.remains.id;
    if !this.kept {
        this.attempts += 1;
        match keep_output(&this.end) {
            Ok(()) => this.kept = true,
            Err(error) if this.attempts >= OUTPUT_ATTEMPTS => {
                log_line(&format!("the output of {id} cannot be kept: {error}"));
                this.kept = true;
            }
            Err(_) => {}
        }
    }
    if !this.stored {
        match store_end(store, &this.end) {
            Ok(()) => this.stored = true,
            Err(error) if may_pass(&error) => {
                log_line(&format!("recording the end of {id}, to be tried again: {error}"));
            }
            Err(error) => {
                log_line(&format!("the end of {id} cannot be recorded: {error}"));
                this.stored = true;
            }
        }
    }
    if !(this.kept && this.stored) {
        return Some(this);
    }
    let Unrecorded { end, .. } = *this;
    (end.recorded)();
    None
}

fn store_end(store: &dyn SessionStore, end: &End) -> Result<(), StoreError> {
    let Remains { id, exit, .. } = end.remains;
    let stored = store.update_with(id, end.at, |session| {
        if let Some(process) = &mut session.process {
            process.state = ProcessState::Exited(exit);
        }
        let status = if exit.is_success() { Status::Completed } else { Status::Failed };
        // Closed or expired meanwhile: then that stays its status.
        session.lifecycle.status = session.status().to(status).unwrap_or(session.status());
        session.lifecycle.ended_at.get_or_insert(end.at);
        session.lifecycle.last_active_at = end.at;
        Ok::<_, StoreError>(())
    });
    match stored {
        // Removed meanwhile: then there is nothing to say.
        Ok(_) | Err(StoreError::NotFound { .. } | StoreError::Trashed { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the store may take later what it does not take now. Nobody opens a store of ours anew in this process.
const fn may_pass(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::Corrupt { .. }
            | StoreError::NotAStore { .. }
            | StoreError::NewerVersion { .. }
            | StoreError::StoreClosed
            | StoreError::Poisoned
            | StoreError::Invalid { .. }
            | StoreError::Immutable { .. }
            | StoreError::Transition { .. }
            | StoreError::Unsupported { .. }
    )
}

fn keep_output(end: &End) -> std::io::Result<()> {
    let Some(directory) = &end.output_dir else { return Ok(()) };
    let remains = &end.remains;
    output::keep(directory, remains.id, &remains.kept)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use session_core::{Exit, MemoryStore, Process, Session, SessionId, TerminalSize};

    use super::*;

    fn stored() -> (MemoryStore, SessionId) {
        let store = MemoryStore::new();
        let at = Timestamp::from_millis(1);
        let id = SessionId::from_parts(at, 1);
        let mut session = Session::new(id, at);
        let mut process = Process::starting(at, None);
        process.state = ProcessState::Running;
        session.process = Some(process);
        store.create(session).unwrap();
        (store, id)
    }

    fn unrecorded(id: SessionId, output_dir: Option<PathBuf>) -> (Box<Unrecorded>, Arc<AtomicU32>) {
        let (log, screen) = (b"log".to_vec(), b"screen".to_vec());
        let size = TerminalSize::DEFAULT;
        let kept = output::Kept { log, written: 3, screen, size };
        let remains = Remains { id, exit: Exit::Code(7), kept };
        let told = Arc::new(AtomicU32::new(0));
        let tell = Arc::clone(&told);
        let recorded = Box::new(move || {
            tell.fetch_add(1, Ordering::AcqRel);
        });
        let end = End { remains, at: Timestamp::from_millis(9), output_dir, recorded };
        (Box::new(Unrecorded { end, kept: false, stored: false, attempts: 0 }), told)
    }

    #[test]
    fn what_is_recorded_is_not_recorded_again() {
        let (store, id) = stored();
        let directory = tempfile::tempdir().unwrap();
        let in_the_way = directory.path().join("output");
        std::fs::write(&in_the_way, "").unwrap();
        let (end, told) = unrecorded(id, Some(in_the_way.clone()));
        let end = record(&store, end).unwrap();
        let revision = store.get(id).unwrap().lifecycle.revision;
        let end = record(&store, end).unwrap();
        assert_eq!(store.get(id).unwrap().lifecycle.revision, revision);
        assert_eq!(told.load(Ordering::Acquire), 0);

        std::fs::remove_file(&in_the_way).unwrap();
        assert!(record(&store, end).is_none());
        assert_eq!(store.get(id).unwrap().lifecycle.revision, revision);
        assert_eq!(told.load(Ordering::Acquire), 1);
        assert!(output::read_log(&in_the_way, id).unwrap().is_some());
    }

    #[test]
    fn output_that_cannot_be_kept_is_given_up() {
        let (store, id) = stored();
        let (mut end, told) = unrecorded(id, Some("/dev/null/output".into()));
        let mut attempts = 1;
        while let Some(again) = record(&store, end) {
            (end, attempts) = (again, attempts + 1);
        }
        assert_eq!(attempts, OUTPUT_ATTEMPTS);
        assert_eq!(told.load(Ordering::Acquire), 1);
    }

    #[test]
    fn an_end_that_can_never_be_recorded_is_given_up_at_once() {
        let (store, id) = stored();
        store.close().unwrap();
        let (end, told) = unrecorded(id, None);
        assert!(record(&store, end).is_none());
        assert_eq!(told.load(Ordering::Acquire), 1, "the session does not run for ever");
    }

    #[test]
    fn other_work_does_not_keep_an_end_from_being_recorded() {
        let (store, id) = stored();
        let directory = tempfile::tempdir().unwrap();
        let in_the_way = directory.path().join("output");
        std::fs::write(&in_the_way, "").unwrap();
        let (end, told) = unrecorded(id, Some(in_the_way.clone()));
        let (work, inbox) = sync_channel(QUEUE);
        work.send(Work::End(record(&store, end).unwrap())).unwrap();
        let call = move |_: &dyn SessionStore| std::fs::remove_file(in_the_way).unwrap();
        work.send(Work::Call(Box::new(call))).unwrap();
        let (seen, told_meanwhile) = sync_channel(1);
        let call = move |_: &dyn SessionStore| seen.send(told.load(Ordering::Acquire)).unwrap();
        work.send(Work::Call(Box::new(call))).unwrap();
        drop(work);
        run(&store, &inbox, Duration::ZERO);
        assert_eq!(told_meanwhile.recv().unwrap(), 1);
    }

    #[test]
    fn ends_wait_for_no_other_work() {
        let (store, id) = stored();
        let recorder = Recorder::start(Arc::new(store)).unwrap();
        let (let_go, held) = sync_channel::<()>(1);
        recorder.post(move |_| held.recv().unwrap());
        let (done, all_done) = sync_channel(1);
        let ending = recorder.clone();
        std::thread::spawn(move || {
            for _ in 0..=AT_ONCE {
                let (unrecorded, told) = unrecorded(id, None);
                ending.end(unrecorded.end);
                assert_eq!(told.load(Ordering::Acquire), 1);
            }
            done.send(()).unwrap();
        });
        all_done.recv_timeout(Duration::from_secs(20)).unwrap();
        let_go.send(()).unwrap();
    }

    #[test]
    fn a_full_disk_may_pass() {
        assert!(may_pass(&StoreError::DiskFull { path: "/".into(), source: None }));
        assert!(!may_pass(&StoreError::Poisoned));
    }
}
