//! `session completions`: the script that makes a shell ask for completions.

use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::args::ShellName;
use crate::complete::VARIABLE;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;

pub(crate) fn run(invocation: &Invocation, shell: ShellName) -> Result<Code, CliError> {
    let adapter: &dyn EnvCompleter = match shell {
        ShellName::Bash => &Bash,
        ShellName::Zsh => &Zsh,
        ShellName::Fish => &Fish,
    };
    let mut script = Vec::new();
    adapter
        .write_registration(VARIABLE, "session", "session", "session", &mut script)
        .map_err(|source| CliError::io("writing the script", &source))?;
    invocation.out.bytes(&script)?;
    Ok(Code::Done)
}
