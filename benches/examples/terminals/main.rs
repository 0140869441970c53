//! Times and memory of the command itself, beside a bare terminal and dtach in the same run. README.md says how to
//! read it.

#![expect(clippy::unwrap_used, reason = "a measurement that meets an error must stop")]
#![expect(clippy::print_stdout, reason = "tables are what this program is for")]

mod calls;
mod echo;
mod flood;
mod home;
mod idle;
mod outer;
mod processes;
mod systems;
mod table;
mod viewers;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use systems::Stage;

const HELP: &str = "\
Usage: cargo run --release -p session-benches --example terminals -- [what]... [options]

  flood     50 MB of plain and 20 MB of coloured output, and the supervisor's processor time for it
  echo      one key, alone and while another session floods
  calls     create, attach, detach; whole processes and a client that runs already
  viewers   the supervisor's memory for slow, stopped and dead viewers during 50 MB
  idle      memory, threads and processor time of many sessions that do nothing
            without any of them: all

  --rounds N      of flood and viewers (9 and 5)
  --keys N        of echo (2000)
  --sessions N    of idle, instead of 200 and then 1000
  --program PATH  the command to measure, instead of building this one";

/// What is measured, and how much of it.
#[derive(Debug, Default)]
struct Wish {
    what: Vec<String>,
    rounds: Option<usize>,
    keys: Option<usize>,
    sessions: Option<usize>,
    program: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(wish) = wish() else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    let program = wish.program.clone().unwrap_or_else(build);
    let wants = |what: &str| wish.what.is_empty() || wish.what.iter().any(|wanted| wanted == what);
    let stage = Stage::new(&program);
    if wants("flood") {
        flood::run(&stage, wish.rounds.unwrap_or(9));
    }
    if wants("echo") {
        echo::run(&stage, wish.keys.unwrap_or(2000));
    }
    if wants("calls") {
        calls::run(&stage);
    }
    drop(stage);
    if wants("viewers") {
        viewers::run(&program, wish.rounds.unwrap_or(5));
    }
    if wants("idle") {
        let counts = wish.sessions.map_or_else(|| vec![200, 1000], |count| vec![count]);
        idle::run(&program, &counts);
    }
    ExitCode::SUCCESS
}

fn wish() -> Option<Wish> {
    let mut wish = Wish::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "flood" | "echo" | "calls" | "viewers" | "idle" => wish.what.push(word),
            "--rounds" => wish.rounds = Some(words.next()?.parse().ok()?),
            "--keys" => wish.keys = Some(words.next()?.parse().ok()?),
            "--sessions" => wish.sessions = Some(words.next()?.parse().ok()?),
            "--program" => wish.program = Some(PathBuf::from(words.next()?).canonicalize().ok()?),
            _ => return None,
        }
    }
    Some(wish)
}

/// Builds the command as it is released, where this program was built too.
fn build() -> PathBuf {
    let example = std::env::current_exe().unwrap();
    let target = example.ancestors().nth(3).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "session-cli"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target)
        .status();
    assert!(built.unwrap().success(), "the command does not build");
    target.join("release/session")
}
