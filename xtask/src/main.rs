//! Dispatches the verbs of `cargo xtask`; each verb is a file of the library.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "printing what a check found is what this program is for"
)]

use std::process::ExitCode;

use anyhow::bail;

const HELP: &str = "\
Checks and chores of this workspace.

Usage: cargo xtask <verb>

  layers   show which crate knows which, and check it against the allowed edges
  tidy     check the house rules that neither rustc nor clippy knows
  lint     rustfmt, clippy and rustdoc, each with warnings as errors
  ci       lint, then all tests, then every bench once; with the time of each step
  help     print this

`layers` and `tidy` are also tests of this package, so a plain `cargo test` runs them.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace that a returned error may print: the findings are the message.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> anyhow::Result<()> {
    let root = xtask::workspace::root();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["layers"] => println!("{}", xtask::layers::run(&root)?),
        ["tidy"] => println!("{}", xtask::tidy::run(&root)?),
        ["lint"] => xtask::lint::run(&root)?,
        ["ci"] => xtask::ci::run(&root)?,
        [] | ["help" | "--help" | "-h"] => println!("{HELP}"),
        _ => bail!("no such verb: {}\n\n{HELP}", args.join(" ")),
    }
    Ok(())
}
