//! Replacing the supervisor by the program that is on the disk now, and finding out which one serves then.

use std::time::{Duration, Instant};

use session_core::{ErrorKind, RuntimeError};

use super::Client;
use crate::os::{Image, image_of};
use crate::wire::{Call, SupervisorStatus};

/// How long the next supervisor may take until it serves.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks whether it does.
const PAUSE: Duration = Duration::from_millis(10);

impl Client {
    /// Has the supervisor replaced by the program that is on the disk now, and waits until that one serves.
    ///
    /// # Errors
    /// What the supervisor refuses; `StartFailed` when that program does not come up and the one before serves again;
    /// `Timeout` when none serves in time. Programs go on in any case.
    pub fn upgrade(mut self) -> Result<SupervisorStatus, RuntimeError> {
        let deadline = Instant::now() + UPGRADE_TIMEOUT;
        let before = self.status()?;
        // The keeper falls back to its own program, which may be another than that of the present supervisor.
        let old: Vec<Image> =
            [Some(before.pid), before.keeper].into_iter().flatten().filter_map(image_of).collect();
        self.call::<()>(Call::Upgrade)?;
        let place = self.place.clone();
        drop(self);
        loop {
            let status = Self::connect(&place)
                .and_then(|client| client.map(|mut client| client.status()).transpose());
            match status {
                Ok(Some(status)) if status.pid != before.pid => {
                    let named = old.first().filter(|_| has_fallen_back(&old, status.pid));
                    return named.map_or_else(|| Ok(status.clone()), |named| {
                        Err(RuntimeError::Remote {
                            kind: ErrorKind::StartFailed,
                            message: format!(
                                "{} did not come up: the program before serves again, version {}, process {}",
                                named.path.display(),
                                status.version,
                                status.pid
                            ),
                            hint: Some(format!(
                                "every session went on; {} says why",
                                place.log().display()
                            )),
                        })
                    });
                }
                // Still the one before, none yet, or one that did not come up.
                Ok(_) | Err(RuntimeError::Io { .. } | RuntimeError::Timeout { .. }) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                return Err(RuntimeError::Timeout { what: "the next supervisor" });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether what serves is one of the old files and not what is on the disk in their place. A script there that starts
/// something else is neither.
fn has_fallen_back(old: &[Image], serving: u32) -> bool {
    image_of(serving).is_some_and(|now| old.contains(&now) && !now.is_in_place())
}
