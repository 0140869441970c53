//! Questions before something large is done: asked on a terminal, answered beforehand by `--yes`.

use std::io::{self, Write as _};

use session_core::ErrorKind;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::output::text::shown;

impl Invocation {
    /// Goes on only when it was answered, or is answered now, with yes.
    ///
    /// # Errors
    /// `usage` when there is nobody to ask, `refused` when the answer is another one.
    pub(crate) fn confirm(&self, question: &str, yes: bool) -> Result<(), CliError> {
        if yes {
            return Ok(());
        }
        let caller = &self.plan.caller;
        if !caller.stdin_is_terminal || !caller.stderr_is_terminal {
            let message = format!("nobody is there to be asked: {question}");
            return Err(CliError::usage(message).hint("give --yes to answer beforehand"));
        }
        let failed = |source| CliError::io("asking", &source);
        let mut err = io::stderr().lock();
        write!(err, "{} [y/N] ", shown(question)).and_then(|()| err.flush()).map_err(failed)?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(failed)?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(CliError::new(ErrorKind::Refused, "the answer was no; nothing was changed"))
    }
}
