//! Ending everything: no program starts any more, each is ended, and each end is recorded.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use session_core::{ErrorKind, RuntimeError, Session, Spawn};

use super::{Supervisor, call, heir, log_line};
use crate::live::Beginning;
use crate::runtime::Runtime;

/// How long each step of the ladder takes when the supervisor itself has to end.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Open files that a session takes under the next supervisor, which needs more for it than the one that has started it.
const FILES: u64 = 10;

/// Open files for everything else: the store, clients, viewers.
const OTHER_FILES: u64 = 48;

impl Supervisor {
    /// Refuses one session more than the next supervisor could take back.
    fn has_room_for_another(&self) -> Result<(), RuntimeError> {
        let most = crate::os::most_open_files();
        let room = most.saturating_sub(OTHER_FILES) / FILES;
        if (self.runtime.handles().len() as u64) < room {
            return Ok(());
        }
        Err(RuntimeError::Remote {
            kind: ErrorKind::StartFailed,
            message: format!(
                "no more than {room} sessions fit into the {most} files that may be open here"
            ),
            hint: Some(
                "end one, or end all and raise the limit (`ulimit -n`) before you start again"
                    .to_owned(),
            ),
        })
    }

    /// Starts a program, unless the supervisor is leaving.
    pub(super) fn prepare(&self, spawn: Spawn) -> Result<(Session, Beginning), RuntimeError> {
        let leaving = self.leaving.read().unwrap_or_else(PoisonError::into_inner);
        if *leaving {
            return Err(RuntimeError::Remote {
                kind: ErrorKind::Busy,
                message: "the supervisor is ending".to_owned(),
                hint: Some("try again in a moment: the next one is started then".to_owned()),
            });
        }
        self.has_room_for_another()?;
        self.runtime.prepare(spawn)
    }

    /// Lets no program start any more, and waits for those that are just starting. While programs run
    /// and without `force`, says how many instead.
    pub(super) fn begin_to_leave(&self, force: bool) -> Result<(), usize> {
        let mut leaving = self.leaving.write().unwrap_or_else(PoisonError::into_inner);
        match self.runtime.handles().len() + self.untaken().len() {
            running if running > 0 && !force => Err(running),
            _ => {
                *leaving = true;
                Ok(())
            }
        }
    }

    /// Ends every program, on a thread of its own, and comes back when each end is recorded.
    pub(super) async fn end_all(self: &Arc<Self>) {
        let supervisor = Arc::clone(self);
        let ended = call::on_a_thread("end", move || {
            // With force, nothing keeps it.
            let _nothing = supervisor.begin_to_leave(true);
            end_all(&supervisor.runtime);
            if let Some(custody) = &supervisor.custody {
                heir::end_untaken(custody, LAST_GRACE);
            }
        });
        if let Err(error) = ended.await {
            log_line(&format!("ending the programs, which hang up now: {error}"));
        }
    }
}

/// Ends every program and waits until each end is recorded.
fn end_all(runtime: &Runtime) {
    let stops: Vec<_> = runtime
        .handles()
        .into_iter()
        .map(|handle| {
            std::thread::spawn(move || {
                if let Err(error) = handle.stop(LAST_GRACE) {
                    log_line(&format!("ending session {}: {error}", handle.id()));
                }
            })
        })
        .collect();
    for stop in stops {
        // A panic in it was logged by the default hook; the others still have to be waited for.
        let _panicked = stop.join();
    }
    runtime.see_off_viewers(LAST_GRACE);
}

#[cfg(test)]
mod tests {
    use session_core::{SessionId, Timestamp};

    use super::super::stage::supervisor;
    use super::*;

    #[test]
    fn no_program_starts_while_it_leaves() {
        let directory = tempfile::tempdir().unwrap();
        let supervisor = supervisor(directory.path());
        let at = Timestamp::from_millis(1);
        let session = Session::new(SessionId::from_parts(at, 1), at);
        let spawn = || Spawn { session: session.clone(), environment: Vec::new(), umask: None };
        let before = supervisor.prepare(spawn()).unwrap_err();
        assert_ne!(before.kind(), ErrorKind::Busy);
        supervisor.begin_to_leave(false).unwrap();
        assert_eq!(supervisor.prepare(spawn()).unwrap_err().kind(), ErrorKind::Busy);
    }
}
