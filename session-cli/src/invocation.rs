//! One run of the command: its plan, its output, and the ways to the store that every command shares.

use std::sync::Arc;

use session_core::{MemoryStore, Observer, SessionStore};
use session_pty::{Instance, Place, Presence};

use crate::backend;
use crate::error::CliError;
use crate::output::Output;
use crate::plan::Plan;
use crate::system;

/// What a command is given.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) plan: Plan,
    pub(crate) out: Output,
    pub(crate) place: Place,
}

/// The store for as long as a command writes to it.
///
/// Held with it is the knowledge who is alive: no supervisor can begin meanwhile, so that nothing of it can be
/// taken for lost.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) observer: Observer,
    /// None where there is nothing that could be taken for lost.
    _presence: Option<Presence>,
}

/// How often and how long a supervisor that is just starting is waited for.
const ATTEMPTS: u32 = 200;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

impl Invocation {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { out: Output::new(&plan), place: plan.place(), plan }
    }

    /// The store, for reading. Makes nothing.
    pub(crate) fn reading(&self) -> Result<Box<dyn SessionStore>, CliError> {
        backend::open_read_only(&self.plan)
    }

    /// Who looks at sessions from here, now. Makes nothing.
    pub(crate) fn observer(&self) -> Result<Observer, CliError> {
        let alive = Instance::alive(&self.place.instance_lock())
            .map_err(|source| presence_unknown(&self.place, &source))?;
        Ok(Observer { now: system::now(), live_host: alive.map(|instance| instance.instance) })
    }

    /// The store, for writing: made when it is not there, and with everything recorded that nobody had yet.
    pub(crate) fn writing(&self) -> Result<Writing, CliError> {
        backend::make_data_dir(&self.plan)?;
        let presence = self.presence()?;
        let store = backend::open(&self.plan)?;
        let observer = Observer { now: system::now(), live_host: presence.live_host() };
        for swept in store.sweep(&observer)? {
            self.out.detail(&format!("recorded session {} as {}", swept.id(), swept.status()));
        }
        Ok(Writing { store, observer, _presence: Some(presence) })
    }

    /// The store, for changes to what is in it: as [`Self::writing`], but where nothing was ever stored nothing is
    /// made, and nothing is found.
    pub(crate) fn changing(&self) -> Result<Writing, CliError> {
        if backend::is_there(&self.plan)? {
            return self.writing();
        }
        Ok(Writing {
            store: Arc::new(MemoryStore::new()),
            observer: self.observer()?,
            _presence: None,
        })
    }

    /// Whether a supervisor lives; none begins as long as the answer is held.
    pub(crate) fn presence(&self) -> Result<Presence, CliError> {
        let lock = self.place.instance_lock();
        let mut attempts = ATTEMPTS;
        loop {
            match Presence::hold(&lock) {
                Ok(presence) => return Ok(presence),
                // A supervisor that is just starting cannot say its name yet.
                Err(error) if is_starting(&error) && attempts > 0 => {
                    attempts -= 1;
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(presence_unknown(&self.place, &error)),
            }
        }
    }
}

/// Why it cannot be said whether a supervisor lives in this place.
pub(crate) fn presence_unknown(place: &Place, source: &std::io::Error) -> CliError {
    let lock = place.instance_lock();
    CliError::io(&format!("looking for the supervisor at {}", lock.display()), source)
}

fn is_starting(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

impl Writing {
    /// Closes the store, so that what went wrong at the end is heard.
    pub(crate) fn close(self) -> Result<(), CliError> {
        Ok(self.store.close()?)
    }
}
