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

/// A process as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// One letter: R, S, T for stopped, Z for one that has ended and was not collected, and so on.
    pub(crate) state: u8,
    /// When it started, in clock ticks since boot.
    pub(crate) start: u64,
}

/// What the kernel says of a process, where it says so and there is one.
pub(crate) fn process(pid: u32) -> Option<ProcessStat> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: count from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some(ProcessStat { state, start: fields.nth(18)?.parse().ok()? })
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
