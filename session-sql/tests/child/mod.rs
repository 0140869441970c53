//! Running a part of a test in a process of its own: the test binary again, with one test that plays a role.

#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]
#![expect(clippy::print_stdout, reason = "a pipe is how a child answers")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROLE: &str = "SESSION_SQL_TEST_ROLE";
const STORE: &str = "SESSION_SQL_TEST_STORE";
/// What a child prints in front of an answer, among the lines of the test harness.
const ANSWER: &str = "answer: ";

/// The role that this process was started for, and the store that it is to use. `None` in the process that
/// `cargo test` started, where the test called `child` has nothing to do.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    Some((std::env::var(ROLE).ok()?, std::env::var_os(STORE)?.into()))
}

/// Says something to the process that started this one.
pub(crate) fn answer(text: impl std::fmt::Display) {
    println!("{ANSWER}{text}");
}

/// The program that this process runs.
pub(crate) fn itself() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// A process of this program, or of a copy of it, that plays `role` on the store at `path`, in the test called
/// `child`.
pub(crate) fn playing(program: &Path, role: &str, path: &Path) -> Command {
    configured(Command::new(program), role, path)
}

/// The same, after a shell did `preparation`.
pub(crate) fn playing_after(preparation: &str, role: &str, path: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{preparation}; exec \"$0\" \"$@\""));
    shell.arg(itself());
    configured(shell, role, path)
}

fn configured(mut command: Command, role: &str, path: &Path) -> Command {
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(STORE, path);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What a process answered that has ended well.
pub(crate) fn answers(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    answers_in(output.stdout.as_slice()).collect()
}

/// The answers in what a process prints, one by one as it gives them.
pub(crate) fn answers_in(stdout: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    // The harness begins the line with the name of the test.
    lines.filter_map(|line| line.split_once(ANSWER).map(|(_, answer)| answer.to_owned()))
}
