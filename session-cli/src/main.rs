//! The `session` command: reads what was typed, makes one plan of it, does it, and decides the exit code.

mod args;
mod complete;
mod error;
mod exit;
mod plan;
mod system;

mod backend;
mod backups;
mod invocation;
mod live;
mod outcomes;
mod replacing;
mod select;
mod spawn;
mod staging;

mod keys;
mod output;
mod progress;
mod question;
mod watch;

mod commands;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Parsed;
use error::CliError;
use invocation::Invocation;
use output::Output;
use plan::{Caller, Plan};

fn main() -> ExitCode {
    let caller = Caller::capture();
    let words: Vec<OsString> = std::env::args_os().collect();
    match complete::answer(&words, &caller) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => return report(&Output::before_plan(&words, &caller), &error),
    }
    let early = Output::before_plan(&words, &caller);
    let cli = match args::parse(&words) {
        Ok(Parsed::Command(cli)) => cli,
        Ok(Parsed::Help(text)) => {
            return early
                .text(&text)
                .map_or_else(|error| report(&early, &error), |()| ExitCode::SUCCESS);
        }
        Err(error) => return report(&early, &error),
    };
    let plan = match Plan::new(&cli.global, caller) {
        Ok(plan) => plan,
        Err(error) => return report(&early, &error),
    };
    let invocation = Invocation::new(plan);
    match commands::run(&invocation, cli.command) {
        Ok(code) => ExitCode::from(code.as_u8()),
        Err(error) => report(&invocation.out, &error),
    }
}

/// Tells the error and turns it into the exit code. Nobody reading any more is no error.
fn report(out: &Output, error: &CliError) -> ExitCode {
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    out.error(error);
    ExitCode::from(exit::code(error.kind()))
}
