//! The one place where running programs meet the store: a named thread behind a bounded channel.
//!
//! Whoever wants something of the store hands it a piece of work and waits. Ends of programs that could not be
//! recorded, on a full disk for instance, are kept and tried again until they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use session_core::{
    ProcessState, RuntimeError, SessionStore, SessionStoreExt, Status, StoreError, Timestamp,
};

use crate::live::Remains;
use crate::output;

/// Pieces of work that may wait; then callers do.
const QUEUE: usize = 64;

/// How long after a failure the end of a program is recorded again.
const RETRY: Duration = Duration::from_secs(1);

/// A handle on the thread that owns the store.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    work: SyncSender<Work>,
}

/// The end of a program, on its way to the store.
pub(crate) struct End {
    pub(crate) remains: Remains,
    pub(crate) at: Timestamp,
    /// Where its output is kept; nowhere when there is no place.
    pub(crate) output_dir: Option<PathBuf>,
    /// Called once it is recorded.
    pub(crate) recorded: Box<dyn FnOnce() + Send>,
}

type Call = Box<dyn FnOnce(&dyn SessionStore) + Send>;

enum Work {
    Call(Call),
    End(Box<End>, SyncSender<()>),
}

impl Recorder {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<dyn SessionStore>) -> Result<Self, RuntimeError> {
        let (work, inbox) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(&*store, &inbox))
            .map_err(|source| RuntimeError::io("starting the recorder", source))?;
        Ok(Self { work })
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

    /// Records the end of a program and waits until that was done, or has failed for the first time.
    pub(crate) fn end(&self, end: End) {
        let (done, result) = sync_channel(1);
        if self.work.send(Work::End(Box::new(end), done)).is_ok() {
            // A recorder that is gone cannot record; the session is then found lost by whoever comes next.
            let _gone = result.recv();
        }
    }
}

fn gone() -> RuntimeError {
    RuntimeError::io("reaching the recorder", std::io::ErrorKind::BrokenPipe.into())
}

fn run(store: &dyn SessionStore, inbox: &Receiver<Work>) {
    let mut unrecorded: Vec<Box<End>> = Vec::new();
    loop {
        let work = if unrecorded.is_empty() {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            inbox.recv_timeout(RETRY)
        };
        match work {
            Ok(Work::Call(call)) => call(store),
            Ok(Work::End(end, done)) => {
                unrecorded.extend(record(store, end).err());
                let _caller_left = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => {
                unrecorded =
                    unrecorded.into_iter().filter_map(|end| record(store, end).err()).collect();
            }
            Err(RecvTimeoutError::Disconnected) => {
                for end in unrecorded {
                    // The last try: nobody is left to keep it.
                    drop(record(store, end));
                }
                return;
            }
        }
    }
}

/// Records one end; gives it back when that has to be tried again.
fn record(store: &dyn SessionStore, end: Box<End>) -> Result<(), Box<End>> {
    let Remains { id, exit, .. } = end.remains;
    let recorded = store.update_with(id, end.at, |session| {
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
    let may_work_later = |error: &StoreError| {
        !matches!(error, StoreError::NotFound { .. } | StoreError::Trashed { .. })
    };
    if recorded.as_ref().is_err_and(may_work_later) {
        return Err(end);
    }
    if let Some(directory) = &end.output_dir
        && keep_output(directory, &end.remains).is_err()
    {
        return Err(end);
    }
    let End { recorded, .. } = *end;
    recorded();
    Ok(())
}

fn keep_output(directory: &Path, remains: &Remains) -> std::io::Result<()> {
    output::keep(directory, remains.id, &remains.log, &remains.screen, remains.size)
}
