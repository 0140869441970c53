//! The clock and the randomness of the system that the command runs on.

use session_core::{SessionId, Timestamp};

use crate::error::CliError;

/// The present.
#[expect(clippy::disallowed_methods, reason = "the one clock that everything else is given")]
pub(crate) fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// A new id for a session created at `at`.
pub(crate) fn new_id(at: Timestamp) -> Result<SessionId, CliError> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(SessionId::from_parts(at, u128::from_le_bytes(bytes)))
}

/// Random bits, for names.
pub(crate) fn random_bits() -> Result<u64, CliError> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(bytes: &mut [u8]) -> Result<(), CliError> {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(len) => filled += len,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(CliError::io("getting random bits", &error.into())),
        }
    }
    Ok(())
}
