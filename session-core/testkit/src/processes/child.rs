//! Running a part of a test in a process of its own: the test binary again, with one test that plays a role.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROLE: &str = "SESSION_TESTKIT_ROLE";
const STORE: &str = "SESSION_TESTKIT_STORE";
/// What a child prints in front of an answer, among the lines of the test harness.
const ANSWER: &str = "answer: ";

/// The role that this process was started for, and the store that it is to use. `None` in the process that
/// `cargo test` started, where the test called `child` has nothing to do.
#[must_use]
pub fn role() -> Option<(String, PathBuf)> {
    Some((std::env::var(ROLE).ok()?, std::env::var_os(STORE)?.into()))
}

/// Says something to the process that started this one, in one write, so that it never hears half of it.
///
/// # Panics
/// When nobody listens any more.
pub fn answer(text: impl std::fmt::Display) {
    std::io::stdout().lock().write_all(format!("\n{ANSWER}{text}\n").as_bytes()).unwrap();
}

/// The program that this process runs.
///
/// # Panics
/// When the operating system does not tell.
#[must_use]
pub fn itself() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// A process of this program, that plays `role` on the store at `path`, in the test called `child`.
#[must_use]
pub fn playing(role: &str, path: &Path) -> Command {
    started_by(Command::new(itself()), role, path)
}

/// The same, after a shell did `preparation`.
#[must_use]
pub fn playing_after(preparation: &str, role: &str, path: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{preparation}; exec \"$0\" \"$@\"")).arg(itself());
    started_by(shell, role, path)
}

/// The same by a command that runs this program, or a copy of it, with the arguments that it is given.
#[must_use]
pub fn started_by(mut command: Command, role: &str, path: &Path) -> Command {
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(STORE, path);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What a process answered that has ended well.
///
/// # Panics
/// When it has ended otherwise.
#[must_use]
pub fn answers(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    answers_in(output.stdout.as_slice()).collect()
}

/// The answers in what a process prints, one by one as it gives them. One that was cut short is none.
pub fn answers_in(stdout: impl Read) -> impl Iterator<Item = String> {
    let mut lines = BufReader::new(stdout);
    std::iter::from_fn(move || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|_| line.ends_with('\n'))?;
        Some(line)
    })
    .filter_map(|line| Some(line.strip_prefix(ANSWER)?.trim_end().to_owned()))
}
